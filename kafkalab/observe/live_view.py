"""The live view: a cluster as it is now, in a notebook, with buttons to break it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kafkalab import Cluster
from kafkalab.clusters.node import Node
from kafkalab.errors import KafkalabError, NotRunning
from kafkalab.observe.looking import Looker, Seen
from kafkalab.observe.words import in_words, title

__all__ = ["LiveView", "live"]

_EVERY_SECONDS = 0.5
_END_SECONDS = 10.0
_HERE = Path(__file__).parent

# A start is not waited for: the view itself shows how the broker joins.
_ACTIONS: Mapping[str, Callable[[Node], None]] = {
    "kill": Node.kill,
    "pause": Node.pause,
    "resume": Node.resume,
    "start": lambda node: node.start(wait=False),
}


def live(cluster: Cluster) -> LiveView:
    """Return a view of ``cluster`` as it is now, refreshed twice a second; a notebook shows it.

    Brokers, the leader and in-sync replicas of every partition, log ends, consumer groups and their lag; and buttons
    to kill, pause, resume and start each broker, unless the cluster is borrowed. ``print(live(cluster))`` tells the
    same in words, without buttons. It ends with the cluster, or with its ``close()``.

    Raises:
        NotRunning: the cluster is not started, or was stopped.
    """
    # Made first: of a widget that could not be made, a part would stay.
    return LiveView(cluster, Looker(cluster))


class LiveView(anywidget.AnyWidget):
    """The widget that :func:`live` returns.

    Attributes:
        state: what the page shows: ``title``, ``nodes``, ``partitions``, ``groups`` (rows as dicts), ``hidden``
            (counts), ``controls`` (whether there are buttons), ``acting`` (ids of nodes that a button works on),
            ``notice`` (the last refusal, or ""), ``ended``.
    """

    _esm = _HERE / "live_view.js"
    _css = _HERE / "live_view.css"
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, cluster: Cluster, looker: Looker) -> None:
        self._cluster = cluster
        self._looker = looker
        self._seen = Seen()
        self._changing = threading.RLock()
        self._pages: set[str] = set()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        super().__init__()
        self.on_msg(self._told)
        cluster.on_stop(self._end)

    # ---- refreshing -------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look at the cluster now, and show it."""
        try:
            self._show(self._looker.look())
        except NotRunning:
            self._update(ended=True, acting=[])

    def _watch(self, ended: threading.Event) -> None:
        while not (ended.wait(_EVERY_SECONDS) or self.state["ended"]):
            self.refresh()

    def _start(self) -> None:
        with self._changing:
            if self._thread is None and not self.state.get("ended"):
                self.refresh()
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._watch, args=(self._ended,), name="kafkalab live view", daemon=True
                )
                self._thread.start()

    def _stop(self) -> None:
        with self._changing:
            thread, self._thread = self._thread, None
            self._ended.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_END_SECONDS)
        self._looker.close()

    def _end(self) -> None:
        """The cluster stops: keep its last look, and say so."""
        self._stop()
        self._update(ended=True, acting=[])

    def close(self) -> None:
        """Stop refreshing and take the view off the page; may be called again."""
        self._stop()
        super().close()

    # ---- showing ----------------------------------------------------------------------------------------------

    def _show(self, seen: Seen, **changes: Any) -> None:
        with self._changing:
            # A button may have changed the nodes while the cluster was asked for the rest.
            self._seen = seen = replace(seen, nodes=self._looker.nodes())
            self._update(
                title=title(seen),
                controls=self._looker.controls,
                nodes=[asdict(node) for node in seen.nodes],
                partitions=[asdict(partition) for partition in seen.partitions],
                groups=[{**asdict(group), "total": group.total} for group in seen.groups],
                hidden={"partitions": seen.hidden_partitions, "groups": seen.hidden_groups},
                **changes,
            )

    def _update(self, **changes: Any) -> None:
        with self._changing:
            # Sent to the page only where something is different: traitlets compares.
            self.state = {"ended": False, "acting": [], "notice": "", **self.state, **changes}

    def __repr__(self) -> str:
        if not self.state.get("ended"):
            self.refresh()
        return in_words(self._seen) + ("\n  the cluster is stopped" if self.state["ended"] else "")

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        # Not when a page first asks for it: in a busy kernel that question waits until the cell has ended.
        self._start()
        bundle: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_(**options)
        if bundle is not None:
            bundle[0]["text/plain"] = repr(self)  # all of it; anywidget keeps the first 110 characters
        return bundle

    # ---- what the page says -----------------------------------------------------------------------------------

    def _told(self, _widget: object, content: Any, _buffers: object) -> None:
        what = content.get("do")
        if what == "open":
            self._pages.add(content["page"])
            self._start()
        elif what == "close":
            self._pages.discard(content["page"])
            if not self._pages:
                self._stop()
        elif what in _ACTIONS and self._looker.controls:
            self._act(_ACTIONS[what], content["node"])

    def _act(self, action: Callable[[Node], None], node_id: int) -> None:
        self._update(acting=[node_id], notice="")
        notice = ""
        try:
            action(self._node(node_id))
        except KafkalabError as error:
            notice = str(error)
        with contextlib.suppress(NotRunning):  # the cluster was stopped meanwhile, and the view has been told
            # The nodes at once; what the cluster makes of it is for the next look.
            self._show(self._seen, acting=[], notice=notice)

    def _node(self, node_id: int) -> Node:
        is_broker = any(node.id == node_id for node in self._cluster.brokers)
        return self._cluster.broker(node_id) if is_broker else self._cluster.controller(node_id)
