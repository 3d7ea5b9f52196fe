"""Every error kafkalab raises on purpose, as one tree.

.. code-block:: text

    KafkalabError
    ├── InvalidArgument (ValueError)      a value that cannot be right: brokers=0, an illegal topic name
    │   └── TopicExists                   a topic of that name is already there
    ├── EnvironmentProblem                this machine cannot do it as it is now
    │   ├── JavaProblem                   no Java, or one that is too old
    │   ├── CacheProblem                  the cache folder is read-only or full
    │   ├── DownloadFailed                a jar could not be fetched
    │   ├── CorruptJar                    a jar differs from its locked SHA-256
    │   ├── EngineProblem                 no container engine, no right to use it, or no image
    │   ├── NotEnoughMemory               the cluster asked for does not fit
    │   └── PortInUse                     the port asked for is taken
    ├── BrokerFailed                      a broker ended by itself; its last log lines are shown
    ├── ToolFailed                        one of Kafka's command-line tools failed; shows what it said
    │   └── ToolRefused                   the cluster does not let this user do that
    ├── ClusterUnreachable                no broker answers at the address of a borrowed cluster
    │   └── AccessRefused                 one answers, and does not let this client in
    ├── NotRunning                        the cluster or broker is not in a state to do that
    ├── SnapshotUnusable                  a file is no snapshot of a cluster, or is damaged, or newer than this kafkalab
    ├── TrafficFailed                     simulated traffic could not go on; what was sent so far is in its ledger
    ├── ApplicationFailed                 an application that reads the traffic ended by itself, or came no further
    ├── WaitTimeout (TimeoutError)        an awaited state was not observed in time; shows the last observation
    └── UnsupportedByBackend              this kind of cluster cannot do that
        └── BorrowedCluster               nobody can who has only borrowed it

``kafkalab.courseware`` adds its own under the same root, beside the exercises that raise them.
A message says in one sentence what happened, with the value, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "AccessRefused",
    "ApplicationFailed",
    "BorrowedCluster",
    "BrokerFailed",
    "CacheProblem",
    "ClusterUnreachable",
    "CorruptJar",
    "DownloadFailed",
    "EngineProblem",
    "EnvironmentProblem",
    "InvalidArgument",
    "JavaProblem",
    "KafkalabError",
    "NotEnoughMemory",
    "NotRunning",
    "PortInUse",
    "SnapshotUnusable",
    "ToolFailed",
    "ToolRefused",
    "TopicExists",
    "TrafficFailed",
    "UnsupportedByBackend",
    "WaitTimeout",
]


class KafkalabError(Exception):
    """The root: catch this to catch everything kafkalab raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: the message says what to do, and forty lines of our own code before it do not.
        return [f"{type(self).__name__}: {self}"]


class InvalidArgument(KafkalabError, ValueError):
    """A value that cannot be right, found before anything was started."""


class TopicExists(InvalidArgument):
    """A topic of that name is already there."""


class EnvironmentProblem(KafkalabError):
    """This machine cannot do what was asked as it is now."""


class JavaProblem(EnvironmentProblem):
    """No Java, or one that is too old for Apache Kafka."""


class CacheProblem(EnvironmentProblem):
    """The cache folder cannot be written: read-only, or the disk is full."""


class DownloadFailed(EnvironmentProblem):
    """A jar could not be fetched: no network, or the repository refused."""


class CorruptJar(EnvironmentProblem):
    """A jar differs from the SHA-256 in the lock file."""


class EngineProblem(EnvironmentProblem):
    """The container engine is not there, is not for this user, has no image, or refused."""


class NotEnoughMemory(EnvironmentProblem):
    """The cluster asked for does not fit into this machine's memory."""


class PortInUse(EnvironmentProblem):
    """The port asked for is taken by another program."""


class BrokerFailed(KafkalabError):
    """A broker process ended by itself; the message carries its own reason."""


class ToolFailed(KafkalabError):
    """One of Kafka's own command-line tools failed; the message carries what it said."""


class ToolRefused(ToolFailed):
    """It failed because the cluster does not give this user the right to do that."""


class ClusterUnreachable(KafkalabError):
    """No broker answers at the address of a borrowed cluster."""


class AccessRefused(ClusterUnreachable):
    """A broker of a borrowed cluster answers, and does not let this client in."""


class NotRunning(KafkalabError):
    """The cluster, or the broker, is not in a state to do that."""


class SnapshotUnusable(KafkalabError):
    """A file is no snapshot of a cluster, or is damaged, or newer than this kafkalab."""


class TrafficFailed(KafkalabError):
    """Simulated traffic could not go on: a topic is gone, or nobody acknowledges.

    Attributes:
        run: the :class:`~kafkalab.traffic.Run`, whose ledger has what was sent so far; None if it did not begin.
    """

    def __init__(self, message: str, run: object = None) -> None:
        super().__init__(message)
        self.run = run


class ApplicationFailed(KafkalabError):
    """An application that reads the traffic ended by itself, or came no further; the message has its last words."""


class WaitTimeout(KafkalabError, TimeoutError):
    """An awaited state was not observed before the deadline.

    Attributes:
        last: the last observation, as it was returned by the observing function, or the error it raised.
    """

    def __init__(self, message: str, last: object = None) -> None:
        super().__init__(message)
        self.last = last


class UnsupportedByBackend(KafkalabError):
    """This kind of cluster cannot do that; the message says which can."""


class BorrowedCluster(UnsupportedByBackend):
    """It needs the brokers' processes or files, or a right that this guest lacks, and they are somebody else's.

    Attributes:
        reason: what cannot be done, without what to do about it and without a full stop.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f'{self.reason}: use a cluster of your own, Cluster(backend="local").'
