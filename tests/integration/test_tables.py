"""Tables of replicas, members, files, batches and messages, compared with Kafka's own tools and with what was sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Consumer, Producer
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.errors import InvalidArgument, UnsupportedByBackend, WaitTimeout
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration

MEGABYTE = 1 << 20  # the least size of a segment


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def send(cluster: Cluster, topic: str, count: int, partition: int = 0, **config: Any) -> None:
    producer = KafkaProducer(**cluster.client_config(), **config)
    for number in range(count):
        producer.send(topic, b"%d" % number, partition=partition)
    producer.flush()
    producer.close()


# ---- replicas -------------------------------------------------------------------------------------------------


def test_replicas_tell_how_far_each_has_come(cluster: Cluster) -> None:
    topic = cluster.create_topic("followed", partitions=2)
    send(cluster, topic, 20)
    frame = wait_until(
        lambda: cluster.replicas(topic),
        # A follower learns the high watermark with its next fetch; -1 and -1 are of a broker that did not answer.
        lambda seen: bool(((seen["high_watermark"] == seen["log_end"]) & (seen["log_end"] >= 0)).all()),
        what="the high watermark on every replica",
    )
    assert frame[["partition", "broker", "role", "in_sync", "log_end", "high_watermark"]].to_numpy().tolist() == [
        [0, 1, "leader", True, 20, 20],
        [0, 2, "follower", True, 20, 20],
        [0, 3, "follower", True, 20, 20],
        [1, 1, "follower", True, 0, 0],
        [1, 2, "leader", True, 0, 0],
        [1, 3, "follower", True, 0, 0],
    ]


def test_a_paused_follower_holds_the_high_watermark_back_and_its_disk_tells_its_log_end(cluster: Cluster) -> None:
    topic = cluster.create_topic("held", replication_factor=2)
    send(cluster, topic, 5)
    producer = KafkaProducer(**cluster.client_config(), acks=1, enable_idempotence=False)
    producer.partitions_for(topic)  # while all brokers answer
    cluster.broker(2).pause()
    try:
        for _ in range(3):
            producer.send(topic, b"late").get(timeout=20)
        leader, follower = cluster.replicas(topic).to_dict("records")
        end = int(cluster.batches(topic, broker=2)["last_offset"].max()) + 1
    finally:
        cluster.broker(2).resume()
        producer.close()
        cluster.wait_for_isr(topic, 2)
    assert (leader["broker"], leader["log_end"]) == (1, 8)
    assert (follower["broker"], follower["log_end"], follower["high_watermark"]) == (2, -1, -1)
    assert end == 5, "what was written before the pause, and nothing after"
    assert leader["high_watermark"] in {5, 8}, "8 once the follower has left the ISR"


@pytest.mark.parametrize("name", ["none", "", "no topic's name"])
def test_a_topic_that_is_not_there_is_refused(cluster: Cluster, name: str) -> None:
    for view in (cluster.partitions, cluster.replicas):
        with pytest.raises(InvalidArgument, match=f"there is no topic {name!r}"):
            view(name)


# ---- members --------------------------------------------------------------------------------------------------


@pytest.fixture
def consumer(cluster: Cluster) -> Iterator[Callable[..., Consumer]]:
    # Not kafka-python: with short polls a member of its may miss the answer to its SyncGroup, and never join.
    made: list[Consumer] = []

    def make(topic: str, group: str, **config: Any) -> Consumer:
        settings = {name.replace("_", "."): value for name, value in config.items()}
        made.append(Consumer({**cluster.client_config("confluent-kafka"), "group.id": group, **settings}))
        made[-1].subscribe([topic])
        return made[-1]

    yield make
    for one in made:
        one.close()


def stable(cluster: Cluster, consumers: list[Consumer], group: str, read: list[int]) -> pd.DataFrame:
    """Poll until the group's members read these partitions (-1 for an idle member), and return the table."""

    def look() -> pd.DataFrame:
        for one in consumers:
            one.poll(0.02)
        return cluster.members(group)

    return wait_until(
        look,
        lambda seen: sorted(seen["partition"]) == read,
        what="a stable group",
        timeout=60.0,
        retry_on=(InvalidArgument,),
    )


def test_members_go_by_client_and_instance_id(cluster: Cluster, consumer: Callable[..., Consumer]) -> None:
    topic = cluster.create_topic("shared-out", partitions=2)
    three = [consumer(topic, "trio", client_id="reader") for _ in range(2)]
    three.append(consumer(topic, "trio", client_id="till", group_instance_id="till-1"))
    frame = stable(cluster, three, "trio", [-1, 0, 1])
    assert frame[["member", "client_id", "instance_id"]].drop_duplicates().to_numpy().tolist() == [
        ["reader", "reader", ""],
        ["reader-2", "reader", ""],
        ["till-1", "till", "till-1"],
    ]
    assert sorted(zip(frame["topic"], frame["partition"], strict=True)) == [("", -1), (topic, 0), (topic, 1)]
    # Members of one client id are told apart by what they read, the idle one last.
    assert cluster.members("trio").equals(frame)


