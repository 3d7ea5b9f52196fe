"""What a newcomer sees: `kafkalab lab`, lesson 00 run to the end in a browser, an exercise solved, a clean end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page, expect

from kafkalab.courseware.store import FileStore
from kafkalab.waiting import wait_until
from tests.browser.jupyter import END_SECONDS, LESSON_MS, Lab, Lesson, Shown
from tests.processes import is_broker

pytestmark = [pytest.mark.browser, pytest.mark.integration]

STREAM = "application/vnd.jupyter.stdout"
ERRORS = {"application/vnd.jupyter.stderr", "application/vnd.jupyter.error"}
SOLUTION = 'my_topic = cluster.create_topic("written-in-a-browser", partitions=3, replication_factor=3)'


@dataclass(frozen=True)
class Opened:
    """The page as it opens, before anything was touched."""

    numbers: set[str]
    outputs: int
    unsaved: bool


@dataclass(frozen=True)
class Seen:
    """The page after Run All."""

    notifications: list[str]

    numbers: list[str]
    outputs: list[list[Shown]]
    pictures: list[dict[str, Any]]


@pytest.fixture(scope="module")
def lesson(lab: Lab, page: Page, committed: list[Any]) -> Lesson:
    return Lesson.open(page, lab.url(), code_cells=len(committed))


@pytest.fixture(scope="module")
def opened(lesson: Lesson) -> Opened:
    return Opened(set(lesson.numbers()), sum(map(len, lesson.outputs())), lesson.unsaved())


@pytest.fixture(scope="module")
def seen(lesson: Lesson, opened: Opened) -> Seen:
    lesson.run_all()
    return Seen(lesson.notifications(), lesson.numbers(), lesson.outputs(), lesson.pictures())


@pytest.fixture(scope="module")
def solved(lesson: Lesson, seen: Seen) -> str:
    """What stands below the check of the first exercise, after a learner has solved it."""
    lesson.write(lesson.cell("my_topic = ..."), SOLUTION)
    check = lesson.cell('check("00.first-topic"')
    lesson.run_up_to(check)
    output = check.locator(".jp-OutputArea-output")
    expect(output).to_contain_text("Done: ", timeout=LESSON_MS)
    return output.text_content() or ""


@dataclass(frozen=True)
class Ended:
    """What ran just before the lab was ended, and all that may tell of it afterwards."""

    brokers: int
    family: list[psutil.Process]
    lab: Lab


@pytest.fixture(scope="module")
def ended(lab: Lab, solved: str) -> Ended:
    """The lab, ended while the learner's cluster was running."""
    family = lab.family()
    brokers = sum(map(is_broker, family))
    lab.end()
    return Ended(brokers, family, lab)


def test_the_lesson_opens_as_nobody_has_run_it(opened: Opened) -> None:
    assert opened == Opened(numbers={"[ ]:"}, outputs=0, unsaved=False)


def test_nothing_covers_the_lesson(seen: Seen) -> None:
    assert seen.notifications == []


def test_run_all_goes_on_to_the_last_cell(seen: Seen) -> None:
    assert seen.numbers == [f"[{number}]:" for number in range(1, len(seen.numbers) + 1)]


def test_the_outputs_are_those_of_the_committed_lesson(lesson: Lesson, seen: Seen, committed: list[Any]) -> None:
    compared = 0
    for cell, shown in zip(committed, seen.outputs, strict=True):
        if "nbval-ignore-output" not in cell.metadata.get("tags", []):
            expected = [text_of(output, lesson) for output in cell.outputs]
            assert [words(output.text) for output in shown] == expected, cell.source
            compared += len(expected)
    assert compared > 15


def text_of(output: Any, lesson: Lesson) -> list[str]:
    """Return the words that a committed output has on the page."""
    if output.output_type == "stream":
        return words(output.text)
    if output.output_type == "error":
        return words("\n".join(output.traceback))
    if "image/png" in output.data:
        return []
    html = output.data.get("text/html")
    return words(lesson.text_of_html(html) if html else output.data["text/plain"])


def words(text: str) -> list[str]:
    return text.split()


def test_an_exercise_that_waits_for_its_learner_says_so_in_words(seen: Seen, committed: list[Any]) -> None:
    checks = [index for index, cell in enumerate(committed) if "check" in cell.metadata.get("kafkalab", {})]
    assert len(checks) >= 2
    for index in checks:
        text = "".join(output.text for output in seen.outputs[index])
        assert re.fullmatch(r'Not done yet: .+\nTask: .+\nStuck\? Call hint\("00\.[a-z-]+"\)\.\n?', text)


def test_nothing_else_on_the_page_is_an_error(seen: Seen) -> None:
    errors = [output.text for cell in seen.outputs for output in cell if output.kind in ERRORS]
    assert [text for text in errors if not text.startswith("Not done yet: ")] == []
    assert not any("Traceback" in output.text for cell in seen.outputs for output in cell)


def test_the_figures_are_there_to_see(seen: Seen, committed: list[Any]) -> None:
    outputs = [output for cell in committed for output in cell.outputs]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) > 0
    assert [box["width"] > 400 and box["height"] > 150 for box in seen.pictures] == [True] * len(figures)


def test_a_solved_exercise_is_done(solved: str) -> None:
    assert solved.strip() == "Done: topic written-in-a-browser has 3 partitions, each kept by 3 brokers."


def test_progress_is_kept_beside_the_learners_copies(lab: Lab, solved: str) -> None:
    assert FileStore(lab.lessons / ".kafkalab-progress.json").done() == {"00.first-topic"}


def test_the_end_of_the_lab_leaves_nothing(ended: Ended) -> None:
    assert ended.brokers == 3
    wait_until(
        lambda: [process for process in ended.family if process.is_running()] + left_in(ended.lab),
        lambda left: not left,
        what="the end of all processes and folders",
        timeout=END_SECONDS,
    )


def left_in(lab: Lab) -> list[Any]:
    """Return the clusters' folders, and the processes that name a file of the lab's temporary folder."""
    folders: list[Any] = list(lab.temporary.glob("kafkalab-*"))
    return folders + [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(lab.temporary) in " ".join(process.info["cmdline"] or [])
    ]
