from __future__ import annotations

import json
from pathlib import Path

from kafkalab.clusters.copying import copy_data, mark_complete

LOG = """\
[2026-01-01 00:00:00,000] INFO [BrokerLifecycleManager id=1] Successfully registered broker 1 with broker epoch 9 (x)
[2026-01-01 00:00:09,000] INFO [BrokerLifecycleManager id=1] Successfully registered broker 1 with broker epoch 64 (x)
"""


def test_what_kafka_makes_anew_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "data"
    (source / "orders-0").mkdir(parents=True)
    for name in ("0.log", "0.index", "0.timeindex", "0.txnindex", "0.snapshot", "leader-epoch-checkpoint"):
        (source / "orders-0" / name).write_text(name)
    (source / ".lock").touch()
    (source / "meta.properties").touch()
    copy_data(source, tmp_path / "copy")
    copied = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied == {"0.log", "0.txnindex", "0.snapshot", "leader-epoch-checkpoint", "meta.properties"}


def test_the_mark_has_the_last_epoch(tmp_path: Path) -> None:
    mark_complete(tmp_path, LOG)
    assert json.loads((tmp_path / ".kafka_cleanshutdown").read_text()) == {"version": 0, "brokerEpoch": 64}


def test_who_never_registered_has_no_mark(tmp_path: Path) -> None:
    mark_complete(tmp_path, "[2026-01-01 00:00:00,000] INFO [ControllerServer id=101] Starting controller (x)")
    assert list(tmp_path.iterdir()) == []
