"""A cluster in use: topics, clients, views. One cluster for the module; no test leaves it changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from kafkalab import Cluster
from kafkalab.errors import InvalidArgument, NotRunning, TopicExists, UnsupportedByBackend, WaitTimeout

pytestmark = pytest.mark.integration


def test_a_record_goes_in_and_comes_out_with_the_learners_own_code(cluster: Cluster) -> None:
    topic = cluster.create_topic("first", partitions=3)
    producer = KafkaProducer(**cluster.client_config(), acks="all")
    sent = producer.send(topic, key=b"k", value=b"v", headers=[("h", b"1")]).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer(topic, **cluster.client_config(), auto_offset_reset="earliest", consumer_timeout_ms=20000)
    record = next(consumer)
    consumer.close()
    assert (record.partition, record.offset, record.key, record.value) == (sent.partition, 0, b"k", b"v")


def test_leaders_and_replicas_are_the_same_everywhere(cluster: Cluster) -> None:
    topic = cluster.create_topic("placed", partitions=4, replication_factor=2)
    rows = cluster.partitions(topic)[["partition", "leader", "replicas", "isr"]].values.tolist()
    assert rows == [
        [0, 1, (1, 2), (1, 2)],
        [1, 2, (2, 3), (2, 3)],
        [2, 3, (3, 1), (1, 3)],
        [3, 1, (1, 2), (1, 2)],
    ]


def test_every_broker_knows_a_topic_that_was_just_made(cluster: Cluster) -> None:
    topic = cluster.create_topic("known", partitions=6)
    for servers in cluster.bootstrap_servers.split(","):
        producer = KafkaProducer(bootstrap_servers=servers, retries=0, enable_idempotence=False, acks="all")
        for partition in range(6):
            producer.send(topic, value=b"x", partition=partition).get(timeout=10)
        producer.close()


@pytest.mark.parametrize("library", ["kafka-python", "confluent-kafka"])
def test_client_config_holds_only_what_reaches_the_cluster(cluster: Cluster, library: str) -> None:
    config = cluster.client_config(library)
    assert list(config.values()) == [cluster.bootstrap_servers]


def test_the_second_client_library_reaches_it_too(cluster: Cluster) -> None:
    from confluent_kafka.admin import AdminClient

    metadata = AdminClient(cluster.client_config("confluent-kafka")).list_topics(timeout=20)
    assert set(metadata.brokers) == {1, 2, 3}


def test_the_shortcuts_reach_the_cluster(cluster: Cluster) -> None:
    topic = cluster.create_topic("shortcuts")
    cluster.producer().send(topic, b"x").get(timeout=20)
    consumer = cluster.consumer()
    consumer.assign([TopicPartition(topic, 0)])
    assert consumer.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 1}
    assert topic in cluster.admin().list_topics()


def test_names_are_values(cluster: Cluster) -> None:
    assert cluster.name("readers") == "readers"
    with pytest.raises(InvalidArgument, match="cannot be a name"):
        cluster.name("")


def test_an_existing_topic_is_refused(cluster: Cluster) -> None:
    cluster.create_topic("twice")
    with pytest.raises(TopicExists, match=r"^topic 'twice' exists already: choose another name"):
        cluster.create_topic("twice")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": "no good"}, "is not a legal topic name"),
        ({"partitions": 0}, "partitions=0 is not possible"),
        ({"replication_factor": 4}, "replication_factor=4 is more than the 3 running brokers"),
        (
            {"config": {"retention.msx": 1}},
            "Kafka refuses topic 'refused': Unknown topic config name: retention.msx",
        ),
        ({"config": {"retention.ms": "soon"}}, "Invalid value soon for configuration retention.ms"),
    ],
)
def test_a_topic_that_cannot_be_is_refused_and_not_made(
    cluster: Cluster, arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidArgument, match=said):
        cluster.create_topic(**{"name": "refused", **arguments})  # type: ignore[arg-type]
    assert "refused" not in set(cluster.topics()["topic"])


def test_topics_lists_them_sorted_without_internal_ones(cluster: Cluster) -> None:
    cluster.create_topic("listed", partitions=2, replication_factor=1)
    frame = cluster.topics()
    assert frame["topic"].is_monotonic_increasing
    assert not frame["topic"].str.startswith("__").any()
    assert frame[frame["topic"] == "listed"].values.tolist() == [["listed", 2, 1]]


def test_views_have_fixed_columns_and_dtypes_also_when_empty(cluster: Cluster) -> None:
    topic = cluster.create_topic("typed")
    views = {
        "topics": cluster.topics(),
        "partitions": cluster.partitions(topic),
        "quorum": cluster.quorum(),
    }
    assert {name: {c: str(d) for c, d in view.dtypes.items()} for name, view in views.items()} == {
        "topics": {"topic": "str", "partitions": "int64", "replication_factor": "int64"},
        "partitions": {
            "topic": "str",
            "partition": "int64",
            "leader": "int64",
            "replicas": "object",
            "isr": "object",
        },
        "quorum": {"node": "int64", "role": "str", "log_end": "int64", "behind": "int64"},
    }


def test_groups_and_lag_follow_what_a_consumer_does(cluster: Cluster) -> None:
    topic, group = cluster.create_topic("lagging", partitions=2), cluster.name("readers")
    producer = cluster.producer()
    for number in range(10):
        producer.send(topic, b"x", partition=number % 2)
    producer.flush(timeout=20)
    consumer = KafkaConsumer(
        topic, **cluster.client_config(), group_id=group, auto_offset_reset="earliest", max_poll_records=4
    )
    read = sum(len(records) for records in consumer.poll(timeout_ms=20000).values())
    consumer.commit()
    (row,) = (row for row in cluster.groups().itertuples() if row.group == group)
    assert (row.state, row.members, row.partitions) == ("Stable", 1, 2)
    lag = cluster.lag(group)
    assert lag.columns.tolist() == ["topic", "partition", "committed", "end", "lag"]
    assert lag["end"].tolist() == [5, 5]
    assert lag["lag"].sum() == 10 - read > 0
    consumer.close()


def test_what_is_not_there_is_said_to_be_missing(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match="there is no topic 'nowhere'"):
        cluster.partitions("nowhere")
    with pytest.raises(InvalidArgument, match="there is no group 'nobody'"):
        cluster.lag("nobody")
    with pytest.raises(InvalidArgument, match=r"there is no broker 9: choose from 1, 2, 3\."):
        cluster.broker(9)
    with pytest.raises(InvalidArgument, match="there is no controller 101"):
        cluster.controller(101)


def test_the_quorum_has_one_leader_among_three_voters(cluster: Cluster) -> None:
    frame = cluster.quorum()
    assert frame["node"].tolist() == [1, 2, 3]
    assert sorted(frame["role"]) == ["follower", "follower", "leader"]


def test_waiting_for_an_isr_that_never_comes_shows_the_last_one(cluster: Cluster) -> None:
    topic = cluster.create_topic("patient", replication_factor=2)
    with pytest.raises(WaitTimeout, match=r"3 in-sync replicas in every partition of patient after 0\.2 s; last seen"):
        cluster.wait_for_isr(topic, 3, timeout=0.2)


def test_kafkas_own_tools_run_on_it(cluster: Cluster) -> None:
    topic = cluster.create_topic("by-tool")
    assert topic in cluster.kafka_tool("kafka-topics", "--list").split()
    cluster.kafka_tool("kafka-console-producer", "--topic", topic, stdin="one\ntwo\n")
    read = cluster.kafka_tool("kafka-console-consumer.sh", "--topic", topic, "--from-beginning", "--max-messages", "2")
    assert read.split() == ["one", "two"]


def test_a_running_cluster_does_not_start_twice(cluster: Cluster) -> None:
    with pytest.raises(NotRunning, match="runs already"):
        cluster.start()


def test_its_files_are_there_to_read_or_it_says_that_they_are_not(cluster: Cluster, is_controlled: bool) -> None:
    topic = cluster.create_topic("stored")
    cluster.producer(acks="all").send(topic, b"x").get(timeout=20)
    if not is_controlled:
        _refused(lambda: cluster.data_folder(1), lambda: cluster.segments(topic))
        return
    for broker in cluster.brokers:
        folder = cluster.data_folder(broker.id)
        assert folder.is_relative_to(cluster.folder)
        assert (folder / f"{topic}-0" / "00000000000000000000.log").exists()
        assert cluster.batches(topic, broker=broker.id)["records"].tolist() == [1]
    assert cluster.segments(topic)["broker"].unique().tolist() == [1, 2, 3]


def test_its_brokers_are_there_to_control_or_it_says_that_they_are_not(cluster: Cluster, is_controlled: bool) -> None:
    broker = cluster.broker(1)
    if is_controlled:
        assert "kafka.server.KafkaRaftServer" in broker.logs()
        assert len(broker.logs(last=3).splitlines()) == 3
    else:
        _refused(broker.kill, broker.stop, broker.pause, broker.logs, broker.isolate, cluster.add_broker)
    assert broker.state == "running"


def _refused(*uses: Callable[[], object]) -> None:
    for use in uses:
        with pytest.raises(UnsupportedByBackend, match=r"this cluster is borrowed.* use a cluster of your own"):
            use()
