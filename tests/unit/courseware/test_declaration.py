from __future__ import annotations

from typing import Any

import pytest

from kafkalab.courseware.declaration import Exercise, NotDoneYet, exercise, expect
from kafkalab.errors import BorrowedCluster, InvalidArgument, KafkalabError

HINTS = ("Look at the cluster.", "Call create_topic.")


def declared(**changes: Any) -> Exercise:
    good: dict[str, Any] = {"name": "00.topic", "task": "Make one.", "hints": HINTS, "check": lambda: "seen."}
    return Exercise(**(good | changes))


@pytest.mark.parametrize("name", ["", "topic", "0.topic", "00.", "00.First", "00.two words", "00.topic-", "000.a"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="malformed"):
        declared(name=name)


def test_an_empty_task_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no task"):
        declared(task=" ")


@pytest.mark.parametrize(
    "hints",
    [
        (),
        ("one",),
        ("one", ""),
        ("one", " one "),
        ("one", "two", "three"),
        "ab",
        ["one", "two"],
        ("one", None),
    ],
)
def test_anything_but_two_different_hints_is_refused(hints: object) -> None:
    with pytest.raises(InvalidArgument, match="two different hints"):
        declared(hints=hints)


def test_the_decorator_makes_an_exercise_of_the_check() -> None:
    @exercise("07.voters", task="Count the voters.", hints=HINTS)
    def voters(count: int) -> str:
        return f"{count} voters."

    assert (voters.name, voters.lesson, voters.judge(3)) == ("07.voters", "07", "3 voters.")


@pytest.mark.parametrize("borrowed", [True, False])
def test_what_a_borrowed_cluster_cannot_give_is_said_before_an_answer_is_asked_for(borrowed: bool) -> None:
    class Somebodys:
        is_borrowed = borrowed

    broken = declared(check=lambda cluster, answer: "seen.", own_brokers=True)
    with pytest.raises(BorrowedCluster if borrowed else NotDoneYet, match=r"00\.topic needs brokers|still"):
        broken.judge(Somebodys(), answer=...)


def test_a_placeholder_is_not_done_yet_and_the_check_is_not_called() -> None:
    with pytest.raises(NotDoneYet, match=r"`topic` is still `\.\.\.`"):
        declared(check=lambda topic: 1 / 0).judge(topic=...)


@pytest.mark.parametrize(
    ("observed", "answers", "said"),
    [
        ((), {}, "missing a required argument: 'cluster'"),
        (("a cluster",), {}, "missing a required( keyword-only)? argument: 'topic'"),
        (("a cluster", "a topic"), {}, "too many positional arguments"),
        (("a cluster",), {"topic": "t", "topics": 3}, "got an unexpected keyword argument 'topics'"),
    ],
)
def test_a_call_with_other_arguments_is_told_how_it_should_be(
    observed: tuple[object, ...], answers: dict[str, object], said: str
) -> None:
    def check(cluster: object, *, topic: str) -> str:
        return f"{cluster} has {topic}"

    how = r': call check\("00\.topic", cluster, topic=topic\), as the lesson does\.'
    with pytest.raises(InvalidArgument, match=said + how):
        declared(check=check).judge(*observed, **answers)


def test_the_error_of_a_learner_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        declared(check=lambda: 1 / 0).judge()


@pytest.mark.parametrize("seen", [None, "", "  ", True])
def test_a_check_that_does_not_say_what_it_saw_is_refused(seen: object) -> None:
    with pytest.raises(InvalidArgument, match="what it saw"):
        declared(check=lambda: seen).judge()


def test_expect_raises_with_the_reason_only_where_the_condition_is_false() -> None:
    expect([1], "never said")
    with pytest.raises(NotDoneYet, match="two are wanted"):
        expect([], "two are wanted")


def test_a_notebook_shows_the_message_in_place_of_a_traceback() -> None:
    error = NotDoneYet("one line\nanother")
    assert error._render_traceback_() == ["one line", "another"]
    assert isinstance(error, KafkalabError)
