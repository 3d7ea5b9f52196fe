"""What applications say: frozen rows, which can be sent as records and shown as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from typing import ClassVar

import orjson
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import Record

__all__ = ["Output", "as_frame"]

_DTYPES = {"int": "int64", "float": "float64", "float | None": "float64", "str": "str", "bool": "bool"}


@dataclass(frozen=True, slots=True)
class Output:
    """A row that an application gives out.

    Attributes:
        topic: where it is written, by the name without any prefix; None where it is for people to read.
        key: name of the field that is the record's key, as text.
        time_ms: the event time it is about or was decided at, milliseconds since 1970; each kind says which.
    """

    topic: ClassVar[str | None] = None
    key: ClassVar[str]
    time_ms: int

    def record(self) -> Record:
        """Return it as a record to be sent; its value is the row as a JSON object.

        Raises:
            InvalidArgument: it has no topic.
        """
        if self.topic is None:
            raise InvalidArgument(f"{type(self).__name__} has no topic to be sent to: show it, or choose a topic.")
        return Record(self.topic, str(getattr(self, self.key)).encode(), orjson.dumps(self), self.time_ms)


def as_frame(kind: type[Output], outputs: Iterable[Output]) -> pd.DataFrame:
    """Return the outputs of one kind as a table, sorted by ``time_ms`` and key.

    Columns are the fields of ``kind`` in their order, as int64, float64 (None is NaN), str or bool; also without rows.
    """
    rows = [astuple(output) for output in outputs if type(output) is kind]
    dtypes = {field.name: _DTYPES[str(field.type)] for field in fields(kind)}
    table = pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)
    return table.sort_values(["time_ms", kind.key], kind="stable", ignore_index=True)
