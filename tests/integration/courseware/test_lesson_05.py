"""The checks of lesson 05, on a real cluster: unsolved, half solved, solved.

The programs are those of the notebooks, so that what the lesson shows is what is tested.
"""

# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from kafka import KafkaConsumer, KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.build import target_path
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises import lesson_05
from kafkalab.courseware.exercises.lesson_05 import charge_once, choose, exact, report
from kafkalab.courseware.files import lessons_folder
from kafkalab.courseware.solutions import solution_text
from kafkalab.courseware.source import Kind

pytestmark = pytest.mark.integration

LESSON = "05_delivery_guarantees"
RIGHT = {"thermometer": "at most once", "search index": "at least once", "invoices": "exactly once"}
NUMBERS = count()


def functions_of(kind: Kind) -> str:
    """Return imports and functions of a notebook's cells."""
    notebook = nbformat.read(target_path(lessons_folder(), LESSON, kind), as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    found = [ast.get_source_segment(cell, node) for cell in cells for node in ast.parse(cell).body
             if isinstance(node, kept)]  # fmt: skip
    return "\n\n".join(str(text) for text in found)


class Learner:
    """Functions of a lesson, changed as a learner might, in a module with a file: their source can be had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, kind: Kind, changes: Mapping[str, str] | None = None) -> ModuleType:
        text = functions_of(kind)
        for old, new in (changes or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        path = self._folder / f"learner_{next(NUMBERS)}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@pytest.fixture
def learner(tmp_path: Path) -> Learner:
    return Learner(tmp_path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


# ---- 05.report ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auto_offset_reset": "earliest"}, "was shown a record of a transaction that was aborted"),
        ({"isolation_level": "read_committed"}, "was not shown a record that was committed before it began to read"),
    ],
)
def test_a_reader_that_is_shown_the_wrong_records(cluster: Cluster, settings: dict[str, Any], said: str) -> None:
    with KafkaConsumer(**cluster.client_config(), **settings) as reader, pytest.raises(NotDoneYet, match=said):
        report.judge(cluster, report=reader)


@pytest.mark.parametrize("answer", [..., None, {"isolation_level": "read_committed"}])
def test_something_else_than_a_reader(cluster: Cluster, answer: object) -> None:
    with pytest.raises(NotDoneYet, match=r"`report` is (still `...`|of type \w+: make a KafkaConsumer)"):
        report.judge(cluster, report=answer)


def test_a_reader_that_was_closed(cluster: Cluster) -> None:
    reader = KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest")
    reader.close()
    with pytest.raises(NotDoneYet, match=r"your consumer could not read a topic: .* Was it closed"):
        report.judge(cluster, report=reader)


def test_a_reader_of_what_was_committed(cluster: Cluster) -> None:
    names = {"cluster": cluster, "KafkaConsumer": KafkaConsumer}
    exec(solution_text("05.report"), names)
    with names["report"] as reader:
        for _ in range(2):  # it may be checked again
            assert report.judge(cluster, report=reader).startswith("your consumer was shown the committed record, and")


# ---- 05.choose ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outputs(cluster: Cluster) -> dict[str, str]:
    """Topics as the three programs leave them: an order missing, one doubled, and markers."""
    left = {"at most once": [0, 2], "at least once": [0, 1, 1, 2], "exactly once": [0, 1, 2]}
    topics = {name: cluster.create_topic(name.replace(" ", "-")) for name in left}
    for name, orders in left.items():
        write(cluster, topics[name], orders, name if name == "exactly once" else None)
    return topics


def write(cluster: Cluster, topic: str, orders: Sequence[int], transactional_id: str | None) -> None:
    with KafkaProducer(**cluster.client_config(), transactional_id=transactional_id) as producer:
        if transactional_id:
            producer.init_transactions()
            producer.begin_transaction()
        for order in orders:
            producer.send(topic, b"order %d" % order).get(timeout=20)
        if transactional_id:
            producer.commit_transaction()


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (dict.fromkeys(RIGHT, ...), "`chosen` has nothing for thermometer, search index, invoices yet"),
        ("exactly once", "`chosen` is of type str: write a dictionary"),
        (RIGHT | {"invoices": "once"}, "invoices: 'once' is none of the names 'at most once', 'at least once', "),
        (RIGHT | {"thermometer": "at least once"}, "thermometer: in at-least-once an order stands twice, and none may"),
        (
            RIGHT | {"thermometer": "exactly once"},
            "thermometer: exactly-once has the markers of 1 transactions, and none",
        ),
        (RIGHT | {"search index": "at most once"}, "search index: in at-most-once an order is missing, and none may"),
        (RIGHT | {"invoices": "at least once"}, "invoices: in at-least-once an order stands twice"),
        (RIGHT | {"invoices": "at most once"}, "invoices: in at-most-once an order is missing"),
    ],
)
def test_a_guarantee_that_does_not_suit(cluster: Cluster, outputs: dict[str, str], chosen: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        choose.judge(cluster, chosen=chosen, outputs=outputs)


def test_guarantees_that_suit(cluster: Cluster, outputs: dict[str, str]) -> None:
    names: dict[str, Any] = {}
    exec(solution_text("05.choose"), names)
    said = choose.judge(cluster, chosen=names["chosen"], outputs=outputs)
    assert said.startswith("thermometer: at most once; search index: at least once; invoices: exactly once")


# ---- 05.exact -------------------------------------------------------------------------------------------------

SENDS_OFFSETS = "        producer.send_offsets_to_transaction(offsets, consumer.group_metadata())\n"


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (Kind.LESSON, {}, "has its invoice or its parcel twice, after a kill before `producer.send.parcels,"),
        (
            Kind.SOLUTION,
            {SENDS_OFFSETS: "        consumer.commit()\n"},
            "has its invoice or its parcel not at all, after a kill before `producer.commit_transaction",
        ),
        (Kind.LESSON, {"consumer.commit()": "consumer.comit()"}, "AttributeError: .*comit.* at `consumer.comit"),
        (Kind.SOLUTION, {"producer.init_transactions()": "pass"}, "UNINITIALIZED.* Call init_transactions before the"),
        (
            Kind.LESSON,
            {"order.value, headers=order.headers": "order.value"},
            r"no record in invoices-\d+ has the headers",
        ),
    ],
    ids=["at least once", "offsets apart", "misspelt", "not initialised", "no headers"],
)
def test_a_program_that_is_not_exact(
    cluster: Cluster, learner: Learner, kind: Kind, changes: Mapping[str, str], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        exact.judge(cluster, ship=learner(kind, changes).ship)


def test_a_transaction_that_nobody_ends(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = cluster.create_topic("held-up")
    with KafkaProducer(**cluster.client_config(), transactional_id="left-open") as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"order 0").get(timeout=20)
        with monkeypatch.context() as impatient:
            impatient.setattr(lesson_05, "SETTLED_SECONDS", 0.5)
            with pytest.raises(NotDoneYet, match="had begun is still open, and holds up"):
                lesson_05._expect_settled(cluster, topic)
        producer.abort_transaction()
    lesson_05._expect_settled(cluster, topic)


def test_a_program_that_is_exact(cluster: Cluster, learner: Learner) -> None:
    said = exact.judge(cluster, ship=learner(Kind.SOLUTION).ship)
    assert said == "one invoice and one parcel for each order, though it was killed before each of 8 lines."


def no_loop(config: Any, orders: str, invoices: str, parcels: str, group: str) -> None:
    print(orders)


@pytest.mark.parametrize(
    ("answer", "said"), [(no_loop, "`ship` has no loop"), (3, "`ship` cannot be started: 3 is of type int")]
)
def test_what_is_no_program_for_orders(cluster: Cluster, answer: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        exact.judge(cluster, ship=answer)


def test_a_program_that_does_not_end(cluster: Cluster, learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_05, "SECONDS", 2.0)
    endless = learner(Kind.LESSON, {"    while has_more(consumer):\n        order": "    while 1:\n        order"})
    with pytest.raises(NotDoneYet, match="ship did not end within 2 s: see that each of its loops ends"):
        exact.judge(cluster, ship=endless.ship)


# ---- 05.charge-once -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("None", "charged 9 times: an order that was tried again came without a key, or with another one"),
        ("order.value.decode()", "charged 2 times: orders that are alike had the same key"),
        ("order.offset", "charged 4 times: orders that are alike had the same key, in one topic or in two"),
    ],
)
def test_a_key_that_does_not_tell_orders_apart_or_tries_together(
    cluster: Cluster, learner: Learner, key: str, said: str
) -> None:
    program = learner(Kind.LESSON, {"    key = None\n": f"    key = {key}\n"})
    with pytest.raises(NotDoneYet, match=said):
        charge_once.judge(cluster, bill=program.bill)


def test_a_key_that_does(cluster: Cluster, learner: Learner) -> None:
    said = charge_once.judge(cluster, bill=learner(Kind.SOLUTION).bill)
    assert said.startswith("for 8 orders, some of them alike, the bank has charged 8 times, although")
