"""The topics that records go to: made where they are missing, and looked after while traffic runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.clusters import Cluster
from kafkalab.clusters.reading import LOGGER
from kafkalab.errors import InvalidArgument, TopicExists

__all__ = ["TopicSettings", "TopicsInUse", "missing_topics"]

_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class TopicSettings:
    """How a missing topic is made: the arguments of :meth:`kafkalab.Cluster.create_topic`."""

    partitions: int = 6
    replication_factor: int | None = None
    config: Mapping[str, object] | None = None

    @classmethod
    def of(cls, given: object, partitions: int) -> TopicSettings:
        """Return the settings given for one topic: a number of partitions, or these settings by name.

        Raises:
            InvalidArgument: it is neither.
        """
        if isinstance(given, int):
            return cls(given)
        if isinstance(given, Mapping):
            try:
                return cls(**{"partitions": partitions, **given})
            except TypeError as error:
                raise InvalidArgument(f"topics={given!r}: {error}; give {', '.join(_NAMES)}.") from error
        raise InvalidArgument(f"topics={given!r} is not possible: give a number of partitions, or settings by name.")


_NAMES = tuple(TopicSettings.__dataclass_fields__)


class TopicsInUse:
    """Names as the records carry them, and the real ones; a topic is made when its name is first asked for.

    Args:
        cluster: where they are.
        settings: of the topics that are known beforehand.
    """

    def __init__(self, cluster: Cluster, settings: Mapping[str, TopicSettings]) -> None:
        self._cluster = cluster
        self._settings = settings
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()

    def name(self, planned: str) -> str:
        """Return the real name of a topic.

        Raises:
            InvalidArgument: it is not there, and cannot be made so.
        """
        name = self._names.get(planned)
        return self._made(planned) if name is None else name

    def _made(self, planned: str) -> str:
        with self._lock:
            if planned not in self._names:
                settings = self._settings.get(planned, TopicSettings())
                try:
                    self._names[planned] = self._cluster.create_topic(planned, **vars(settings))
                except TopicExists:
                    self._names[planned] = self._cluster.name(planned)
        return self._names[planned]

    @property
    def names(self) -> dict[str, str]:
        """The real name of each topic that is in use."""
        with self._lock:
            return dict(self._names)


def missing_topics(config: Mapping[str, Any], names: set[str]) -> set[str]:
    """Return which of the topics the cluster does not have; none where no broker answers within two seconds.

    Args:
        config: confluent-kafka's settings that reach it.
        names: real names.
    """
    try:
        return names - set(AdminClient(dict(config), logger=LOGGER).list_topics(timeout=_LOOK_SECONDS).topics)
    except KafkaException:
        return set()
