"""Rules about links between lessons."""

from __future__ import annotations

import re
from urllib.parse import unquote

import nbformat

from kafkalab.courseware.files import LESSON
from kafkalab.courseware.rules.cells import Built, text_cells

__all__ = ["links_lead_somewhere"]

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def links_lead_somewhere(built: Built) -> list[str]:
    """Every relative link leads to a lesson that is there, and to a heading that it has.

    A learner's workspace holds the lessons alone, so that a link to another file would be dead there. Links
    into the web are left alone: a test needs no network.
    """
    return [
        f"cell {number} links to {link}: {problem}"
        for number, cell in text_cells(built)
        for link in LINK.findall(cell.source)
        if not re.match(r"[a-z]+:", link) and (problem := _problem(link, built))
    ]


def _problem(link: str, built: Built) -> str | None:
    name, _, anchor = unquote(link).partition("#")
    target = built.path.parent / name if name else built.path
    if name and not LESSON.fullmatch(name):
        return "a learner's workspace has only the lessons; link to one of them, or into the web."
    if name and not target.is_file():
        return "there is no such lesson."
    if not anchor:
        return None
    there = Built(nbformat.read(target, as_version=4), target) if name else built  # type: ignore[no-untyped-call]
    return None if anchor in _anchors(there) else "there is no such heading."


def _anchors(built: Built) -> set[str]:
    # JupyterLab makes a heading's anchor from its text, with hyphens for spaces.
    headings = [found for _, cell in text_cells(built) for found in HEADING.findall(cell.source)]
    return {re.sub(r"[`*]", "", heading).replace(" ", "-") for heading in headings}
