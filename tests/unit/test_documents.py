"""The documents: their links lead somewhere, their pictures are used, and the table of lessons is the truth."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SVG = "{http://www.w3.org/2000/svg}"


def tokens(path: Path) -> Iterator[Token]:
    """Everything in a document, the insides of paragraphs and tables as well."""
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(path.read_text(encoding="utf-8")):
        yield token
        yield from token.children or []


def targets(path: Path) -> Iterator[str]:
    """What a document links to and which pictures it shows; not the web."""
    for token in tokens(path):
        target = str(token.attrGet("href") or token.attrGet("src") or "")
        if target and not urlsplit(target).scheme:
            yield target


def anchors(path: Path) -> set[str]:
    """The anchors that a Git host gives to a document's headings."""
    everything = list(tokens(path))
    titles = [text.content for opening, text in pairwise(everything) if opening.type == "heading_open"]
    shown = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in shown}


def broken(path: Path) -> list[str]:
    """Return the targets of a document that are not there."""
    return [target for target in targets(path) if not is_there(path, *urlsplit(target)[2:5:2])]


def is_there(document: Path, name: str, anchor: str) -> bool:
    file = (document.parent / unquote(name)).resolve() if name else document
    if not file.exists():
        return False
    return not anchor or (file.suffix == ".md" and anchor in anchors(file))


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_every_link_leads_somewhere(path: Path) -> None:
    assert broken(path) == []


def test_these_are_all_documents() -> None:
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"} <= names


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# A `title`, and more\n")
    document = tmp_path / "document.md"
    document.write_text(
        "# Here\n[a](other.md) [b](#here) [c](other.md#a-title-and-more) [d](https://example.org/x) `[e](no.md)`\n"
        "![f](no.png) [g](other.md#no)\n\n| [h](no.ipynb) |\n|---|\n| [i](#no) |\n"
    )
    assert broken(document) == ["no.png", "other.md#no", "no.ipynb", "#no"]


def test_every_picture_is_used_and_described() -> None:
    images = [(path, token) for path in DOCUMENTS for token in tokens(path) if token.type == "image"]
    assert [str(token.attrGet("src")) for _, token in images if not token.content.strip()] == []
    used = {(path.parent / str(token.attrGet("src"))).resolve() for path, token in images}
    there = set((ROOT / "docs" / "images").iterdir())
    assert sorted(path.name for path in there - used) == []


def lessons_in_readme() -> list[tuple[str, str, str]]:
    """(file, title, minutes) of each row."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\(notebooks/(.+?)\) \| (\d+) min \|", text, re.MULTILINE)
    return [(file, title, minutes) for title, file, minutes in rows]


def first_words(path: Path) -> tuple[str, str]:
    """The title of a lesson, up to the colon, and its minutes."""
    text = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = re.match(r"# ([^:\n]+)", text)
    minutes = re.search(r"\*\*(\d+) minutes\.\*\*", text)
    assert title, f"{path.name} begins with its title"
    assert minutes, f"{path.name} says how long it takes"
    return title.group(1), minutes.group(1)


def test_the_table_of_lessons_is_that_of_the_lessons() -> None:
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(lessons) > 0
    assert lessons_in_readme() == [(path.name, *first_words(path)) for path in lessons]


def test_the_drawing_has_the_floors_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [re.sub(r"[()]", "", layer) for layer in contracts["contracts"][0]["layers"]]
    drawing = ET.parse(ROOT / "docs" / "images" / "architecture.svg")
    floors = drawing.find(f".//{SVG}g[@id='floors']")
    assert floors is not None
    names = [text.text for text in floors.iter(f"{SVG}text") if "soft" not in text.get("class", "")]
    assert names == layers
