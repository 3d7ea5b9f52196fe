from __future__ import annotations

import json
import math

from kafkalab.cli.chronicle import chronicle, firing_as_dict, recovery_of
from kafkalab.cli.experiment import KINDS
from kafkalab.faults import Observation
from kafkalab.ledger import Recovery
from tests.unit.cli.conftest import make_firing

KIND = KINDS["kill-leader"]
STOP = KINDS["stop-leader"]
BACK = "broker 1 is back in the cluster, and known to every broker"
SEEN = Observation(2.5, (2, 3), leader=2, isr=(2, 3))
KILLED = "kill broker 1, leader of stock-prices-0 (320 sent, 300 acknowledged)"


def test_what_happened_is_told_in_the_order_of_time() -> None:
    firing = make_firing(103.0, seen=SEEN, done_at=103.01, undo_at=107.0, undone_at=108.25, in_sync_at=109.0)
    told = chronicle([firing], 100.0, KIND, [Recovery(firing.name, firing.at, 3.0)])
    assert [str(entry) for entry in told] == [
        f"   3.00 s  {KILLED}",
        "   5.50 s  broker 2 leads stock-prices-0 now; in-sync replicas: 2, 3",
        "   6.00 s  every partition had taken new records, 3.00 s after the fault",
        "   7.00 s  broker 1 is started again",
        f"   8.25 s  {BACK}",
        "   9.00 s  broker 1 has fetched what it missed: it is an in-sync replica of stock-prices-0 again",
    ]


def test_what_takes_its_time_is_told_when_it_is_complete() -> None:
    firing = make_firing(103.0, seen=SEEN, done_at=105.0)
    told = chronicle([firing], 100.0, STOP, [Recovery(firing.name, firing.at, 2.25)])
    assert [str(entry) for entry in told][1:3] == [
        "   5.00 s  broker 1 has ended in good order",
        "   5.25 s  every partition had taken new records, 0.25 s after the fault was complete",
    ]


def test_back_in_the_cluster_is_not_in_sync() -> None:
    firing = make_firing(103.0, seen=SEEN, undo_at=107.0, undone_at=108.25)
    ended = "the run ended before broker 1 was an in-sync replica of stock-prices-0 again"
    assert [entry.text for entry in chronicle([firing], 100.0, KIND)][-1] == BACK
    assert [entry.text for entry in chronicle([firing], 100.0, KIND, [])][-2:] == [BACK, ended]


def test_who_never_left_does_not_come_back() -> None:
    same = Observation(0.1, (1, 2, 3), leader=1, isr=(1, 2, 3))
    firing = make_firing(103.0, seen=same, undo_at=107.0, undone_at=107.01, in_sync_at=107.01)
    assert [entry.text for entry in chronicle([firing], 100.0, KIND)] == [KILLED, "broker 1 is started again", BACK]
    slowed = chronicle([firing], 100.0, KINDS["slow-leader"])
    assert [entry.text for entry in slowed] == [KILLED, "broker 1 has its full speed again"]


def test_while_it_goes_on_only_what_is_known_is_told() -> None:
    assert [entry.text for entry in chronicle([make_firing(103.0)], 100.0, KIND)] == [KILLED]


def test_a_leader_that_stayed_is_no_news() -> None:
    same = Observation(0.1, (1, 2, 3), leader=1, isr=(1, 2, 3))
    assert [entry.text for entry in chronicle([make_firing(103.0, seen=same)], 100.0, KIND)] == [KILLED]


def test_a_recovery_that_was_not_seen() -> None:
    firing = make_firing(103.0)
    nothing = [Recovery(firing.name, firing.at, math.nan), Recovery("another", 90.0, 1.0)]
    assert recovery_of(firing, nothing) is None
    assert [entry.text for entry in chronicle([firing], 100.0, KIND, nothing)] == [
        KILLED,
        "the run ended before every partition had taken new records",
    ]


def test_a_fault_that_could_not_be() -> None:
    firing = make_firing(103.0)
    firing.error = "it is stopped already."
    (entry,) = chronicle([firing], 100.0, KIND, [])
    assert entry.text == "could not kill broker 1, leader of stock-prices-0: it is stopped already."


def test_a_firing_for_programs() -> None:
    firing = make_firing(103.0, seen=SEEN, done_at=103.5)
    told = firing_as_dict(firing, 100.0, [Recovery(firing.name, firing.at, 3.0)])
    assert json.loads(json.dumps(told, allow_nan=False)) == {
        "name": "kill broker 1, leader of stock-prices-0",
        "targets": [1],
        "fired": 3.0,
        "done": 3.5,
        "undo": None,
        "undone": None,
        "in_sync": None,
        "sent": 320,
        "acknowledged": 300,
        "seen_after": 2.5,
        "leader": 2,
        "isr": [2, 3],
        "recovered_after": 3.0,
        "error": None,
    }
    unseen = firing_as_dict(make_firing(103.0), 100.0, [])
    assert [unseen[name] for name in ("seen_after", "leader", "isr", "recovered_after")] == [None] * 4
