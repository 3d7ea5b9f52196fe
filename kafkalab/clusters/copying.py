"""Copying a frozen node's data so that Kafka takes it for what it is: complete.

A node that is copied while it is frozen has lost nothing: all that it wrote is in the copy. Kafka would still take the
copy for what a power cut left, and the controller would trust none of its replicas (KIP-966: a replica that was shut
down uncleanly may have lost records), which can leave partitions without a leader. So the copy carries the mark that a
broker writes at an orderly end. It has no offset and time indexes: where these are missing, Kafka reads each segment
through, checks every batch and makes anew both them and the state of its producers, whatever the mark says.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

__all__ = ["copy_data", "mark_complete"]

# Of a running broker indexes are 10 MB each, most of it room for more. The lock belongs to the process.
_LEFT_OUT = shutil.ignore_patterns("*.index", "*.timeindex", ".lock")
# Kafka's CleanShutdownFileHandler; the epoch tells the controller that nobody of that id came in between.
_MARK = ".kafka_cleanshutdown"
_REGISTERED = re.compile(r"Successfully registered broker \d+ with broker epoch (\d+)")


def copy_data(source: Path, target: Path) -> None:
    """Copy a node's log directory, without what Kafka makes anew."""
    shutil.copytree(source, target, ignore=_LEFT_OUT, copy_function=shutil.copyfile)


def mark_complete(data: Path, log: str) -> None:
    """Say in a copied log directory that nothing of it was lost.

    Args:
        data: the copy.
        log: what the node logged; one that never registered as a broker gets no mark, and needs none.
    """
    epochs = _REGISTERED.findall(log)
    if epochs:
        (data / _MARK).write_text(json.dumps({"version": 0, "brokerEpoch": int(epochs[-1])}))
