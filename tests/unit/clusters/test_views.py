"""What a view waits for; what views show is in ``tests/integration``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from kafkalab.clusters.lodging import Lodging
from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.clusters.views import Views

KEY = ("orders", 0)
BEFORE = PartitionView(leader=1, leader_epoch=0, replicas=(1, 2), isr=frozenset({1, 2}))
MEANWHILE = PartitionView(leader=2, leader_epoch=1, replicas=(1, 2), isr=frozenset({2}))
AFTER = PartitionView(leader=2, leader_epoch=1, replicas=(1, 2), isr=frozenset({1, 2}))


class Resumed(Views):
    """Broker 1 led, was frozen, and runs again; the admin client asks it and no other."""

    def __init__(self) -> None:
        super().__init__(admin=None, lodging=Lodging())  # type: ignore[arg-type]
        self._looks: Iterator[tuple[PartitionView, PartitionView]] = iter(
            [(BEFORE, MEANWHILE), (MEANWHILE, MEANWHILE), (AFTER, MEANWHILE), (AFTER, AFTER)]
        )
        self._others = MEANWHILE

    def partitions(self, topic: str | None = None) -> pd.DataFrame:
        first, self._others = next(self._looks)
        row = (*KEY, first.leader, first.replicas, tuple(sorted(first.isr)))
        return pd.DataFrame([row], columns=["topic", "partition", "leader", "replicas", "isr"])

    @property
    def _backend(self) -> Any:
        return self

    def views(self, topics: list[str]) -> Mapping[int, View | OSError]:
        seen = View(frozenset({1, 2, 3}), True, {}, {KEY: self._others})
        return {2: seen, 3: OSError("it starts")}


def test_in_sync_is_not_what_a_resumed_broker_remembers() -> None:
    cluster = Resumed()
    assert cluster.wait_for_isr("orders", 2)["leader"].tolist() == [2]
    assert list(cluster._looks) == []
