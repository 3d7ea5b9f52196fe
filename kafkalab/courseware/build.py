"""Build lessons: ``python -m kafkalab.courseware.build [LESSON ...] [--check] [--no-execute]``.

For each ``source/NN_topic.py`` two notebooks are written: ``NN_topic.ipynb``, in which the exercises are
open, and ``solutions/NN_topic.ipynb``, in which they are solved. Each is executed in a fresh kernel, and they
are written only when both went well, so that one never lies beside an older other; else the old files stay and
the failing cell is shown. Afterwards the house rules (``kafkalab.courseware.rules``) are held against both.

- ``LESSON``: ``00`` or ``00_start_here``; without any, all of them.
- ``--check`` builds nothing and says which notebooks are out of step with their sources, or break a rule.
- ``--no-execute`` writes the notebooks without outputs: quick, for looking at the text; not to be committed.
- ``--folder DIR`` works on another folder of the same layout: ``DIR/source/*.py``.

The exit status is 0 when all is well, 1 when a lesson failed, is out of step or breaks a rule, 2 for bad
usage.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import nbformat
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kafkalab.courseware.catalogue import declared_exercises
from kafkalab.courseware.execute import ExecutionFailed, execute
from kafkalab.courseware.files import checkout, write_atomically
from kafkalab.courseware.notebook import NotebookNode, as_text, assemble
from kafkalab.courseware.rules import broken_rules
from kafkalab.courseware.rules.steps import out_of_step
from kafkalab.courseware.source import Kind, Source, read_source
from kafkalab.errors import InvalidArgument, KafkalabError

__all__ = ["Target", "build_lesson", "find_sources", "main", "problems_of", "target_path", "targets"]


@dataclass(frozen=True)
class Target:
    """One notebook to build: a source, which of its two notebooks, and the file."""

    source: Source
    kind: Kind
    path: Path

    @property
    def label(self) -> str:
        """How messages name it: ``00_start_here (lesson)``."""
        return f"{self.source.name} ({self.kind.value})"


def target_path(folder: Path, lesson: str, kind: Kind) -> Path:
    """Return the file of a lesson's notebook of this kind."""
    return (folder if kind is Kind.LESSON else folder / "solutions") / f"{lesson}.ipynb"


def find_sources(folder: Path, wanted: Iterable[str] = ()) -> list[Path]:
    """Return the sources in ``folder/source``, or those of the lessons wanted (``00`` or ``00_start_here``).

    Raises:
        InvalidArgument: there is no such lesson, or no source at all.
    """
    found = sorted((folder / "source").glob("*.py"))
    names = [name.removesuffix(".py") for name in wanted]
    for name in names:
        if found and not any(name in (path.stem, path.stem[:2]) for path in found):
            have = ", ".join(path.stem for path in found) or "none"
            raise InvalidArgument(f"there is no lesson {name!r} in {folder / 'source'}; there are: {have}.")
    if not found:
        raise InvalidArgument(f"no lesson sources in {folder / 'source'}: name the right folder with --folder.")
    return [path for path in found if not names or path.stem in names or path.stem[:2] in names]


def targets(folder: Path, sources: Iterable[Source]) -> list[Target]:
    """Return lesson and solution of each source, in this order."""
    return [Target(source, kind, target_path(folder, source.name, kind)) for source in sources for kind in Kind]


def build_lesson(
    pair: Sequence[Target],
    *,
    run: bool = True,
    on_cell: Callable[[Target, int], None] = lambda _target, _number: None,
) -> None:
    """Build the notebooks of one lesson and write them; with ``run`` their cells are executed first.

    Args:
        pair: lesson and solution.
        run: execute them; without, they have no outputs.
        on_cell: called before each code cell with its notebook and its number.

    Raises:
        ExecutionFailed: a cell of either failed; the files of both are as they were.
    """
    notebooks = [assemble(target.source, target.kind) for target in pair]
    for target, notebook in zip(pair, notebooks, strict=True):
        target.path.parent.mkdir(parents=True, exist_ok=True)
        if run:
            _execute(target, notebook, pair, on_cell)
    for target, notebook in zip(pair, notebooks, strict=True):
        write_atomically(target.path, as_text(notebook))