def test_a_group_that_cannot_be_described_is_refused(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match=r"there is no group 'nobody': see cluster\.groups"):
        cluster.members("nobody")
    topic = cluster.create_topic("newly-read")
    config = {**cluster.client_config("confluent-kafka"), "group.id": "new", "group.protocol": "consumer"}
    reader = Consumer(config)
    reader.subscribe([topic])
    try:
        wait_until(
            lambda: [reader.poll(0.05), *cluster.groups()["group"]],
            lambda seen: "new" in seen,
            what="a group of the new protocol",
        )
        with pytest.raises(InvalidArgument, match=r"'new' are not shown, for it uses the new group protocol"):
            cluster.members("new")
    finally:
        reader.close()


# ---- files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(cluster: Cluster) -> str:
    """A topic with two segments: plain, compressed, idempotent, transactional batches, a commit and an abort."""
    topic = cluster.create_topic("written", config={"segment.bytes": MEGABYTE})
    send(cluster, topic, 10, enable_idempotence=False)
    send(cluster, topic, 100, compression_type="gzip")
    transactional = KafkaProducer(**cluster.client_config(), transactional_id="t")
    transactional.init_transactions()
    for finish in (transactional.commit_transaction, transactional.abort_transaction):
        transactional.begin_transaction()
        # Written before the end of the transaction: what an abort finds unsent is never sent.
        transactional.send(topic, b"in a transaction", partition=0).get(timeout=20)
        finish()
    transactional.close()
    big = KafkaProducer(**cluster.client_config(), enable_idempotence=False)
    for _ in range(12):
        big.send(topic, b"x" * 100_000).get(timeout=20)
    big.close()
    return topic


def test_batches_are_those_that_kafka_dump_log_shows(cluster: Cluster, written: str) -> None:
    folder = cluster._backend.data_folder(1) / f"{written}-0"
    logs = sorted(folder.glob("*.log"))
    assert len(logs) == 2
    dumped = [
        dict(re.findall(r"(\w+): (\S+)", line))
        for log in logs
        for line in cluster.kafka_tool("kafka-dump-log", "--files", str(log)).splitlines()
        if line.startswith("baseOffset")
    ]
    frame = cluster.batches(written, timestamps=True)
    columns = {
        "position": "position",
        "base_offset": "baseOffset",
        "last_offset": "lastOffset",
        "records": "count",
        "bytes": "size",
        "leader_epoch": "partitionLeaderEpoch",
        "compression": "compresscodec",
        "max_timestamp": "CreateTime",
    }
    for ours, theirs in columns.items():
        assert frame[ours].astype(str).tolist() == [batch[theirs] for batch in dumped], ours
    for ours, theirs in {"transactional": "isTransactional", "control": "isControl"}.items():
        assert frame[ours].tolist() == [batch[theirs] == "true" for batch in dumped], ours
    assert frame["idempotent"].tolist() == [batch["producerId"] != "-1" for batch in dumped]
    assert {"none", "gzip"} == set(frame["compression"])
    assert [int(frame[kind].sum()) for kind in ("transactional", "control")] == [4, 2]


def test_every_broker_has_the_same_batches(cluster: Cluster, written: str) -> None:
    first = cluster.batches(written, broker=1)
    for broker in (2, 3):
        assert cluster.batches(written, 0, broker).equals(first)


def test_segments_are_the_files_on_disk(cluster: Cluster, written: str) -> None:
    frame = cluster.segments(written)
    for broker in (1, 2, 3):
        folder = cluster._backend.data_folder(broker) / f"{written}-0"
        found = frame[frame["broker"] == broker]
        assert dict(zip(found["file"], found["bytes"], strict=True)) == {
            path.name: path.stat().st_size for path in folder.iterdir()
        }
    logs = frame[(frame["kind"] == "log") & (frame["broker"] == 1)]
    assert logs["active"].tolist() == [False, True]
    sizes = cluster.batches(written).groupby("segment")["bytes"].sum()
    assert logs.set_index("base_offset")["bytes"].to_dict() == sizes.to_dict()
    assert cluster.log_segments(written).equals(frame)
    log = cluster.log(written)
    assert (
        log[["segment", "bytes", "active"]].to_numpy().tolist()
        == logs[["base_offset", "bytes", "active"]].to_numpy().tolist()
    )
    assert log["end"].tolist()[-1] == cluster.replicas(written)["log_end"].max()


