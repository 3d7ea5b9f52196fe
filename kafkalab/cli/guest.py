"""A borrowed cluster that is left as it was found: a run's topics and groups have their own names, and go with it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from kafkalab import Cluster
from kafkalab.errors import KafkalabError

__all__ = ["GuestCluster", "borrowed"]

_CLEAR_SECONDS = 10.0
_REQUEST_MS = 5000


class GuestCluster(Cluster):
    """A borrowed cluster on which every name carries a fresh prefix; see :meth:`kafkalab.Cluster.connect`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.prefix = f"kafkalab-{secrets.token_hex(3)}-"
        self._topics: list[str] = []

    def name(self, base: str) -> str:
        """Return ``base`` with the prefix."""
        return self.prefix + super().name(base)

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        config: Mapping[str, object] | None = None,
    ) -> str:
        """Create a topic; see :meth:`kafkalab.Cluster.create_topic`."""
        # Noted before: what is interrupted half-way may have made it.
        self._topics.append(self.name(name))
        return super().create_topic(name, partitions, replication_factor, config)

    def clear(self) -> list[str]:
        """Delete the topics and groups that begin with the prefix; return the topics that may be left.

        A cluster that does not answer is given up after ten seconds.
        """
        admin = self.patient_admin(_REQUEST_MS)
        try:
            with contextlib.suppress(KafkaError, KafkalabError):
                admin.ask(self._delete, _CLEAR_SECONDS)
        finally:
            admin.close()
        return self._topics

    def _delete(self, admin: Any) -> None:
        for answer in admin.delete_topics(list(self._topics), raise_errors=False)["topics"] if self._topics else []:
            # 3 is UNKNOWN_TOPIC_OR_PARTITION: somebody else has deleted it.
            if answer["error_code"] in {0, 3}:
                self._topics.remove(answer["name"])
        mine = [group["group_id"] for group in admin.list_groups() if group["group_id"].startswith(self.prefix)]
        for group, described in (admin.describe_groups(mine) if mine else {}).items():
            # Static members (KIP-345) do not leave when they end, and a group with members is not deleted.
            left = [MemberToRemove(group_instance_id=each["group_instance_id"]) for each in described["members"]]
            admin.remove_group_members(group, left)
            admin.delete_groups([group])


@contextmanager
def borrowed(bootstrap_servers: str) -> Iterator[GuestCluster]:
    """Borrow a cluster for a block, and leave it as it was.

    Raises:
        InvalidArgument: that is no list of addresses.
        ClusterUnreachable: no broker answered.
    """
    with GuestCluster.connect(bootstrap_servers) as cluster:
        try:
            yield cluster
        finally:
            if left := cluster.clear():
                named = ", ".join(left)
                click.echo(f"kafkalab: could not delete {named}: delete these topics yourself.", err=True)
