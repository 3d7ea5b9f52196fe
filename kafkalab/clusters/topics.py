"""Making a topic: checked, assigned in a fixed order, and waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.backends.base import Backend
from kafkalab.clusters.metadata import View
from kafkalab.clusters.properties import kafka_value
from kafkalab.clusters.spec import check_topic_name
from kafkalab.errors import InvalidArgument, NotRunning, TopicExists
from kafkalab.waiting import wait_until

__all__ = ["NewTopic", "create_topic", "elect_preferred"]

_DEFAULT_REPLICATION = 3
_READY_SECONDS = 30.0
_PREFERRED = 0  # kind of election


@dataclass(frozen=True)
class NewTopic:
    """A topic to be: its name, the replicas of each partition (the first leads), and its settings."""

    name: str
    assignments: dict[int, list[int]]
    config: dict[str, str]

    @classmethod
    def checked(
        cls,
        name: str,
        partitions: int,
        replication_factor: int | None,
        config: Mapping[str, object] | None,
        running: list[int],
    ) -> NewTopic:
        """Return the topic, or raise for what cannot be; see :meth:`kafkalab.Cluster.create_topic`."""
        check_topic_name(name)
        if not running:
            raise NotRunning("no broker of this cluster is running: start one with cluster.broker(1).start().")
        count = _positive("partitions", partitions)
        replicas = min(_DEFAULT_REPLICATION, len(running))
        if replication_factor is not None:
            replicas = _positive("replication_factor", replication_factor)
        if replicas > len(running):
            raise InvalidArgument(
                f"replication_factor={replicas} is more than the {len(running)} running brokers: "
                f"ask for at most {len(running)}, or start more brokers."
            )
        settings = {key: kafka_value(value) for key, value in (config or {}).items()}
        return cls(name, _in_turn(count, replicas, running), settings)


def _positive(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from 1.")
    return value


def _in_turn(partitions: int, replicas: int, brokers: list[int]) -> dict[int, list[int]]:
    """Assign partition p to the brokers p, p+1, ... of the list, round and round."""
    count = len(brokers)
    return {p: [brokers[(p + i) % count] for i in range(replicas)] for p in range(partitions)}


def create_topic(
    admin: PatientAdmin,
    backend: Backend,
    topic: NewTopic,
    *,
    about_to: Callable[[], None] = lambda: None,
    may_elect: bool = True,
) -> None:
    """Create ``topic``; return when every running broker shows its leaders and full ISRs, and the leaders lead.

    Args:
        admin: asks the cluster.
        backend: runs it.
        topic: is to be.
        about_to: called when nothing but the creation is left: what is there afterwards is ours.
        may_elect: whether leaders that are not the first replica are moved there; else they stay as Kafka chose them.

    Raises:
        TopicExists: there is such a topic.
        InvalidArgument: Kafka refuses; its own reason is in the message.
    """
    _Creation(topic, about_to).run(admin)

    def look() -> Mapping[int, View | OSError]:
        views = backend.views([topic.name])
        if may_elect and (moved := _moved(views.values(), topic)):
            admin.ask(lambda client: elect_preferred(client, moved))
        return views

    wait_until(
        look,
        lambda views: bool(views) and all(_is_ready(view, topic, may_elect) for view in views.values()),
        what=f"topic {topic.name} with a leader and a full ISR everywhere",
        timeout=_READY_SECONDS,
        every=0.005,
    )
    # A broker tells that it leads a moment before it does; it knows offsets only as a leader.
    offsets = {TopicPartition(topic.name, partition): OffsetSpec.LATEST for partition in topic.assignments}
    admin.ask(lambda client: client.list_partition_offsets(offsets), _READY_SECONDS)


class _Creation:
    """The creation of one topic, which tells its own topic from one that was there before.

    A request may be carried out and asked again all the same: by us when the answer is lost with a broker, and, unseen
    by any client, by the broker that forwards it (KIP-590) when the active controller resigns between the deed and
    the answer. The second answer is then that the topic exists. So the controller is asked first without doing it
    (``validate_only``): where it would have created the topic, a topic that exists afterwards is the one asked for.
    """

    def __init__(self, topic: NewTopic, about_to: Callable[[], None]) -> None:
        self._topic = topic
        self._about_to = about_to
        self._request = {topic.name: {"assignments": topic.assignments, "configs": topic.config}}
        self._is_free = False

    def run(self, admin: PatientAdmin) -> None:
        # One question for both: what other threads of this cluster create comes before the first, or after the second.
        admin.ask(self._ask)

    def _ask(self, client: Any) -> None:
        if not self._is_free:
            self._raise_for(*_answer(client.create_topics(self._request, validate_only=True, raise_errors=False)))
            self._is_free = True
            self._about_to()
        error, message = _answer(client.create_topics(self._request, raise_errors=False))
        if error is not TopicAlreadyExistsError:
            self._raise_for(error, message)

    def _raise_for(self, error: type[KafkaError], message: str) -> None:
        name = self._topic.name
        if error is TopicAlreadyExistsError:
            raise TopicExists(
                f"topic {name!r} exists already: choose another name, or use it as it is. Where a cell of a notebook "
                "ran twice, restart the kernel and run up to that cell."
            )
        if error is TopicAuthorizationFailedError:
            raise InvalidArgument(
                f"this cluster does not let you create topic {name!r}: give the prefix that your rights begin with, "
                "as prefix=, or in KAFKALAB_PREFIX."
            )
        if error is not NoError:
            raise InvalidArgument(f"Kafka refuses topic {name!r}: {message}")


def _answer(response: Any) -> tuple[type[KafkaError], str]:
    """Return the error and its message for the one topic asked for.

    Raises:
        KafkaError: asked again, it may answer otherwise.
    """
    (result,) = response["topics"]
    error: type[KafkaError] = for_code(result["error_code"])
    message = result["error_message"] or error.__name__
    if error is not NoError and error.retriable:
        raise error(message)
    return error, message


def _is_ready(view: View | OSError, topic: NewTopic, in_order: bool) -> bool:
    full = {(topic.name, index): frozenset(replicas) for index, replicas in topic.assignments.items()}
    return isinstance(view, View) and view.isr == full and not (in_order and _moved([view], topic))


def _moved(views: Iterable[View | OSError], topic: NewTopic) -> list[tuple[str, int]]:
    """Return the partitions that another than their first replica leads, though that one is in sync.

    A broker that was fenced for a moment gets no office, and keeps none: on a busy machine one is, now and then.
    """
    seen = [item for view in views if isinstance(view, View) for item in view.partitions.items()]
    first = {(topic.name, index): replicas[0] for index, replicas in topic.assignments.items()}
    return sorted({key for key, each in seen if each.leader != first[key] and first[key] in each.isr})


def elect_preferred(client: Any, partitions: Iterable[tuple[str, int]]) -> object:
    """Ask for the first replica of each partition to lead; where it cannot, another goes on leading."""
    wanted: dict[str, list[int]] = {}
    for topic, partition in partitions:
        wanted.setdefault(topic, []).append(partition)
    return client.elect_leaders(_PREFERRED, wanted, raise_errors=False)
