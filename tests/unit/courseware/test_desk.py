from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.courseware import desk as desk_module
from kafkalab.courseware.catalogue import Catalogue
from kafkalab.courseware.declaration import Exercise, NotDoneYet, expect
from kafkalab.courseware.desk import Desk, check, hint, progress, solution
from kafkalab.courseware.store import FileStore, MemoryStore
from kafkalab.errors import EnvironmentProblem, InvalidArgument


def judge(topics: dict[str, int], *, topic: str) -> str:
    count = topics.get(topic, 0)
    expect(count == 3, f"topic {topic} has {count} partitions.")
    return f"topic {topic} has {count} partitions."


HINTS = ("Look at create_topic.", "Pass partitions=3.")
TOPIC = Exercise("98.topic", "Make a topic of three partitions.", HINTS, judge)
OTHER = Exercise("98.other", "Say yes.", HINTS, lambda: "yes.")


@pytest.fixture
def desk() -> Desk:
    return Desk(Catalogue([TOPIC, OTHER]), MemoryStore())


def test_a_solved_exercise_says_what_was_seen(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.check("98.topic", {"greetings": 3}, topic="greetings")
    assert capsys.readouterr().out == "Done: topic greetings has 3 partitions.\n"


def test_the_last_exercise_of_a_lesson_says_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.check("98.topic", {"greetings": 3}, topic="greetings")
    desk.check("98.other")
    assert capsys.readouterr().out.endswith("Done: yes.\nAll exercises of lesson 98 are done (2 of 2).\n")


def test_that_a_lesson_is_done_is_said_once(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        desk.check("98.other")
        desk.check("98.topic", {"greetings": 3}, topic="greetings")
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("All exercises of lesson 98 are done (2 of 2).") == 2
    assert lines[3:] == ["Done: yes.", "Done: topic greetings has 3 partitions."]
    assert desk.progress("98").summary == "All exercises are done (2 of 2)."


def test_that_a_lesson_is_done_is_not_said_again_in_the_next_sitting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        Desk(Catalogue([OTHER]), FileStore(tmp_path / "progress.json")).check("98.other")
    assert capsys.readouterr().out.count("All exercises of lesson 98") == 1


def test_an_open_exercise_says_what_was_seen_the_task_and_where_help_is(desk: Desk) -> None:
    with pytest.raises(NotDoneYet) as caught:
        desk.check("98.topic", {"greetings": 1}, topic="greetings")
    assert str(caught.value).splitlines() == [
        "Not done yet: topic greetings has 1 partitions.",
        "Task: Make a topic of three partitions.",
        'Stuck? Call hint("98.topic").',
    ]
    assert desk.progress().done == 0


def test_an_unknown_exercise_is_refused_everywhere(desk: Desk) -> None:
    for ask in (desk.check, desk.hint, desk.solution):
        with pytest.raises(InvalidArgument, match=r"did you mean 98\.topic"):
            ask("98.topics")


def test_hints_grow_stronger_and_stay_at_the_strongest(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        desk.hint("98.topic")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0::2] == [f"Hint: {HINTS[0]}", f"Hint: {HINTS[1]}", f"Hint: {HINTS[1]}"]
    assert "stronger" in lines[1]
    assert 'solution("98.topic")' in lines[3] == lines[5]


def test_hints_of_one_exercise_do_not_use_up_those_of_another(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.hint("98.topic")
    desk.hint("98.other")
    assert capsys.readouterr().out.count(HINTS[0]) == 2


def test_progress_lists_all_and_says_when_all_are_done(desk: Desk) -> None:
    assert "0 of 2 exercises done." in repr(desk.progress())
    desk.check("98.other")
    assert repr(desk.progress("98")).splitlines() == [
        "[ ] 98.topic  Make a topic of three partitions.",
        "[x] 98.other  Say yes.",
        "1 of 2 exercises done.",
    ]
    desk.check("98.topic", {"t": 3}, topic="t")
    assert desk.progress().summary == "All exercises are done (2 of 2)."


def test_an_exercise_that_is_left_out_is_not_open_but_may_be_done(tmp_path: Path) -> None:
    desk = Desk(Catalogue([TOPIC, OTHER]), FileStore(tmp_path / "progress.json"), {TOPIC.name, OTHER.name})
    desk.check("98.other")
    assert [state for _, _, state in desk.progress().rows] == ["left out", "done"]


def test_progress_of_a_lesson_without_exercises_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidArgument, match="in lesson '97'"):
        desk.progress("97")


def test_progress_is_kept_between_sittings(tmp_path: Path) -> None:
    catalogue = Catalogue([TOPIC, OTHER])
    Desk(catalogue, FileStore(tmp_path / "progress.json")).check("98.other")
    assert Desk(catalogue, FileStore(tmp_path / "progress.json")).progress().done == 1


def test_a_solved_exercise_counts_even_where_progress_cannot_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    Desk(Catalogue([TOPIC, OTHER]), FileStore(tmp_path / "file" / "progress.json")).check("98.other")
    first, second = capsys.readouterr().out.splitlines()
    assert first == "Done: yes."
    assert second.startswith("Your progress could not be kept: ")


def test_the_public_functions_share_one_desk_per_lesson(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", ":memory:")
    for remembered in (desk_module._desk, desk_module._store):
        remembered.cache_clear()
    try:
        hint("98.pair")
        hint("98.pair")
        check("98.pair", {}, answer=[1, 2])
        assert "Hint: Write [1, 2]." in capsys.readouterr().out
        assert (progress("98").done, progress().done) == (1, 1)
        with pytest.raises(InvalidArgument, match=r"did you mean 98\.pair"):
            check("89.pair", {}, answer=[1, 2])
        with pytest.raises(EnvironmentProblem, match=r"solution of 98\.pair"):
            solution("98.pair")
    finally:
        for remembered in (desk_module._desk, desk_module._store):
            remembered.cache_clear()
