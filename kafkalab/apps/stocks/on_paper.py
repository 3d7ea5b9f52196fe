"""What the applications of the stock market give for records that no Kafka has carried: what is to be compared with."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from kafkalab.apps.application import Application
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.stocks.analyst import Analyst
from kafkalab.apps.stocks.decisions import DecisionMaker
from kafkalab.apps.stocks.trading import TradingAlgorithm
from kafkalab.apps.task import Task
from kafkalab.simulation.source import Record

__all__ = ["on_paper"]


def on_paper(records: Iterable[Record]) -> list[Output]:
    """Return the outputs of all three applications, one after the other, as one member each would give them.

    Args:
        records: of :class:`~kafkalab.simulation.Stocks`, in the order of their times.
    """
    told = list(records)
    candles, signals = _outputs(Analyst, told), _outputs(TradingAlgorithm, told)
    with_signals = sorted([*told, *(signal.record() for signal in signals)], key=lambda record: record.timestamp_ms)
    return candles + signals + _outputs(DecisionMaker, with_signals)


def _outputs(task: type[Task], records: Iterable[Record]) -> list[Output]:
    application = Application(task, dict.fromkeys(task.reads, 1))
    mine = (record for record in records if record.topic in task.reads)
    return application.process(_received(number, record) for number, record in enumerate(mine)) + application.finish()


def _received(offset: int, record: Record) -> Received:
    key = None if record.key is None else record.key.decode()
    return Received(record.topic, 0, offset, key, orjson.loads(record.value), record.timestamp_ms)
