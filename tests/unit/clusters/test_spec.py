"""ClusterSpec: which processes, and which values are refused."""

from __future__ import annotations

import pytest

from kafkalab.clusters.spec import ClusterSpec, check_topic_name
from kafkalab.errors import InvalidArgument


def _roles(spec: ClusterSpec) -> list[tuple[int, str]]:
    return [(node.id, "+".join(node.roles)) for node in spec.nodes]


@pytest.mark.parametrize(
    ("brokers", "voters"),
    [(1, [1]), (2, [1]), (3, [1, 2, 3]), (5, [1, 2, 3])],
)
def test_combined_nodes_have_three_voters_from_three_brokers_on(brokers: int, voters: list[int]) -> None:
    spec = ClusterSpec(brokers)
    assert [node.id for node in spec.nodes if node.is_voter] == voters
    assert [node.id for node in spec.nodes if node.is_broker] == list(range(1, brokers + 1))


def test_own_controllers_are_processes_of_their_own() -> None:
    assert _roles(ClusterSpec(2, 1)) == [(1, "broker"), (2, "broker"), (101, "controller")]
    assert [node.id for node in ClusterSpec(1, 3).nodes if node.is_voter] == [101, 102, 103]


@pytest.mark.parametrize("brokers", [0, -1, 2.5, "three", None, True, 101])
def test_impossible_numbers_of_brokers_are_refused(brokers: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^brokers=.* is not possible: give a whole number from 1 to 100\.$"):
        ClusterSpec(brokers)  # type: ignore[arg-type]


@pytest.mark.parametrize("controllers", [2, -1, 5, "1", 1.5])
def test_impossible_numbers_of_controllers_are_refused(controllers: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^controllers=.*: give 0 \(combined nodes\), 1 or 3\.$"):
        ClusterSpec(3, controllers)  # type: ignore[arg-type]


@pytest.mark.parametrize("port", [0, 80, 65535, "9092"])
def test_ports_that_the_brokers_cannot_have_are_refused(port: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^port=.*: give a whole number from 1024 to 65533\.$"):
        ClusterSpec(3, port=port)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["orders", "a.b_c-D9", "x" * 249])
def test_legal_topic_names_pass(name: str) -> None:
    assert check_topic_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "with space", "x" * 250, "ümlaut", "a/b", 7, None, "end\n"])
def test_illegal_topic_names_are_refused(name: object) -> None:
    with pytest.raises(InvalidArgument, match="is not a legal topic name: use 1 to 249 letters"):
        check_topic_name(name)
