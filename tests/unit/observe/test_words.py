from __future__ import annotations

from dataclasses import replace

from kafkalab.observe.looking import GroupSeen, NodeSeen, PartitionSeen, Seen
from kafkalab.observe.words import in_words, title

RUNNING = NodeSeen(1, "broker", "running", "running")
STOPPED = NodeSeen(2, "broker", "stopped", "stopped")
SEEN = Seen(
    nodes=(RUNNING, STOPPED, NodeSeen(101, "controller", "running", "running")),
    partitions=(PartitionSeen("orders", 0, 1, (1, 2), (1,), 1234), PartitionSeen("orders", 1, -1, (2, 1), (), -1)),
    groups=(
        GroupSeen("readers", "Stable", 2, (("orders", 0, 30), ("orders", 1, 4))),
        GroupSeen("new", "Empty", -1, ()),
    ),
)


def test_all_that_was_seen_is_in_the_words() -> None:
    assert in_words(SEEN).splitlines() == [
        "Kafka cluster, 2 brokers, 1 running",
        "  broker 1        running",
        "  broker 2        stopped",
        "  controller 101  running",
        "  partition  leader  replicas  isr  log end",
        "  orders-0   1       1,2       1    1234",
        "  orders-1   none    2,1            ?",
        "  group    state   members  lag",
        "  readers  Stable  2        34",
        "  new      Empty   ?        0",
    ]


def test_what_depends_on_the_moment_is_not_in_the_words() -> None:
    noted = replace(SEEN, nodes=(RUNNING, replace(STOPPED, note="not noticed yet"), *SEEN.nodes[2:]))
    assert in_words(noted) == in_words(SEEN)


def test_what_was_left_out_is_counted() -> None:
    assert "and 1 more partition\n" in in_words(replace(SEEN, hidden_partitions=1))
    assert in_words(replace(SEEN, hidden_groups=3)).endswith("and 3 more groups")


def test_the_title_counts_brokers() -> None:
    assert title(Seen((RUNNING,))) == "Kafka cluster, 1 broker"
    assert title(Seen((RUNNING, replace(RUNNING, id=2)))) == "Kafka cluster, 2 brokers"
