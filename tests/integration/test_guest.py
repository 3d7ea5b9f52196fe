"""A borrowed cluster that is shared: names with a prefix, TLS and a password, and rights to that prefix only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import TopicAuthorizationFailedError

from kafkalab import Cluster, faults, traffic
from kafkalab.clusters import lodging
from kafkalab.clusters.lodging import LeftBehind, NotApplied
from kafkalab.clusters.ports import PortReservation
from kafkalab.courseware.exercises.reading import setting_of
from kafkalab.errors import (
    AccessRefused,
    BorrowedCluster,
    ClusterUnreachable,
    InvalidArgument,
    ToolRefused,
)
from kafkalab.simulation import Crypto
from kafkalab.waiting import wait_until
from tests.borrowed import PASSWORD, PREFIX, USER, lent, way_in
from tests.integration.conftest import wait_until_gone

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def owner() -> Iterator[Cluster]:
    with lent() as cluster:
        cluster.create_topic("somebody-elses")
        yield cluster


@pytest.fixture
def ca_file(owner: Cluster) -> str:
    return str(owner.client_config()["ssl_cafile"])


def guest_of(owner: Cluster, prefix: str = PREFIX) -> Cluster:
    """Borrow the cluster as ``anna``."""
    access = {"username": USER, "password": PASSWORD, "ca_file": str(owner.client_config()["ssl_cafile"])}
    return Cluster.connect(owner.bootstrap_servers, prefix=prefix, **access)  # type: ignore[arg-type]


@pytest.fixture
def anna(owner: Cluster) -> Iterator[Cluster]:
    with guest_of(owner) as cluster:
        yield cluster


def test_with_rights_to_a_prefix_one_works_as_on_a_cluster_of_ones_own(owner: Cluster, anna: Cluster) -> None:
    topic = anna.create_topic("orders", partitions=3)
    assert topic == "anna-orders"
    with KafkaProducer(**anna.client_config()) as producer:
        producer.send(topic, b"one", partition=2).get(timeout=20)
    group = anna.name("readers")
    with KafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", **anna.client_config()) as reader:
        assert next(reader).value == b"one"
        reader.commit()
        assert set(anna.members(group)["topic"]) == {"orders"}
    assert anna.topics()["topic"].tolist() == ["orders"]
    assert anna.partitions(topic)["topic"].tolist() == ["orders"] * 3
    assert anna.partitions()["isr"].tolist() == [(1, 2, 3)] * 3
    assert anna.groups()["group"].tolist() == anna.groups(group)["group"].tolist() == ["readers"]
    assert anna.groups(anna.name("nobody")).empty
    assert anna.messages(topic)["value"].tolist() == anna.messages("orders")["value"].tolist() == [b"one"]
    assert anna.wait_for_isr("orders", 3).equals(anna.partitions("orders"))
    assert anna.lag("readers").equals(anna.lag(group))
    assert anna.lag(group)["lag"].sum() == 0
    assert anna.kafka_tool("kafka-topics", "--list").split() == [topic]
    assert {"anna-orders", "somebody-elses"} <= set(owner.topics()["topic"])


def test_a_transaction_is_ones_own_as_well(anna: Cluster) -> None:
    topic = anna.create_topic("payments")
    with KafkaProducer(**anna.client_config(), transactional_id=anna.name("payer")) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"paid").get(timeout=20)
        producer.commit_transaction()
    committed = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    with KafkaConsumer(topic, **committed, **anna.client_config()) as reader:
        assert next(reader).value == b"paid"


def test_what_belongs_to_others_is_neither_shown_nor_given(anna: Cluster) -> None:
    assert "somebody-elses" not in set(anna.topics()["topic"])
    with pytest.raises(InvalidArgument, match="there is no topic 'anna-somebody-elses'"):
        anna.partitions("somebody-elses")
    with pytest.raises(BorrowedCluster, match="does not let you see topic '__consumer_offsets'"):
        anna.partitions("__consumer_offsets")
    with pytest.raises(ToolRefused, match=r"kafka-leader-election failed .* Not authorized"):
        anna.kafka_tool("kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")
    producer = KafkaProducer(**anna.client_config(), max_block_ms=5000)
    with pytest.raises(TopicAuthorizationFailedError):
        producer.send("somebody-elses", b"x").get(timeout=20)
    producer.close()


@pytest.mark.parametrize("act", ["kill", "start", "pause", "resume"])
def test_nobody_but_their_owner_controls_the_brokers(anna: Cluster, act: str) -> None:
    with pytest.raises(BorrowedCluster, match=r'use a cluster of your own, Cluster\(backend="local"\)'):
        getattr(anna.broker(1), act)()


def test_records_of_long_ago_are_kept_unless_the_topic_says_otherwise(anna: Cluster) -> None:
    kept, short = anna.create_topic("kept"), anna.create_topic("short-lived", config={"retention.ms": 60_000})
    assert [setting_of(anna, topic, "retention.ms") for topic in (kept, short)] == ["-1", "60000"]


def test_a_guest_has_a_folder_that_goes_with_it(anna: Cluster) -> None:
    (anna.folder / "notes").write_text("mine")
    folder = anna.folder
    anna.stop()
    assert not folder.exists()


def test_traffic_is_sent_and_verified(anna: Cluster) -> None:
    run = traffic.run(anna, Crypto(seed=1), records=2000, consumers=[traffic.Group("readers", members=1)])
    verdict = run.ledger.verify(anna)
    assert verdict.clean
    assert (verdict.sent, verdict.stored, verdict.lost) == (2000, 2000, 0)
    # On a busy machine the answer to a first attempt comes too late, and that to the second names no offset.
    assert verdict.acknowledged + verdict.unknown == 2000
    assert verdict.acknowledged > 0


def test_at_the_end_nothing_of_the_guest_is_left(owner: Cluster) -> None:
    guest = guest_of(owner)
    topic = guest.create_topic("short")
    reader = guest.consumer(topic, group_id=guest.name("short-readers"), auto_offset_reset="earliest")
    guest.producer().send(topic, b"x").get(timeout=20)
    assert next(reader).value == b"x"
    reader.commit()
    guest.stop()
    wait_until_gone(owner, topic)  # and the group, whose name begins so
    assert "somebody-elses" in set(owner.topics()["topic"])


GUEST = """
import os, signal
from kafka import KafkaConsumer
from kafkalab import Cluster
cluster = Cluster().start()
topic = cluster.create_topic("sudden")
cluster.producer().send(topic, b"x").get(timeout=20)
reader = cluster.consumer(topic, group_id=cluster.name("sudden-readers"), auto_offset_reset="earliest")
next(reader)
reader.commit()
"""


@pytest.mark.parametrize("ending", ["os.kill(os.getpid(), signal.SIGKILL)", "pass", "1 / 0"])
def test_whatever_ends_a_guest_nothing_of_it_is_left(owner: Cluster, ending: str) -> None:
    ended = [sys.executable, "-c", GUEST + ending]
    subprocess.run(ended, env={**os.environ, **way_in(owner)}, stderr=subprocess.DEVNULL, timeout=60, check=False)
    wait_until_gone(owner, "anna-sudden")


def test_without_the_right_to_a_name_one_is_told_of_the_prefix(owner: Cluster) -> None:
    with (
        guest_of(owner, prefix="ben-") as ben,
        pytest.raises(InvalidArgument, match="does not let you create topic 'ben-orders': give the prefix that your"),
    ):
        ben.create_topic("orders")


def test_a_guest_leaves_what_another_with_its_prefix_has(anna: Cluster, owner: Cluster) -> None:
    topic, group = anna.create_topic("mine"), anna.name("my-readers")
    reader = anna.consumer(topic, group_id=group, auto_offset_reset="earliest")
    anna.producer().send(topic, b"x").get(timeout=20)
    next(reader)
    reader.commit()
    with guest_of(owner) as other:
        other.create_topic("theirs")
    wait_until(
        lambda: list(anna.topics()["topic"]), lambda topics: topics == ["mine"], what="the end of the other's topic"
    )
    assert anna.lag(group)["committed"].tolist() == [1]


@pytest.mark.parametrize("change", [{"password": "guess"}, {"username": "nobody"}, {"ca_file": None}])
def test_who_is_not_let_in_is_told_so(owner: Cluster, ca_file: str, change: dict[str, str]) -> None:
    access = {"username": USER, "password": PASSWORD, "ca_file": ca_file, **change}
    # After the ten seconds in which somebody might answer it would be ClusterUnreachable.
    with pytest.raises(AccessRefused, match=r"does not let this client in: .*Check protocol \(SASL_SSL\), mechanism"):
        Cluster.connect(owner.bootstrap_servers, **access)  # type: ignore[arg-type]


def test_a_plain_client_at_a_listener_with_tls(owner: Cluster) -> None:
    with pytest.raises(ClusterUnreachable, match="does it speak PLAINTEXT"):
        Cluster.connect(owner.bootstrap_servers, timeout=2)


def test_a_ca_file_that_holds_none(owner: Cluster, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InvalidArgument, match="with these settings there can be no client"):
        Cluster.connect(owner.bootstrap_servers, ca_file=tmp_path / "ca.pem")


def test_the_environment_says_which_cluster_to_use(owner: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in way_in(owner).items():
        monkeypatch.setenv(name, value)
    with Cluster(brokers=3) as cluster:
        assert cluster.create_topic("by-environment") == "anna-by-environment"
        assert repr(cluster).startswith("Borrowed Kafka cluster, 3 brokers")
    wait_until_gone(owner, "anna-by-environment")


def test_a_fault_may_be_left_out_where_brokers_are_not_ours(owner: Cluster, anna: Cluster) -> None:
    topic = anna.create_topic("spared")
    fault = faults.kill(faults.leader(topic, 0))
    with pytest.raises(BorrowedCluster, match="cannot break its brokers"):
        fault.fire(anna)
    said = re.escape("this cluster is borrowed, so a fault is left out: kill leader of anna-spared-0.")
    with pytest.warns(NotApplied, match=said) as warned:
        kill = fault.where_possible().fire(anna)
    assert [node.state for node in owner.brokers] == ["running"] * 3
    assert kill.name == "left out: kill leader of anna-spared-0"
    assert kill.watch().leader is None
    kill.undo()
    assert kill.undone_at
    assert [Path(warning.filename) for warning in warned] == [Path(__file__)]
    schedule = faults.Schedule(fault.when(acknowledged=10).where_possible())
    with pytest.warns(NotApplied, match=said):
        run = traffic.run(anna, Crypto(), 100, faults=schedule)
    assert run.ledger.verify(anna).clean
    (firing,) = schedule.frame().to_dict("records")
    assert (firing["fault"], firing["targets"], firing["error"]) == (kill.name, (), None)
    with pytest.raises(InvalidArgument, match="there is no topic 'anna-nowhere'"):
        faults.kill(faults.leader("nowhere", 0)).where_possible().fire(anna)


def test_what_a_borrowed_cluster_was_not_made_with_is_said(owner: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in way_in(owner).items():
        monkeypatch.setenv(name, value)
    said = (
        "this cluster is borrowed and stays as it is, with 3 brokers; not applied: brokers=5, "
        "properties={'num.io.threads': '2'}."
    )
    with (
        pytest.warns(NotApplied, match=re.escape(said)) as warned,
        Cluster(brokers=5, properties={"num.io.threads": 2}) as cluster,
    ):
        assert len(cluster.brokers) == 3
    assert [Path(warning.filename) for warning in warned] == [Path(__file__)]


def test_without_an_address_there_is_nothing_to_borrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKALAB_BOOTSTRAP_SERVERS", raising=False)
    with pytest.raises(InvalidArgument, match="set KAFKALAB_BOOTSTRAP_SERVERS to host:port"):
        Cluster(backend="external").start()


def test_what_could_not_be_deleted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lodging, "_CLEAR_SECONDS", 1.0)
    ports = PortReservation()
    (port,) = ports.take_free(1)
    ports.close()
    with Cluster(1, port=port) as cluster:
        guest = Cluster.connect(cluster.bootstrap_servers, prefix="ben-")
        guest.create_topic("left")
        cluster.broker(1).kill()
        with pytest.warns(LeftBehind, match="could not delete ben-left: delete these topics yourself"):
            guest.stop()
