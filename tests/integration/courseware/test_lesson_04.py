"""The checks of lesson 04, on real clusters: unsolved, half solved, solved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka.errors import NotEnoughReplicasError

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_04 import one_loss, read_verdict, refused_write, without_loss
from kafkalab.courseware.solutions import solution_text
from kafkalab.ledger import Ledger

pytestmark = pytest.mark.integration

PLACED = [f"order {number}" for number in range(6)]
LOST = PLACED[4:]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "replicas", "least", "said"),
    [
        ("one-copy", 1, 1, "asks for 1 in-sync replica: a write that one broker alone has would be acknowledged"),
        ("single", 3, 1, "asks for 1 in-sync replica: a write that one broker alone has would be acknowledged"),
        ("tight", 2, 2, "has 2 replicas and asks for 2 in sync: with one broker dead it takes no write"),
        ("all", 3, 3, "has 3 replicas and asks for 3 in sync: with one broker dead it takes no write"),
    ],
)
def test_a_topic_that_does_not_survive(cluster: Cluster, name: str, replicas: int, least: int, said: str) -> None:
    topic = cluster.create_topic(name, replication_factor=replicas, config={"min.insync.replicas": least})
    with pytest.raises(NotDoneYet, match=said):
        one_loss.judge(cluster, safe=topic)


@pytest.mark.parametrize("answer", [None, "nowhere"])
def test_no_topic_at_all(cluster: Cluster, answer: object) -> None:
    with pytest.raises(NotDoneYet, match="`safe` is "):
        one_loss.judge(cluster, safe=answer)


@pytest.mark.parametrize(("fault", "word", "said"), [("kill", "start", "stopped"), ("pause", "resume", "paused")])
def test_a_broker_that_was_left_down_is_named(cluster: Cluster, fault: str, word: str, said: str) -> None:
    topic = cluster.create_topic(f"left-{said}", config={"min.insync.replicas": 2})
    getattr(cluster.broker(2), fault)()
    try:
        with pytest.raises(NotDoneYet, match=rf"broker 2 is {said}, .*: cluster\.broker\(2\)\.{word}\(\)"):
            one_loss.judge(cluster, safe=topic)
    finally:
        getattr(cluster.broker(2), word)()
        cluster.wait_for_isr(topic, 3)


def test_a_topic_that_survives_one_loss(cluster: Cluster) -> None:
    learner = {"cluster": cluster}
    exec(solution_text("04.one-loss"), learner)
    said = one_loss.judge(cluster, safe=learner["safe"])
    assert said == "with the leader of safe killed, 5 records were acknowledged, on at least 2 brokers."
    assert [broker.state for broker in cluster.brokers] == ["running"] * 3


@pytest.fixture(scope="module")
def lossy(cluster: Cluster) -> str:
    """A topic that holds all orders but the last two."""
    topic = cluster.create_topic("lossy")
    producer = cluster.producer()
    for order in PLACED[:4]:
        producer.send(topic, order.encode()).get(timeout=20)
    return topic


@pytest.mark.parametrize(
    ("to_call", "said"),
    [
        (..., "`to_call` is still `...`"),
        (3, "`to_call` is of type int: make a list of orders"),
        ("order 4", "`to_call` is of type str: make a list of orders"),
        ([4, 5], "'4' in `to_call` is no order: name them as in `placed`"),
        ([], "lossy lacks orders that are not in `to_call`: are all rows of the table in it"),
        (LOST[:1], "lossy lacks orders that are not in `to_call`"),
        (PLACED, "`to_call` has order 0, order 1, order 2: topic lossy still holds that"),
    ],
)
def test_a_list_of_lost_orders_that_is_not_right(cluster: Cluster, lossy: str, to_call: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        read_verdict.judge(cluster, topic=lossy, placed=PLACED, to_call=to_call)


@pytest.mark.parametrize("to_call", [LOST, set(LOST), [order.encode() for order in LOST]])
def test_every_lost_order_listed(cluster: Cluster, lossy: str, to_call: object) -> None:
    said = read_verdict.judge(cluster, topic=lossy, placed=PLACED, to_call=to_call)
    assert said == "each lost order is named, and none that is still there."


def test_a_refused_write_and_what_the_learner_may_do_about_it() -> None:
    with Cluster(brokers=3) as cluster:
        invoices = cluster.create_topic("invoices", config={"min.insync.replicas": 3})
        cluster.broker(3).stop()
        cluster.wait_for_isr(invoices, 2)
        with pytest.raises(NotEnoughReplicasError):
            cluster.producer(retries=0, enable_idempotence=False).send(invoices, b"?").get(timeout=20)
        with pytest.raises(NotDoneYet, match="asks for 3 in-sync replicas and has 2: it takes no write"):
            refused_write.judge(cluster, topic=invoices)
        set_min_isr(cluster, invoices, 1)
        with pytest.raises(NotDoneYet, match="a write that one broker alone has would be acknowledged"):
            refused_write.judge(cluster, topic=invoices)
        exec(solution_text("04.refused-write"), {"cluster": cluster, "invoices": invoices})
        said = refused_write.judge(cluster, topic=invoices)
        assert said == "topic invoices acknowledges again, with 2 in-sync replicas of which it asks for 2."
        cluster.broker(3).start()
        with pytest.raises(NotDoneYet, match="broker 3 runs, and it should stay off"):
            refused_write.judge(cluster, topic=invoices)


def set_min_isr(cluster: Cluster, topic: str, least: int) -> None:
    change = f"--alter --entity-type topics --entity-name {topic} --add-config min.insync.replicas={least}"
    cluster.kafka_tool("kafka-configs", *change.split())


def place(cluster: Cluster, topic: str) -> Ledger:
    ledger, producer = Ledger(), cluster.producer()
    session = ledger.session()
    for order in PLACED:
        entry = session.enter(topic, None, order.encode(), 0.0)
        stored = producer.send(topic, order.encode(), headers=entry.headers).get(timeout=20)
        entry.acknowledged(stored.partition, stored.offset, 0.0)
    return ledger


def test_a_topic_without_a_leader_brought_back_with_and_without_loss() -> None:
    with Cluster(brokers=3, controllers=1) as cluster:
        topics = [cluster.create_topic(name) for name in ("accounts", "rushed")]
        for broker in (3, 2):
            cluster.broker(broker).stop()
        ledgers = {topic: place(cluster, topic) for topic in topics}
        accounts, rushed = topics
        cluster.broker(1).kill()
        cluster.broker(2).start()
        with pytest.raises(NotDoneYet, match="topic accounts has no leader: nobody can write to it"):
            without_loss.judge(cluster, topic=accounts, ledger=ledgers[accounts])
        where = ("--topic", rushed, "--partition", "0")
        cluster.kafka_tool("kafka-leader-election", "--election-type", "unclean", *where)
        cluster.wait_for_isr(rushed, 1)
        with pytest.raises(NotDoneYet, match="the ledger of rushed has no record: run the cell that places orders"):
            without_loss.judge(cluster, topic=rushed, ledger=Ledger())
        with pytest.raises(NotDoneYet, match=r"6 acknowledged records of rushed are lost, for good\. To try again"):
            without_loss.judge(cluster, topic=rushed, ledger=ledgers[rushed])
        exec(solution_text("04.without-loss"), {"cluster": cluster})
        said = without_loss.judge(cluster, topic=accounts, ledger=ledgers[accounts])
        assert said == "topic accounts has a leader, and all 6 acknowledged records are there."
