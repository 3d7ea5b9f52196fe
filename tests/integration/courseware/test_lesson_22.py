"""The checks of lesson 22, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from typing import Any

import pandas as pd
import pytest
from kafka import KafkaConsumer, KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_22 import dead_sensors, once, rush_hour
from kafkalab.courseware.solutions import solution_text
from kafkalab.simulation import City

pytestmark = pytest.mark.integration

HOUR, MINUTE = 3_600_000, 60_000
CITY = City(
    seed=36,
    start="2025-03-03T00:00:00Z",
    districts=3,
    traffic_every_s=300,
    air_every_s=600,
    energy_every_s=900,
    fault_share=0.3,
)
MIDNIGHT = CITY.start_ms
DEAD = sorted(CITY.faults(1).query("fault == 'dead' and from_ms < @MIDNIGHT + 23 * @HOUR")["sensor_id"].astype(str))
Row = tuple[bytes | None, bytes, int]


def reading(sensor: str, district: str, measured: int, sent: int, vehicles: int) -> Row:
    """Return key, value and timestamp of a reading; times in minutes after midnight."""
    value = {"sensor_id": sensor, "district": district, "measured_ms": MIDNIGHT + measured * MINUTE}
    return sensor.encode(), json.dumps({**value, "vehicles": vehicles}).encode(), MIDNIGHT + sent * MINUTE


# 420 minutes are seven hours. Old Town's second reading comes twice, its third late, Southpark's first late.
READINGS = [
    reading("a", "Old Town", 10, 10, 1000),
    reading("a", "Old Town", 430, 430, 5),
    reading("a", "Old Town", 430, 431, 5),
    reading("a", "Old Town", 475, 485, 7),
    reading("b", "Southpark", 419, 421, 100),
    reading("b", "Southpark", 420, 422, 11),
    reading("b", "Southpark", 480, 480, 1000),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@pytest.fixture(scope="module")
def put(cluster: Cluster) -> Callable[..., str]:
    producer = cluster.producer()

    def made(rows: Iterable[Row], topic: str = "", **where: int) -> str:
        topic = topic or cluster.create_topic(f"topic-{len(cluster.topics())}", partitions=3)
        for key, value, time in rows:
            producer.send(topic, value, key=key, timestamp_ms=time, **where)
        producer.flush(timeout=20)
        return topic

    return made


@pytest.fixture(scope="module")
def readings(put: Callable[..., str]) -> str:
    return put(READINGS)


def numbers(**vehicles: int) -> list[Row]:
    return [(name.replace("_", " ").encode(), b"%d" % number, MIDNIGHT) for name, number in vehicles.items()]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], r"^topic topic-\d+ has no record for Old Town, Southpark\.$"),
        (numbers(Old_Town=12), r"has no record for Southpark\.$"),
        (numbers(Old_Town=12, Southpark=11, Hill=1), "has a record with the key Hill, which is no district"),
        (numbers(Old_Town=12) * 2, "has more than one record for Old Town: run both cells once more"),
        ([(b"Old Town", b"12.0", MIDNIGHT)], r"the value for Old Town is b'12\.0', and not a whole number"),
        ([(b"Old Town", None, MIDNIGHT)], "the value for Old Town is None, and not a whole number"),
        ([(None, b"12", MIDNIGHT)], "no record for Old Town, Southpark"),
        (numbers(Old_Town=17, Southpark=11), "Old Town you sent 17 vehicles, and 12 were .* twice are counted twice"),
        (numbers(Old_Town=5, Southpark=111), "sent 5 vehicles, and 12 were counted: yours are those sent in that hour"),
        (numbers(Old_Town=10, Southpark=111), "yours are those sent in that hour, not those measured in it"),
        (numbers(Old_Town=12, Southpark=1011), r"for Southpark you sent 1011 vehicles, and 11 were counted\.$"),
    ],
)
def test_a_rush_hour_that_is_wrong(
    cluster: Cluster, put: Callable[..., str], readings: str, rows: list[Row], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        rush_hour.judge(cluster, readings=readings, rush_hour=put(rows))


@pytest.mark.parametrize("exercise", [(rush_hour, "rush_hour"), (once, "clean")])
def test_an_answer_that_is_no_topic(cluster: Cluster, readings: str, exercise: tuple[Any, str]) -> None:
    item, name = exercise
    with pytest.raises(NotDoneYet, match=f"`{name}` is 'nothing', and the cluster has no such topic"):
        item.judge(cluster, readings=readings, **{name: "nothing"})


def learner(cluster: Cluster, **names: Any) -> dict[str, Any]:
    """Return what a learner has at hand."""

    def table(topic: str) -> pd.DataFrame:
        found = cluster.messages(topic, timestamps=True)
        return found.join(pd.DataFrame(found["value"].map(json.loads).tolist()))

    tools = {"KafkaConsumer": KafkaConsumer, "KafkaProducer": KafkaProducer, "islice": islice, "json": json, "pd": pd}
    given = {"cluster": cluster, "city": CITY, "City": City, "HOUR": HOUR, "MINUTE": MINUTE, "pairwise": pairwise}
    return {**tools, **given, "table": table, **names}


def test_the_rush_hour_of_the_solution(cluster: Cluster, readings: str) -> None:
    scope = learner(cluster)
    exec(solution_text("22.rush-hour").replace('"traffic-flow"', repr(readings)), scope)
    said = rush_hour.judge(cluster, readings=readings, rush_hour=scope["rush_hour"])
    assert said == "2 districts, 23 vehicles, each reading once in the hour of its measuring."


UNIQUE = [row for number, row in enumerate(READINGS) if number != 2]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], r"^topic topic-\d+ is empty, and topic-\d+ has 6 readings"),
        (READINGS, r"1 readings are in topic-\d+ more than once, such as that of a at 07:10\.$"),
        (UNIQUE[:4], r"2 of 6 readings are not in topic-\d+, such as that of b at 07:00\.$"),
        ([(None, value, time) for _, value, time in UNIQUE], r"with the key \(none\) is not as it was in"),
        ([(key, value + b" ", time) for key, value, time in UNIQUE], "with the key a is not as it was in"),
        ([(b"a", b"something", MIDNIGHT)], "with the key a is not as it was in .* change no key or value"),
    ],
)
def test_a_topic_that_is_not_clean(
    cluster: Cluster, put: Callable[..., str], readings: str, rows: list[Row], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        once.judge(cluster, readings=readings, clean=put(rows))


def test_a_sensor_in_two_partitions(cluster: Cluster, put: Callable[..., str], readings: str) -> None:
    split = put(UNIQUE[:1], partition=0)
    put(UNIQUE[1:], split, partition=1)
    with pytest.raises(NotDoneYet, match=rf"some sensors are in two partitions of {split}"):
        once.judge(cluster, readings=readings, clean=split)


def test_the_clean_topic_of_the_solution(cluster: Cluster, readings: str) -> None:
    scope = learner(cluster, topics={"air-quality": readings})
    exec(solution_text("22.once").replace('table("air-quality")', f"table({readings!r})"), scope)
    said = once.judge(cluster, readings=readings, clean=scope["clean"])
    assert said == f"{readings} has 6 different readings, and each is once in {scope['clean']}."


def keys(*sensors: str) -> list[Row]:
    return [(sensor.encode(), b"dead", MIDNIGHT) for sensor in sensors]


WELL = "traffic-old-town-02"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], r"topic topic-\d+ is empty: send a record for each dead sensor"),
        (keys("sensor-1"), "has a record with the key sensor-1: no sensor has that name"),
        ([(None, DEAD[0].encode(), 0)], r"has a record with the key \(none\): no sensor has that name"),
        (keys(*DEAD, DEAD[0]), f"{DEAD[0]} is in .* more than once: run both cells once more"),
        (keys(*DEAD, WELL), rf"Not dead is {WELL}: look at when it measured, not at when it sent"),
        (keys(*DEAD[1:]), r"Not found is, for one, a sensor that was silent from \d\d:\d\d on"),
    ],
)
def test_dead_sensors_that_are_wrong(cluster: Cluster, put: Callable[..., str], rows: list[Row], said: str) -> None:
    assert len(DEAD) > 2
    assert WELL not in DEAD
    with pytest.raises(NotDoneYet, match=said):
        dead_sensors.judge(cluster, city=CITY, dead=put(rows))


def test_the_dead_sensors_of_the_solution(cluster: Cluster) -> None:
    sent = CITY.frame(10_000).astype({"topic": str, "sensor_id": str})
    assert sent["timestamp_ms"].max() > MIDNIGHT + 25 * HOUR
    scope = learner(cluster, table=lambda name: sent[sent["topic"] == name])
    exec(solution_text("22.dead-sensors"), scope)
    said = dead_sensors.judge(cluster, city=CITY, dead=scope["dead"])
    number = len(DEAD)
    assert (
        said
        == f"{number} of your {number} sensors are dead (precision), and {number} of the {number} dead found (recall)."
    )
