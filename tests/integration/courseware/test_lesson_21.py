"""The checks of lesson 21, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import pandas as pd
import pytest
from kafka import KafkaConsumer, KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_21 import add_platform, hot_key, press_office
from kafkalab.courseware.solutions import solution_text
from kafkalab.simulation.social import Social
from kafkalab.simulation.source import Record

pytestmark = pytest.mark.integration

Value = dict[str, Any]
NETWORK = Social(seed=2, rate=5, users=300, reaction_s=30, viral_after_s=20, viral_size=2000)
RECORDS = list(NETWORK.records(1200))
COMMENTS = [record for record in RECORDS if record.topic == "social-comments"]
EVENTS = [
    {"kind": record.topic[len("social-") : -1], "at": record.timestamp_ms, "body": json.loads(record.value)}
    for record in RECORDS
]
FRESH = iter(range(0, 1200, 60))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


@pytest.fixture(scope="module")
def producer(cluster: Cluster) -> KafkaProducer:
    return cluster.producer(linger_ms=20)


def moderate(
    cluster: Cluster,
    producer: KafkaProducer,
    key_of: Callable[[Value], bytes | None],
    comments: list[Record] = COMMENTS,
) -> str:
    topic = cluster.create_topic(f"moderated-{len(cluster.topics())}", partitions=6)
    for record in comments:
        producer.send(topic, key=key_of(json.loads(record.value)), value=record.value)
    producer.flush(timeout=20)
    return hot_key.judge(cluster, topic=topic, comments=COMMENTS)


@pytest.mark.parametrize(
    ("key_of", "said"),
    [
        (lambda comment: None, r"^\d+ of \d+ records in topic moderated-\d+ have no key, or an empty one"),
        (lambda comment: b"", "have no key"),
        (lambda comment: b"the same", r"partition \d holds 100% of all: the key has too few different values"),
        (lambda comment: str(comment["post_id"]).encode(), "users lie in more than one partition, such as those of "),
        (lambda comment: f"{comment['post_id']} {comment['user']}".encode(), "users lie in more than one partition"),
    ],
)
def test_a_key_that_is_not_better(
    cluster: Cluster, producer: KafkaProducer, key_of: Callable[[Value], bytes | None], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        moderate(cluster, producer, key_of)


@pytest.mark.parametrize(
    ("comments", "said"),
    [
        ([], r"holds 0 records, and not just the \d+ comments: the exercise's cell ended with an error"),
        (COMMENTS + COMMENTS[:1], "and not just the"),
        (COMMENTS[::-1], r"the comments of \d+ users are in the wrong order, such as those of "),
    ],
)
def test_other_comments_than_those_of_the_list(
    cluster: Cluster, producer: KafkaProducer, comments: list[Record], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        moderate(cluster, producer, lambda comment: comment["user"].encode(), comments)


def test_the_solution_of_hot_key(cluster: Cluster, producer: KafkaProducer) -> None:
    names = {"producers": {"chirper": producer}, "published": {"social-comments": COMMENTS}}
    learner: dict[str, Any] = {"cluster": cluster, "json": json, **names}
    exec(solution_text("21.hot-key"), learner)
    said = hot_key.judge(cluster, topic=learner["moderated"], comments=COMMENTS)
    assert said.startswith("each user's comments are in one partition, in order, and the fullest partition has ")


Sent = tuple[str, str | None, Value, int]


def rightly(event: Value) -> Sent:
    key = event["body"]["brand"] if event["kind"] == "mention" else str(event["body"]["post_id"])
    return f"social-{event['kind']}s", key, event["body"], event["at"]


@pytest.fixture(scope="module")
def topics(cluster: Cluster) -> dict[str, str]:
    return {name: cluster.create_topic(name, partitions=3) for name in NETWORK.topics}


@pytest.fixture
def events() -> list[Value]:
    """Sixty that no other test sends."""
    first = next(FRESH)
    return EVENTS[first : first + 60]


def report(producer: KafkaProducer, topics: Mapping[str, str], sent: list[Sent]) -> None:
    for topic, key, value, at in sent:
        place = {"key": key.encode() if key else None, "timestamp_ms": at or None}
        producer.send(topics[topic], value=json.dumps(value).encode(), **place)
    producer.flush(timeout=20)


def with_post_as_key(event: Value) -> Sent:
    topic, _, value, at = rightly(event)
    return topic, str(value["post_id"]), value, at


@pytest.mark.parametrize(
    ("sent_as", "said"),
    [
        (with_post_as_key, r"in topic social-mentions the event \d+ has the key '\d+', and the other platforms would"),
        (lambda event: (rightly(event)[0], None, *rightly(event)[2:]), r"has the key None, and the other platforms"),
        (lambda event: ("social-posts", *rightly(event)[1:]), r"\d+ events are in a topic of another kind, such as "),
        (lambda event: (*rightly(event)[:3], 0), "has another time than it happened at"),
        (lambda event: (*rightly(event)[:2], event["body"] | {"user": "?"}, event["at"]), "does not have the body"),
    ],
)
def test_a_platform_that_sends_otherwise(
    cluster: Cluster,
    producer: KafkaProducer,
    topics: dict[str, str],
    events: list[Value],
    *,
    sent_as: Callable[[Value], Sent],
    said: str,
) -> None:
    report(producer, topics, [sent_as(event) for event in events])
    with pytest.raises(NotDoneYet, match=said):
        add_platform.judge(cluster, topics=topics, events=events)


def test_a_platform_that_is_silent_or_says_all_twice(
    cluster: Cluster, producer: KafkaProducer, topics: dict[str, str], events: list[Value]
) -> None:
    producer.send(topics["social-posts"], b"no JSON").get(timeout=20)
    with pytest.raises(NotDoneYet, match=r"^60 of 60 events are missing: \d+ in social-comments, \d+ in social-likes"):
        add_platform.judge(cluster, topics=topics, events=events)
    report(producer, topics, [rightly(event) for event in events * 2])
    with pytest.raises(NotDoneYet, match=r"^60 events are there more than once"):
        add_platform.judge(cluster, topics=topics, events=events)


def test_the_solution_of_add_platform(cluster: Cluster, topics: dict[str, str]) -> None:
    minutes = {number: RECORDS[1000 + 60 * number : 1060 + 60 * number] for number in range(3)}
    names = {"minutes": minutes, "later": iter([0]), "topics": topics, "settings": cluster.client_config()}
    learner: dict[str, Any] = {"json": json, "KafkaProducer": KafkaProducer, **names}
    exec(solution_text("21.add-platform"), learner)
    events = learner["events"]
    assert {event["body"]["platform"] for event in events} == {"townsquare"}
    said = add_platform.judge(cluster, topics=topics, events=events)
    assert said.endswith(f"hold {len(events)} events of townsquare, under the same kinds of keys as everybody's.")


@pytest.fixture(scope="module")
def mentions(cluster: Cluster, producer: KafkaProducer) -> str:
    """A topic that another group has read."""
    topic = cluster.create_topic("mentions", partitions=3)
    for event in EVENTS[:12]:
        producer.send(topic, key=event["body"]["brand"].encode(), value=json.dumps(event["body"]).encode())
    producer.flush(timeout=20)
    read(cluster, topic, "brand-monitor", 12)
    return topic


def read(cluster: Cluster, topic: str, group: str, count: int, commit: int = 1) -> dict[str, int]:
    settings = {**cluster.client_config(), "group_id": group, "enable_auto_commit": False}
    with KafkaConsumer(topic, **settings, auto_offset_reset="earliest", consumer_timeout_ms=20_000) as consumer:
        found = Counter(json.loads(record.value)["platform"] for record in islice(consumer, count))
        if commit:
            consumer.commit()
    return dict(found)


def judge(
    cluster: Cluster, topic: str, press: object, per_platform: object, before: Mapping[str, Any] | None = None
) -> str:
    others = {"brand-monitor": cluster.lag("brand-monitor")} if before is None else before
    return press_office.judge(cluster, topic=topic, before=others, press=press, per_platform=per_platform)


def test_a_press_office_that_has_not_read_all(cluster: Cluster, mentions: str) -> None:
    with pytest.raises(NotDoneYet, match=r"^`press` is still `\.\.\.`"):
        judge(cluster, mentions, ..., ...)
    with pytest.raises(NotDoneYet, match=r"^there is no group 'nobody' yet"):
        judge(cluster, mentions, "nobody", {})
    with pytest.raises(NotDoneYet, match=r"^`press` is 'brand-monitor', and that group is another team's"):
        judge(cluster, mentions, "brand-monitor", {})
    read(cluster, mentions, "hasty", 5)
    with pytest.raises(NotDoneYet, match=r"^group hasty has a lag of 7: these mentions were not read"):
        judge(cluster, mentions, "hasty", {})
    read(cluster, mentions, "silent", 12, commit=0)
    with pytest.raises(NotDoneYet, match=r"^group silent has committed nothing: commit when all is counted"):
        judge(cluster, mentions, "silent", {})


def test_a_press_office_that_disturbs_others(cluster: Cluster, mentions: str) -> None:
    was = cluster.lag("brand-monitor")
    before = {"brand-monitor": was.assign(committed=was["committed"] - 1)}
    with pytest.raises(NotDoneYet, match=r"^the committed offsets of group brand-monitor have changed"):
        judge(cluster, mentions, "press-office", {}, before)


def test_the_solution_of_press_office(cluster: Cluster, mentions: str) -> None:
    def stored(name: str) -> pd.DataFrame:
        return cluster.messages(mentions)

    reading = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "consumer_timeout_ms": 20_000}
    names = {"topics": {"social-mentions": mentions}, "settings": cluster.client_config(), "reading": reading}
    tools = {"Counter": Counter, "KafkaConsumer": KafkaConsumer, "islice": islice, "json": json, "stored": stored}
    learner: dict[str, Any] = {"cluster": cluster, "committed": dict, **names, **tools}
    exec(solution_text("21.press-office"), learner)
    said = judge(cluster, mentions, learner["press"], learner["per_platform"])
    assert said == "group press-office has read all 12 mentions, and no other group has moved."
    with pytest.raises(NotDoneYet, match=r"^`per_platform` is \{'chirper': 1\}, and topic mentions holds \d+ of "):
        judge(cluster, mentions, learner["press"], {"chirper": 1})
