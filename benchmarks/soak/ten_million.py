"""Ten million records in one ledger, sent, acknowledged, read back and judged, in less than a gigabyte.

As a program, ``python -m benchmarks.soak.ten_million COUNT`` does it in a process of its own, so that what is
measured is the ledger's: it prints the share done so far, line by line, and at the end what came out, as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Self
from zlib import crc32

import numpy as np

from benchmarks.soak.lessons import PROJECT
from benchmarks.soak.outcome import Advance, Outcome, Soak, faults_of
from kafkalab.ledger import Ledger, PartitionBounds, Session, StoredBatch, Verdict
from kafkalab.ledger.identity import encode

__all__ = ["SOAK", "Result", "measure"]

_RECORDS = 10_000_000
_QUICK_RECORDS = 500_000
_LIMIT_BYTES = 10**9
_SESSIONS = 4
_PLACES = [(topic, partition) for topic in ("orders", "payments") for partition in range(6)]
_BLOCK = 5000  # records that one session sends to one partition at a time
_PLANTED_EVERY = 100  # blocks
_LOST, _DOUBLED = 7, 4321  # rows of such a block
_PLANTED = {"lost": _LOST, "duplicated": _DOUBLED}
_SHARE_OF_FILLING = 0.7
_KEYS = [b"key-%d" % (row % 1000) for row in range(_BLOCK)]
_VALUES = [b"%0100d" % row for row in range(_BLOCK)]
_SUMS = [np.array([crc32(part) for part in column], np.uint32) for column in (_KEYS, _VALUES)]


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        peak_bytes: the most memory that the process had resident (RSS).
        filling: seconds until all was sent and acknowledged.
        verifying: seconds until the verdict.
        wrong: what the verdict says that is not so; "" for nothing.
    """

    peak_bytes: int
    filling: float
    verifying: float
    wrong: str


@dataclass(frozen=True)
class _Block:
    """Records in a row, of one session and in one partition; anomalies are planted in each hundredth."""

    number: int

    @property
    def session(self) -> int:
        return self.number % _SESSIONS

    @property
    def place(self) -> tuple[str, int]:
        return _PLACES[self.number % len(_PLACES)]

    @property
    def first_sequence(self) -> int:
        return self.number // _SESSIONS * _BLOCK

    @property
    def first_offset(self) -> int:
        return self.number // len(_PLACES) * (_BLOCK + 1)  # room for a copy

    @property
    def is_planted(self) -> bool:
        return self.number % _PLANTED_EVERY == 0

    def send(self, session: Session) -> None:
        """Tell the session that all of it was sent, and acknowledged."""
        rows = np.arange(_BLOCK)
        topic, partition = self.place
        session.identities(_BLOCK)
        session.sent(self.first_sequence, topic, _KEYS, _VALUES, float(self.number))
        partitions = np.full(_BLOCK, partition)
        session.acknowledged(self.first_sequence + rows, partitions, self.first_offset + rows, self.number + 0.5)

    def stored(self, session: int) -> StoredBatch:
        """Return what a reader finds of it: all, but for a planted block, where one is missing and one is doubled."""
        rows = offsets = np.arange(_BLOCK)
        if self.is_planted:
            rows, offsets = np.append(rows, _DOUBLED), np.arange(_BLOCK + 1)
            rows, offsets = np.delete(rows, _LOST), np.delete(offsets, _LOST)
        identities = encode(session, self.first_sequence, _BLOCK)
        keys, values = (sums[rows] for sums in _SUMS)
        return StoredBatch(*self.place, self.first_offset + offsets, [identities[row] for row in rows], keys, values)


class _Log:
    """What a reader finds of some blocks; it is also the one reading of it."""

    def __init__(self, blocks: Sequence[_Block], sessions: Sequence[int]) -> None:
        self._blocks = blocks
        self._sessions = sessions
        # Blocks come in the order of their offsets: the last of each place tells its end.
        ends = {block.place: block.first_offset + _BLOCK + 1 for block in blocks}
        self.bounds = {place: PartitionBounds(0, end, reached=True, compacts=False) for place, end in ends.items()}

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> Self:
        return self

    def __iter__(self) -> Iterator[StoredBatch]:
        return (block.stored(self._sessions[block.session]) for block in self._blocks)


def measure(records: int, advance: Advance) -> Result:
    """Fill a ledger with so many records (a multiple of 5,000), read them back out of a log, and verify.

    In each hundredth block of 5,000 records one is lost and one is found twice.
    """
    blocks = [_Block(number) for number in range(records // _BLOCK)]
    ledger = Ledger()
    sessions = [ledger.session() for _ in range(_SESSIONS)]
    began = time.perf_counter()
    for block in blocks:
        block.send(sessions[block.session])
        advance(_SHARE_OF_FILLING * (block.number + 1) / len(blocks))
    filled = time.perf_counter()
    verdict = ledger.verify(_Log(blocks, [session.number for session in sessions]))
    verified = time.perf_counter()
    wrong = [what for kind, row in _PLANTED.items() for what in _wrong(verdict, kind, row, blocks, sessions)]
    return Result(_peak_bytes(), filled - began, verified - filled, "; ".join(wrong + _others(verdict)))


def _wrong(verdict: Verdict, kind: str, row: int, blocks: Sequence[_Block], sessions: Sequence[Session]) -> list[str]:
    table = verdict.table(kind)
    found = set(zip(table["session"].tolist(), table["sequence"].tolist(), strict=True))
    planted = {(sessions[each.session].number, each.first_sequence + row) for each in blocks if each.is_planted}
    differing = len(found ^ planted) or len(table) - len(planted)
    return [f"{differing} records are wrongly {kind}, or not named"] if differing else []


def _others(verdict: Verdict) -> list[str]:
    return [fault for fault in faults_of(verdict) if not fault.endswith(tuple(_PLANTED))]


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def _run(quick: bool, advance: Advance) -> Outcome:
    records = _QUICK_RECORDS if quick else _RECORDS
    command = [sys.executable, "-m", __name__, str(records)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = ""
        for last in process.stdout:
            if not last.startswith("{"):
                advance(float(last))
    if process.returncode:
        return Outcome("failed", f"the measuring process ended with exit code {process.returncode}")
    advance(1.0)
    return _outcome(records, Result(**json.loads(last)))


def _outcome(records: int, result: Result) -> Outcome:
    used = f"peak {result.peak_bytes / 10**6:,.0f} MB"
    failures = [result.wrong] if result.wrong else []
    failures += [f"{used}, more than {_LIMIT_BYTES / 10**6:,.0f}"] if result.peak_bytes > _LIMIT_BYTES else []
    times = f"filled in {result.filling:.1f} s, verified in {result.verifying:.1f} s"
    return Outcome.of(failures, f"{records:,} records: {used}, {times}, every planted anomaly named")


SOAK = Soak("ledger", "10,000,000 records in the ledger under 1 GB", _run)

if __name__ == "__main__":
    outcome = measure(int(sys.argv[1]), lambda share: print(share, flush=True))
    print(json.dumps(asdict(outcome)))
