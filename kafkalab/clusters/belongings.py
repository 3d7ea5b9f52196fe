"""What a guest has on a borrowed cluster, and how it is deleted, for whatever reason the guest ends.

The guest deletes it itself. Where it was killed, or its kernel was restarted, its supervisor runs this file, with
kafka-python and nothing of kafkalab: what there is stands in a file in the guest's own folder, until that is gone too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import MemberToRemove

__all__ = ["Belongings", "command", "main"]

_FILE = "belongings.json"
_UNKNOWN_TOPIC = 3
_PATIENCE_MS = 10_000


class Belongings:
    """Topics that were made, and groups that were named.

    Attributes:
        topics: their full names.
        groups: full names that a group may have by now; nothing is deleted that is called otherwise.
    """

    def __init__(self, topics: list[str] | None = None, groups: list[str] | None = None) -> None:
        self.topics = topics or []
        self.groups = groups or []
        self._file: Path | None = None
        self._config: Mapping[str, Any] = {}

    def keep_in(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Keep them in a file from now on, with kafka-python's settings, so with a password: the folder is private."""
        self._file, self._config = folder / _FILE, config
        self._save()

    def add_topic(self, name: str) -> None:
        """Note a topic that is about to be made: what is interrupted half-way may be there."""
        self._add(self.topics, name)

    def add_group(self, name: str) -> None:
        """Note a name that a group may be given."""
        self._add(self.groups, name)

    def _add(self, names: list[str], name: str) -> None:
        if name not in names:
            names.append(name)
            self._save()

    def _save(self) -> None:
        if self._file is not None:
            self._file.write_text(json.dumps({"config": self._config, "topics": self.topics, "groups": self.groups}))

    def delete(self, admin: Any) -> None:
        """Delete them, by kafka-python's admin client; what could not be deleted stays noted.

        Raises:
            kafka.errors.KafkaError: the cluster did not answer, or refused.
        """
        for answer in admin.delete_topics(list(self.topics), raise_errors=False)["topics"] if self.topics else []:
            # Somebody else may have deleted it.
            if answer["error_code"] in {0, _UNKNOWN_TOPIC}:
                self.topics.remove(answer["name"])
        there = [group["group_id"] for group in admin.list_groups() if group["group_id"] in self.groups]
        for group, described in (admin.describe_groups(there) if there else {}).items():
            # A static member (KIP-345) does not leave when it ends, nor does one that was killed; and a group with
            # members is not deleted.
            left = [MemberToRemove(each["member_id"], each["group_instance_id"]) for each in described["members"]]
            admin.remove_group_members(group, left)
            admin.delete_groups([group])
        self.groups.clear()
        self._save()


def command(folder: Path) -> list[str]:
    """Return the command line that deletes what is kept in ``folder``."""
    return [sys.executable, "-P", __file__, str(folder)]


def main() -> None:
    """Delete what is kept in the folder named on the command line."""
    kept = json.loads((Path(sys.argv[1]) / _FILE).read_text())
    if kept["topics"] or kept["groups"]:
        patience = {"request_timeout_ms": _PATIENCE_MS, "bootstrap_timeout_ms": _PATIENCE_MS}
        with closing(KafkaAdminClient(**kept["config"], **patience)) as admin:
            Belongings(kept["topics"], kept["groups"]).delete(admin)


if __name__ == "__main__":
    main()
