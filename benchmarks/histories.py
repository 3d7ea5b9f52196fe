"""Generated histories of sending and storing, with anomalies planted at known records.

A history is a ledger that was told of sends and outcomes, and a log held in memory that a reader could have found:
several producer sessions, topics and partitions, gaps in the offsets, foreign records, retention, compaction, aborted
transactions, observations and processors. Anomalies are planted at records of their own, so that the verdict must
name exactly these. The same plan gives the same history.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from benchmarks.memory_log import MemoryLog, Place, Slot, as_batch
from kafkalab.ledger import Ledger, PartitionBounds, Session, Verdict
from kafkalab.ledger.anomalies import KINDS
from kafkalab.ledger.book import CHUNK

__all__ = ["PLANTED", "History", "Plan", "differences", "make_history"]

#: The kinds that can be planted; "seen" is a record that a consumer saw otherwise, which counts as changed.
PLANTED = (
    "lost",
    "duplicated",
    "reordered",
    "changed",
    "seen",
    "aborted_visible",
    "failed_visible",
    "processed_twice",
    "unprocessed",
)
#: Those that are decided when a record is sent.
_FATES = ("lost", "duplicated", "changed", "seen", "aborted_visible", "failed_visible")
_ORDINARY = ("acknowledged", "unknown")
_USUAL = (*_ORDINARY, "gone", "failed")
_SHARES = (0.75, 0.1, 0.08, 0.07)
_OUTPUT = "results"
Row = tuple[int, int, str, int, int]
Slots = list[tuple["_Sent | None", Slot]]


@dataclass(frozen=True)
class Plan:
    """What a history is to be like.

    Attributes:
        seed: of its random numbers.
        records: sent by all sessions together.
        sessions: how many.
        topics: how many; the last of several is compacted.
        partitions: of each topic.
        committed: whether it is read as a reader of committed records does.
        planted: how many anomalies of each kind; fewer where not as many records suit.
    """

    seed: int
    records: int = 200
    sessions: int = 3
    topics: int = 2
    partitions: int = 2
    committed: bool = True
    planted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """What a ledger was told, a log, and what the verdict must be.

    Attributes:
        committed: how it is to be read.
        expected: of each kind the rows (session, sequence, topic, partition, offset), sorted.
        counts: the other counts of the verdict.
    """

    ledger: Ledger
    log: MemoryLog
    committed: bool
    expected: Mapping[str, Sequence[Row]]
    counts: Mapping[str, int]


@dataclass
class _Sent:
    """One record, and what is to happen to it."""

    session: Session
    sequence: int
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int
    identity: bytes
    fate: str
    aborted: bool
    offset: int = -1

    @property
    def place(self) -> Place:
        return self.topic, self.partition

    @property
    def acknowledged(self) -> bool:
        return self.fate not in {"failed", "failed_visible", "unknown", "gone"}

    @property
    def ordinary(self) -> bool:
        return self.fate in _ORDINARY

    def row(self, offset: int) -> Row:
        return self.session.number, self.sequence, self.topic, self.partition, offset


def make_history(plan: Plan) -> History:
    """Return the history of a plan."""
    return _Writer(plan).history()


def differences(history: History, verdict: Verdict) -> list[str]:
    """Return what the verdict says otherwise than it must; empty where it is right."""
    found = {
        kind: list(verdict.table(kind)[["session", "sequence", "topic", "partition", "offset"]].itertuples(index=False))
        for kind in history.expected
    }
    wrong = [
        f"{kind}: {sorted(map(tuple, found[kind]))} instead of {sorted(rows)}"
        for kind, rows in history.expected.items()
        if sorted(map(tuple, found[kind])) != sorted(rows)
    ]
    wrong += [
        f"{name}: {verdict.counts[name]} instead of {count}"
        for name, count in {**history.counts, **{kind: len(rows) for kind, rows in history.expected.items()}}.items()
        if verdict.counts[name] != count
    ]
    return wrong + ([] if verdict.verified else [verdict.reason])


class _Writer:
    """Writes one history: sends, then what the log keeps of them, then what is planted, then what must be said."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = np.random.default_rng(plan.seed)
        self.ledger = Ledger()
        self.sessions = [self.ledger.session(number + 1) for number in range(plan.sessions)]
        self.topics = [f"topic{number}" for number in range(plan.topics)]
        self.compacted = self.topics[-1] if plan.topics > 1 else ""
        self.places = [(topic, number) for topic in self.topics for number in range(plan.partitions)]
        self.ends = dict.fromkeys(self.places, 0)
        self.slots: dict[Place, Slots] = {place: [] for place in self.places}
        self.expected: dict[str, list[Row]] = {kind: [] for kind in KINDS}
        self.sent: list[_Sent] = []

    def history(self) -> History:
        """Take every step."""
        self.send()
        for record in self.sent:
            self.write(record)
        self.settle()
        starts = {place: self.retain(place) for place in self.places}
        self.compact()
        self.reorder()
        self.duplicate()
        self.observe()
        self.note_missing(starts)
        output = self.process()
        log = MemoryLog(
            {place: [slot for _, slot in slots] for place, slots in self.slots.items()} | {(_OUTPUT, 0): output},
            {place: self.bounds(place, starts[place]) for place in self.places},
            batch=int(self.rng.integers(1, 40)),
        )
        return History(self.ledger, log, self.plan.committed, self.expected, self.counts())

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def send(self) -> None:
        """Hand every record to the ledger, in runs of one session each."""
        for session in self.sessions:
            # Numbers that were reserved and never used; the records then lie on both sides of a chunk's end.
            session.identities(CHUNK - 20 if self.chance(0.3) else 0)
        fates = self.fates()
        while fates:
            session = self.sessions[self.rng.integers(len(self.sessions))]
            count = min(int(self.rng.integers(1, 9)), len(fates))
            first, identities = session.next_sequence, session.identities(count)
            run = [
                self.draw(session, first + index, identity, fates.pop()) for index, identity in enumerate(identities)
            ]
            at = float(len(self.sent))
            session.sent(first, [r.topic for r in run], [r.key for r in run], [r.value for r in run], at)
            self.sent += run

    def fates(self) -> list[str]:
        """Draw what is to become of each record."""
        planted = [
            kind
            for kind, count in self.plan.planted.items()
            if kind in _FATES
            for _ in range(count)
            if self.plan.committed or kind != "aborted_visible"
        ][: self.plan.records]
        usual = self.rng.choice(_USUAL, self.plan.records - len(planted), p=_SHARES).tolist()
        return [str(fate) for fate in self.rng.permutation([*planted, *usual])]

    def draw(self, session: Session, sequence: int, identity: bytes, fate: str) -> _Sent:
        """Draw the topic, key and value of a record."""
        topic = self.topics[self.rng.integers(len(self.topics))]
        key = b"key%d" % self.rng.integers(5)
        value = b"value%d" % self.rng.integers(3) if self.chance(0.8) else b"" if self.chance(0.5) else None
        if topic == self.compacted and fate == "lost":
            # Else it could have been compacted.
            key, value = b"once" + identity, b"value"
        partition = crc32(key) % self.plan.partitions
        aborted = fate == "aborted_visible" or (fate in _ORDINARY and self.chance(0.1))
        if topic != self.compacted and self.chance(0.2):
            partition = int(self.rng.integers(self.plan.partitions))
            return _Sent(session, sequence, topic, None, value, partition, identity, fate, aborted)
        return _Sent(session, sequence, topic, key, value, partition, identity, fate, aborted)

    def write(self, record: _Sent) -> None:
        """Append a record to its partition, and now and then one that is not of this ledger."""
        if record.fate in {"failed", "gone"}:
            return
        # A lost record may leave its offset to the next; what a consumer saw there is then told with the lost one.
        self.ends[record.place] += record.fate == "seen"
        record.offset = self.ends[record.place]
        if record.fate != "lost":
            self.append(record, b"!" if record.fate == "changed" else b"")
        elif self.chance(0.5):
            # Its offset stays empty; else the next record gets it.
            self.ends[record.place] += 1
        if self.chance(0.1):
            identity = [None, b"", b"x", b"ffffffff-000000000001"][self.rng.integers(4)]
            # What is lost must not be what another's record could have replaced.
            key = b"another" if record.fate == "lost" else record.key
            self.slots[record.place].append((None, Slot(self.ends[record.place], identity, key, b"foreign")))
            self.ends[record.place] += 1

    def append(self, record: _Sent, more: bytes = b"") -> int:
        """Append a copy of a record, with ``more`` to its value; return its offset."""
        offset = self.ends[record.place]
        hidden = record.aborted and record.fate != "aborted_visible"
        value = (record.value or b"") + more if more else record.value
        self.slots[record.place].append((record, Slot(offset, record.identity, record.key, value, hidden)))
        # Markers of transactions take offsets that no reader sees.
        self.ends[record.place] += 1 + int(self.chance(0.1))
        return offset

    def settle(self) -> None:
        """Tell the ledger the outcomes, in any order."""
        for session in self.sessions:
            mine = [record for record in self.sent if record.session is session]
            good = [record for record in mine if record.acknowledged]
            good = [good[index] for index in self.rng.permutation(len(good))]
            session.acknowledged(
                [record.sequence for record in good],
                [record.partition for record in good],
                [record.offset for record in good],
                float(len(self.sent)),
            )
            session.failed([r.sequence for r in mine if r.fate in {"failed", "failed_visible"}], 0.0, "refused")
            session.aborted([record.sequence for record in mine if record.aborted])

    def retain(self, place: Place) -> int:
        """Remove the oldest records of a partition, none that anything is planted at; return the log start."""
        planted = [
            record.offset
            for record in self.sent
            if record.place == place and record.offset >= 0 and not record.ordinary
        ]
        start = int(self.rng.integers(min(planted, default=self.ends[place]) + 1)) if self.chance(0.5) else 0
        self.slots[place] = [(record, slot) for record, slot in self.slots[place] if slot.offset >= start]
        return start

    def compact(self) -> None:
        """Remove some of what compaction may remove: older records of a key, and tombstones."""
        for place in self.places:
            if place[0] == self.compacted:
                self.slots[place] = self.compact_one(self.slots[place])

    def compact_one(self, slots: Slots) -> Slots:
        """Return what is left of a compacted partition."""
        latest = {slot.key: slot.offset for record, slot in slots if record is None or not record.aborted}
        return [
            (record, slot)
            for record, slot in slots
            if record is None
            or not record.ordinary
            or record.aborted
            or (slot.offset == latest[record.key] and record.value is not None)
            or self.chance(0.5)
        ]

    def reorder(self) -> None:
        """Let pairs of neighbours of one session and key change places."""
        pairs = []
        for place, slots in self.slots.items():
            lines: dict[tuple[int, bytes], list[int]] = defaultdict(list)
            for index, (record, slot) in enumerate(slots):
                if record is not None and not (slot.hidden and self.plan.committed):
                    lines[record.session.number, record.key or b""].append(index)
            pairs += [(place, *pair) for line in lines.values() for pair in zip(line[::2], line[1::2], strict=False)]
        good = [(place, a, b) for place, a, b in pairs if self.is_plain(place, a) and self.is_plain(place, b)]
        for choice in self.rng.permutation(len(good))[: self.plan.planted.get("reordered", 0)]:
            self.swap(*good[choice])

    def is_plain(self, place: Place, index: int) -> bool:
        record, _ = self.slots[place][index]
        return record is not None and record.ordinary and not record.aborted

    def swap(self, place: Place, earlier: int, later: int) -> None:
        """Let two records change places, and note the one that was sent first."""
        slots = self.slots[place]
        (first, one), (second, other) = slots[earlier], slots[later]
        slots[earlier] = (second, replace(other, offset=one.offset))
        slots[later] = (first, replace(one, offset=other.offset))
        if first is not None:
            self.expected["reordered"].append(first.row(other.offset))

    def duplicate(self) -> None:
        """Append copies at the end of the partition, where they reorder nothing."""
        for record in self.sent:
            if record.fate == "duplicated":
                for _ in range(int(self.rng.integers(1, 3))):
                    self.expected["duplicated"].append(record.row(self.append(record)))

    def observe(self) -> None:
        """Let a consumer see some of it, here and there otherwise than it is."""
        for place, slots in self.slots.items():
            self.ledger.observed([as_batch(place, [slot for _, slot in slots if self.chance(0.5)])])
            for record, slot in slots:
                if record is not None and record.fate == "seen":
                    self.ledger.observed([as_batch(place, [replace(slot, value=b"seen")])])
                    self.expected["changed"].append(record.row(slot.offset))
                if record is not None and record.fate == "changed":
                    self.expected["changed"].append(record.row(slot.offset))

    def found(self) -> dict[bytes, tuple[_Sent, int]]:
        """Return the records that a reader finds, by identity, each with the offset of its first copy."""
        found: dict[bytes, tuple[_Sent, int]] = {}
        for record, slot in (each for slots in self.slots.values() for each in slots):
            if record is not None and not (slot.hidden and self.plan.committed):
                found.setdefault(record.identity, (record, slot.offset))
        return found

    def note_missing(self, starts: Mapping[Place, int]) -> None:
        """Note what must be said of acknowledged records that are not there, and of those that should not be."""
        found = self.found()
        for record in self.sent:
            if record.identity in found and record.fate in {"aborted_visible", "failed_visible"}:
                self.expected[record.fate].append(record.row(record.offset))
            if record.acknowledged and not record.aborted and record.identity not in found:
                gone = "expired" if record.offset < starts[record.place] else "compacted"
                self.expected["lost" if record.fate == "lost" else gone].append(record.row(record.offset))

    def process(self) -> list[Slot]:
        """Let two processors work; return what the second one wrote."""
        told = self.ledger.processor("told", self.topics[:1])
        effects = self.effects(self.topics[:1])
        told.done([effects[index] for index in self.rng.permutation(len(effects))])
        self.ledger.processor("written", self.topics, output=_OUTPUT)
        effects = [*self.effects(self.topics), b"none of ours"]
        effects = [effects[index] for index in self.rng.permutation(len(effects))]
        # Every other one once more, by a transaction that was aborted.
        return [Slot(offset, effects[offset // 2], hidden=bool(offset % 2)) for offset in range(2 * len(effects))]

    def effects(self, topics: Sequence[str]) -> list[bytes]:
        """Return an identity for each effect on the records of some topics."""
        times: Counter[bytes] = Counter()
        inputs = {each: record for each, (record, _) in self.found().items() if record.topic in topics}
        due = [each for each, record in inputs.items() if record.acknowledged and not record.aborted]
        never = self.pick(due, "unprocessed")
        for identity in inputs:
            times[identity] = int(identity in due or self.chance(0.5)) if identity not in never else 0
        for identity in self.pick([each for each in inputs if each not in never], "processed_twice"):
            times[identity] = 1 + int(self.rng.integers(1, 3))
        self.note_processing(times, never)
        return list(times.elements())

    def pick(self, identities: Sequence[bytes], kind: str) -> list[bytes]:
        """Draw as many of them as are to be planted."""
        return [identities[i] for i in self.rng.permutation(len(identities))[: self.plan.planted.get(kind, 0)]]

    def note_processing(self, times: Mapping[bytes, int], never: Sequence[bytes]) -> None:
        """Note what must be said of the effects."""
        found = self.found()
        for identity, count in times.items():
            record, offset = found[identity]
            self.expected["processed_twice"] += [record.row(offset)] * (count - 1)
            self.expected["unprocessed"] += [record.row(offset)] * (identity in never)

    def bounds(self, place: Place, start: int) -> PartitionBounds:
        lost = max((record.offset for record in self.sent if record.place == place), default=0)
        end = max(self.ends[place], lost + 1 if self.plan.committed else 0)
        return PartitionBounds(start, end, reached=True, compacts=place[0] == self.compacted)

    def counts(self) -> dict[str, int]:
        """Return the counts that are no anomalies."""
        fates = Counter("failed" if record.fate in {"failed", "failed_visible"} else "" for record in self.sent)
        acknowledged = sum(record.acknowledged for record in self.sent)
        return {
            "sent": len(self.sent),
            "acknowledged": acknowledged,
            "failed": fates["failed"],
            "unknown": len(self.sent) - acknowledged - fates["failed"],
            "stored": len(self.found()),
            "foreign": sum(record is None for slots in self.slots.values() for record, _ in slots),
        }
