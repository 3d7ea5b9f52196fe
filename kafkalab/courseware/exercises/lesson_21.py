"""The exercises of lesson 21, Social media brand monitoring."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import NEW_TOPIC, expect_keys, records_of
from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import Record

__all__ = ["add_platform", "hot_key", "press_office"]

MOST_OF_ALL = 0.25
ANOTHER = "To try again, take another name for the group: one that has committed goes on behind that."
NEXT = "Run the exercise's cell again: it goes on with the next events."


@exercise(
    "21.hot-key",
    task="Choose a key that shares the comments and keeps each user's in one partition, in order.",
    hints=(
        "Whose comments must lie together, whatever post they are about? Are there many of these?",
        'Return comment["user"].encode(): encode() makes bytes of a text.',
    ),
)
def hot_key(cluster: Cluster, *, topic: str, comments: Sequence[Record]) -> str:
    """Look in which partitions each user's comments lie, in which order, and how full the fullest partition is."""
    records = records_of(cluster, topic)
    expect(
        Counter(record.value for record in records) == Counter(comment.value for comment in comments),
        f"topic {topic} holds {len(records)} records, and not just the {len(comments)} comments: the exercise's cell "
        "ended with an error, or something else was sent. Mend what its last line names, and run it again.",
    )
    stored = pd.DataFrame([{**json.loads(record.value), "partition": record.partition} for record in records])
    expect_keys(topic, records, f", or an empty one. {NEW_TOPIC}")
    _expect_users_together(topic, stored)
    shares = stored["partition"].value_counts(normalize=True)
    expect(
        shares.max() <= MOST_OF_ALL,
        f"each user's comments are together, and partition {shares.idxmax()} holds {shares.max():.0%} of all: the key "
        f"has too few different values, or one that is far too frequent. {NEW_TOPIC}",
    )
    return f"each user's comments are in one partition, in order, and the fullest partition has {shares.max():.0%}."


def _expect_users_together(topic: str, stored: pd.DataFrame) -> None:
    partitions = stored.groupby("user")["partition"].nunique()
    torn = sorted(partitions.index[partitions > 1])
    expect(
        not torn,
        f"in topic {topic} the comments of {len(torn)} users lie in more than one partition, such as those of "
        f"{torn[0] if torn else ''}: no reader of some partitions knows all that a user writes. {NEW_TOPIC}",
    )
    ordered = stored.groupby("user")["event_id"].is_monotonic_increasing
    mixed = sorted(ordered.index[~ordered])
    expect(
        not mixed,
        f"in topic {topic} the comments of {len(mixed)} users are in the wrong order, such as those of "
        f"{mixed[0] if mixed else ''}: send them in the order of the list. {NEW_TOPIC}",
    )


@exercise(
    "21.add-platform",
    task="Send townsquare's events to the topics of their kinds, under the keys and with the times of the others.",
    hints=(
        "What is the key of a mention, and of everything else? The table above has it; the body has the values.",
        (
            'townsquare.send(topics[f"social-{event[\'kind\']}s"], key=..., value=json.dumps(event["body"]).encode(), '
            'timestamp_ms=event["at"]); the key is event["body"]["brand"] for a mention, else '
            'str(event["body"]["post_id"]), each with .encode(). Flush at the end.'
        ),
    ),
)
def add_platform(cluster: Cluster, *, topics: Mapping[str, str], events: Sequence[Mapping[str, Any]]) -> str:
    """Look for every event in the topics: where it is, how often, under which key, and at which time."""
    wanted = {event["body"]["event_id"]: event for event in events}
    found = [
        (name, record, wanted[body["event_id"]])
        for name in sorted({_topic_of(event) for event in events})
        for record in records_of(cluster, topics[name])
        if (body := _body(record.value)).get("event_id") in wanted
    ]
    _expect_each_in_its_topic(wanted, found)
    for name, record, event in found:
        key = _key_of(event)
        expect(
            record.key == key.encode(),
            f"in topic {name} the event {event['body']['event_id']} has the key {_shown(record.key)}, and the other "
            f"platforms would give it {key!r}: what belongs together does not come together. {NEXT}",
        )
        expect(
            record.timestamp == event["at"],
            f"in topic {name} the event {event['body']['event_id']} has another time than it happened at, and the "
            f"teams count by these times: give send() timestamp_ms. {NEXT}",
        )
        expect(
            _body(record.value) == event["body"],
            f"in topic {name} the event {event['body']['event_id']} does not have the body it was given. {NEXT}",
        )
    used = len({name for name, _, _ in found})
    return f"{used} topics hold {len(wanted)} events of townsquare, under the same kinds of keys as everybody's."