def _execute(
    target: Target, notebook: NotebookNode, pair: Sequence[Target], on_cell: Callable[[Target, int], None]
) -> None:
    try:
        execute(notebook, target.path.parent, on_cell=lambda number, _of: on_cell(target, number))
    except ExecutionFailed as error:
        files = " and ".join(str(_from_here(each.path)) for each in pair)
        raise ExecutionFailed(f"{target.label}: {error}\nNothing was written: {files} are as they were.") from error


def _from_here(path: Path) -> Path:
    # As one would type it.
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def problems_of(target: Target) -> list[str]:
    """Return what is wrong with a built notebook: out of step with its source, or a broken house rule."""
    if not target.path.exists():
        return ["missing: build it."]
    notebook = nbformat.read(target.path, as_version=4)  # type: ignore[no-untyped-call]
    return out_of_step(notebook, target.source, target.kind) + broken_rules(notebook, target.path)


def _read_all(paths: Iterable[Path], complain: Callable[[str], None]) -> list[Source]:
    sources = []
    for path in paths:
        try:
            sources.append(read_source(path, declared_exercises(lesson=path.name[:2])))
        except KafkalabError as error:
            complain(str(error))
    return sources


def _build_all(work: list[Target], run: bool, console: Console, complain: Callable[[str], None]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        for _, group in itertools.groupby(work, key=lambda target: target.source.name):
            pair = list(group)
            tasks = {target.path: bar.add_task(target.label, total=len(target.source.cells)) for target in pair}
            try:
                build_lesson(pair, run=run, on_cell=partial(_advance, bar, tasks))
            except ExecutionFailed as error:
                complain(str(error))
                continue
            for target in pair:
                bar.update(tasks[target.path], completed=len(target.source.cells))
                console.print(f"{target.label}: written", highlight=False)


def _advance(bar: Progress, tasks: Mapping[Path, TaskID], target: Target, number: int) -> None:
    bar.update(tasks[target.path], completed=number - 1)


def _orphans(folder: Path, sources: Iterable[Path]) -> list[str]:
    names = {path.stem for path in sources}
    built = [*folder.glob("*.ipynb"), *(folder / "solutions").glob("*.ipynb")]
    return [f"{path}: has no source; remove it." for path in sorted(built) if path.stem not in names]


def _folder(given: Path | None) -> Path:
    root = checkout()
    if given is None and root is None:
        raise InvalidArgument("lessons are built in a checkout: go there, or name a folder with --folder.")
    return given or Path(str(root)) / "notebooks"


@click.command(name="python -m kafkalab.courseware.build")
@click.argument("lessons", nargs=-1, metavar="[LESSON]...")
@click.option("--check", "only_check", is_flag=True, help="Build nothing; say what is out of step or breaks a rule.")
@click.option("--no-execute", is_flag=True, help="Write the notebooks without outputs.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Folder that holds source/.")
def main(lessons: tuple[str, ...], only_check: bool, no_execute: bool, folder: Path | None) -> None:
    """Build the lessons named (00 or 00_start_here), or all, from notebooks/source."""
    console, found = Console(), []

    def complain(problem: str) -> None:
        found.append(problem)
        console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)

    try:
        place = _folder(folder)
        paths = find_sources(place, lessons)
        work = targets(place, _read_all(paths, complain))
    except KafkalabError as error:
        raise click.UsageError(str(error)) from error
    if not only_check:
        _build_all(work, not no_execute, console, complain)
    if only_check or not (no_execute or found):
        for problem in _all_problems(work, [] if lessons else _orphans(place, paths)):
            complain(problem)
    sys.exit(1 if found else 0)


def _all_problems(work: Iterable[Target], orphans: list[str]) -> list[str]:
    return orphans + [f"{target.label}: {problem}" for target in work for problem in problems_of(target)]


if __name__ == "__main__":
    main()
