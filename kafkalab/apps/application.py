"""An application: as many tasks as its inputs ask for, each behind the merge of its partitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from kafkalab.apps.merge import Input, Merge, Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import Task
from kafkalab.errors import InvalidArgument

__all__ = ["Application"]

Partitions = Mapping[str, "int | Iterable[int]"]


class Application:
    """Runs a kind of task over the partitions of its topics; knows nothing of Kafka but records, positions and state.

    A consumer reads records, gives them to :meth:`process`, sends or shows what comes back, and then keeps
    :meth:`state` and commits :meth:`positions`. After a crash it restores the last state it kept, and seeks to the
    positions: what was read again changes nothing, outputs since then come once more, the same ones.

    Args:
        task: what runs, as :class:`~kafkalab.apps.stocks.Analyst`.
        partitions: for each topic that it reads how many partitions there are, or the numbers of those it reads.
        disorder_ms: see :class:`~kafkalab.apps.merge.Merge`; needed where several producers write to a partition.

    Raises:
        InvalidArgument: the topics are not those of the task, or their partitions do not go together.
    """

    def __init__(self, task: type[Task], partitions: Partitions, disorder_ms: int = 0) -> None:
        self._kind = task
        inputs = _checked_inputs(task, partitions)
        names = {given: _task_of(task, given) for given in inputs}
        groups = {name: [given for given in inputs if names[given] == name] for name in names.values()}
        self._tasks = {name: (Merge(group, disorder_ms), task()) for name, group in groups.items()}
        self._routes = {given: self._tasks[name] for given, name in names.items()}

    def process(self, records: Iterable[Received]) -> list[Output]:
        """Take the next records, those of a partition in its order, and return what can be said now.

        Outputs of one task are in order. Those of different tasks interleave as their records came: compare them as
        a table, :func:`~kafkalab.apps.output.as_frame`.

        Raises:
            InvalidArgument: a record is of a partition that it does not read.
        """
        batches: dict[Input, list[Received]] = defaultdict(list)
        for record in records:
            batches[record.topic, record.partition].append(record)
        for given, batch in batches.items():
            self._route(given)[0].add(batch)
        return self._run({id(self._routes[given]): self._routes[given] for given in batches}.values())

    def advance(self, topic: str, partition: int, time_ms: int) -> list[Output]:
        """Promise that this input has nothing before ``time_ms`` beyond what was processed; return what follows.

        Raises:
            InvalidArgument: it does not read that partition.
        """
        route = self._route((topic, partition))
        route[0].advance(topic, partition, time_ms)
        return self._run([route])

    def finish(self) -> list[Output]:
        """Promise the end of all inputs; return the rest. Whatever comes afterwards is late."""
        for merge, _ in self._tasks.values():
            merge.finish()
        return self._run(self._tasks.values())

    def _run(self, routes: Iterable[tuple[Merge, Task]]) -> list[Output]:
        return [output for merge, task in routes for output in task.run(merge.ready(), merge.watermark)]

    def _route(self, given: Input) -> tuple[Merge, Task]:
        if given not in self._routes:
            raise InvalidArgument(
                f"{self._kind.__name__} does not read {given[0]}-{given[1]}: name it in its partitions, or leave its "
                "records out."
            )
        return self._routes[given]

    def progress(self) -> dict[Input, tuple[int, int]]:
        """Return for each topic and partition the offset to be read next, and how many records were worked on.

        The first is 0 before the first record, wherever that is; the second counts from the start of this object.
        """
        return {given: progress for merge, _ in self._tasks.values() for given, progress in merge.progress().items()}

    def positions(self) -> dict[Input, int]:
        """Return for each topic and partition the offset to commit: of the first record not yet worked on."""
        return {given: offset for merge, _ in self._tasks.values() for given, offset in merge.positions().items()}

    @property
    def counts(self) -> dict[str, int]:
        """Return how many records were ``redelivered`` (skipped), ``late`` (in their partition, by more than
        ``disorder_ms``), and ``too_late`` for their window.
        """
        merges, tasks = zip(*self._tasks.values(), strict=True)
        return {
            "redelivered": sum(merge.redelivered for merge in merges),
            "late": sum(merge.late for merge in merges),
            "too_late": sum(task.too_late for task in tasks),
        }

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on, JSON-able: small, since records that wait are read again."""
        tasks = {name: {"merge": merge.state(), "task": task.state()} for name, (merge, task) in self._tasks.items()}
        return {"application": self._kind.__name__, "tasks": tasks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, before the first record; tasks that it does not have begin anew.

        So a member of a group can take over some partitions of another, with that one's state.

        Raises:
            InvalidArgument: the state is another application's, or of other partitions.
        """
        if state["application"] != self._kind.__name__:
            raise InvalidArgument(
                f"this state is of {state['application']}, and cannot be restored to {self._kind.__name__}."
            )
        for name, (merge, task) in self._tasks.items():
            if name in state["tasks"]:
                merge.restore(state["tasks"][name]["merge"])
                task.restore(state["tasks"][name]["task"])


def _task_of(task: type[Task], given: Input) -> str:
    """Return the name of the task that an input belongs to."""
    return {"input": f"{given[0]}-{given[1]}", "partition": str(given[1]), "all": "all"}[task.together]


def _checked_inputs(task: type[Task], partitions: Partitions) -> list[Input]:
    if set(partitions) != set(task.reads):
        raise InvalidArgument(
            f"{task.__name__} reads {', '.join(task.reads)}, not {', '.join(map(str, partitions)) or 'nothing'}: "
            "give the partitions of each of its topics."
        )
    numbers = {topic: sorted(range(n) if isinstance(n, int) else set(n)) for topic, n in partitions.items()}
    if not all(numbers.values()):
        raise InvalidArgument(f"partitions={dict(partitions)!r} is not possible: a topic has at least one.")
    if task.together == "partition" and len({tuple(each) for each in numbers.values()}) > 1:
        raise InvalidArgument(
            f"{task.__name__} needs the same partitions of {', '.join(task.reads)}, and was given {numbers}: create "
            "the topics with the same number of partitions."
        )
    return [(topic, number) for topic in task.reads for number in numbers[topic]]