def _topic_of(event: Mapping[str, Any]) -> str:
    return f"social-{event['kind']}s"


def _key_of(event: Mapping[str, Any]) -> str:
    return str(event["body"]["brand" if event["kind"] == "mention" else "post_id"])


def _body(value: bytes | None) -> dict[str, Any]:
    try:
        body = json.loads(value or b"")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _shown(key: bytes | None) -> str:
    return "None" if key is None else repr(key.decode(errors="backslashreplace"))


def _expect_each_in_its_topic(wanted: Mapping[int, Mapping[str, Any]], found: Iterable[Any]) -> None:
    places = [(event["body"]["event_id"], event["kind"], name) for name, _, event in found]
    astray = [(kind, name) for number, kind, name in places if name != _topic_of(wanted[number])]
    expect(
        not astray,
        f"{len(astray)} events are in a topic of another kind, such as {' in '.join(astray[0]) if astray else ''}: "
        f"each kind has its own. {NEXT}",
    )
    counts = Counter(number for number, _, _ in places)
    lacking = Counter(_topic_of(event) for number, event in wanted.items() if number not in counts)
    expect(
        not lacking,
        f"{lacking.total()} of {len(wanted)} events are missing: "
        f"{', '.join(f'{count} in {name}' for name, count in sorted(lacking.items()))}. Were they sent, and flushed?",
    )
    doubled = sum(count > 1 for count in counts.values())
    expect(not doubled, f"{doubled} events are there more than once. {NEXT}")


@exercise(
    "21.press-office",
    task="Count the mentions of each platform, from the first one on, in a group that disturbs nobody.",
    hints=(
        "Which setting tells a new group to begin with the first record? Customer care, above, does the same.",
        (
            'press = cluster.name("press-office"); KafkaConsumer(topics["social-mentions"], **settings, '
            'group_id=press, auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=5000); count '
            'json.loads(record.value)["platform"] of each record, then consumer.commit().'
        ),
    ),
)
def press_office(
    cluster: Cluster, *, topic: str, before: Mapping[str, pd.DataFrame], press: object, per_platform: object
) -> str:
    """Compare the group's committed offsets with the topic's end, the counts with the records, the others' with before.

    ``before`` has the lag of every other group, by its name, as it was when the exercise began.
    """
    for group, was in before.items():
        columns = ["topic", "partition", "committed"]
        expect(
            cluster.lag(group)[columns].equals(was[columns]),
            f"the committed offsets of group {group} have changed: it will miss what was read in its name. Give the "
            "press office a group of its own, and run the cell again.",
        )
    expect(press not in before, f"`press` is {press!r}, and that group is another team's: it would share the work.")
    _expect_all_committed(cluster, str(press), topic)
    counted = Counter(json.loads(record.value)["platform"] for record in records_of(cluster, topic))
    expect(
        per_platform == dict(counted),
        f"`per_platform` is {per_platform!r}, and topic {topic} holds {_listed(counted)}. {ANOTHER}",
    )
    return f"group {press} has read all {counted.total()} mentions, and no other group has moved."


def _expect_all_committed(cluster: Cluster, group: str, topic: str) -> None:
    try:
        lag = cluster.lag(group)
    except InvalidArgument:
        raise NotDoneYet(f"there is no group {group!r} yet: nobody has joined or committed.") from None
    read = sorted({cluster.name(name) for name in lag["topic"]})
    expect(read, f"group {group} has committed nothing: commit when all is counted, and run the cell again.")
    expect(read == [topic], f"group {group} reads {', '.join(read)}, and needs {topic} only. {ANOTHER}")
    behind = int(lag["lag"].sum())
    expect(
        not behind,
        f"group {group} has a lag of {behind}: these mentions were not read, or that they were is not committed.",
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(counts.items()))