def test_batches_of_what_is_not_there_are_refused(cluster: Cluster, written: str) -> None:
    with pytest.raises(InvalidArgument, match=r"'written' has no partition 7: it has 0 to 0"):
        cluster.batches(written, 7)
    with pytest.raises(InvalidArgument, match=r"there is no broker 9: choose from 1, 2, 3"):
        cluster.batches(written, broker=9)


# ---- messages -------------------------------------------------------------------------------------------------


def test_messages_are_what_was_sent_whatever_the_compression(cluster: Cluster) -> None:
    topic = cluster.create_topic("told", partitions=2)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({**cluster.client_config("confluent-kafka"), "compression.type": codec})
        producer.produce(
            topic, codec.encode() * 50, b"key", partition=1, headers=[("h", b"1"), ("h", None)], timestamp=7
        )
        assert producer.flush(20) == 0
    send(cluster, topic, 2)
    tombstone = KafkaProducer(**cluster.client_config())
    tombstone.send(topic, key=b"k", partition=0)
    tombstone.close()
    frame = cluster.messages(topic)
    assert frame.to_numpy().tolist() == [
        [0, 0, None, b"0", ()],
        [0, 1, None, b"1", ()],
        [0, 2, b"k", None, ()],
        *([1, n, b"key", codec * 50, (("h", b"1"), ("h", None))]
          for n, codec in enumerate([b"none", b"gzip", b"snappy", b"lz4", b"zstd"])),
    ]  # fmt: skip
    assert cluster.messages(topic, 1, timestamps=True)["timestamp"].tolist() == [7] * 5
    assert list(frame.columns) == ["partition", "offset", "key", "value", "headers"]


def test_messages_begin_and_end_where_they_are_told(cluster: Cluster) -> None:
    topic = cluster.create_topic("bounded", partitions=2)
    send(cluster, topic, 50, partition=0)
    send(cluster, topic, 5, partition=1)
    found = cluster.messages(topic, start=3, limit=4)
    assert list(zip(found["partition"], found["offset"], strict=True)) == [
        *((0, offset) for offset in (3, 4, 5, 6)),
        *((1, offset) for offset in (3, 4)),
    ]
    assert len(cluster.messages(topic, 1, start=1000)) == 0
    assert cluster.messages(cluster.create_topic("silent")).dtypes.equals(found.dtypes)
    assert "kafkalab-messages" not in set(cluster.groups()["group"])


def test_messages_that_were_aborted_are_left_out_if_asked(cluster: Cluster, written: str) -> None:
    values = [
        cluster.messages(written, committed=committed)["value"].tolist().count(b"in a transaction")
        for committed in (False, True)
    ]
    assert values == [2, 1]


def test_without_a_leader_messages_say_so_in_time_and_the_disk_still_tells(cluster: Cluster) -> None:
    topic = cluster.create_topic("lost-leader", partitions=3, replication_factor=1)
    send(cluster, topic, 4, partition=2)
    cluster.broker(3).kill()
    try:
        wait_until(lambda: cluster.partitions(topic)["leader"].tolist()[2] == -1, what="a partition without leader")
        wait_until(
            lambda: _refusal(cluster, topic, timeout=1.5),
            lambda said: "last seen: [2]" in said,  # a busy broker may need longer for the others
            what="all partitions but one to be read",
        )
        with pytest.raises(InvalidArgument, match="has no leader now: say with broker= whose disk you mean"):
            cluster.batches(topic, 2)
        assert int(cluster.batches(topic, 2, broker=3)["records"].sum()) == 4
        assert cluster.replicas(topic)[["broker", "log_end"]].to_numpy().tolist() == [[1, 0], [2, 0], [3, -1]]
    finally:
        cluster.broker(3).start()


def _refusal(cluster: Cluster, topic: str, timeout: float) -> str:
    """Return how it is said that messages could not be read in time."""
    with pytest.raises(WaitTimeout, match=f"the end of these partitions of {topic} ") as caught:
        cluster.messages(topic, timeout=timeout)
    return str(caught.value)


def test_a_borrowed_cluster_shows_all_but_its_files(cluster: Cluster) -> None:
    topic = cluster.create_topic("lent")
    send(cluster, topic, 2)
    borrowed = Cluster.connect(cluster.bootstrap_servers)
    try:
        assert borrowed.replicas(topic)["log_end"].tolist() == [2, 2, 2]
        assert len(borrowed.messages(topic)) == 2
        for view in (borrowed.segments, borrowed.batches, borrowed.log):
            with pytest.raises(UnsupportedByBackend, match="this cluster is borrowed"):
                view(topic)
    finally:
        borrowed.stop()
