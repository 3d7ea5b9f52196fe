"""The live table of a run, drawn from plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kafkalab.cli.chronicle import Entry
from kafkalab.cli.meters import Reader
from kafkalab.observe.looking import NodeSeen, PartitionSeen

__all__ = ["Frame", "draw", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_BAR_WIDTH = 40
_OLD_SECONDS = 1.5  # a table that is drawn twice a second is hardly older than one
_COLOURS = {"running": "green", "paused": "yellow", "stopped": "red"}


@dataclass(frozen=True)
class Frame:
    """What is to be drawn.

    Attributes:
        title: what runs.
        records: to be sent in all.
        done: of these.
        elapsed: seconds.
        sent: records.
        acknowledged: records.
        speeds: records acknowledged per second, in turn; the last is the newest.
        latency: p50 and p95 in milliseconds; None where nothing was acknowledged.
        readers: the applications.
        nodes: of the cluster.
        partitions: of the run's topics.
        seen_ago: seconds since a broker told of these partitions.
        watched: the one that the fault is about; None without a fault.
        entries: what has happened.
        coming: the fault that has not fired yet; "" for none.
        sentence: to be said below all; "" for nothing.
    """

    title: str
    records: int
    done: int
    elapsed: float
    sent: int
    acknowledged: int
    speeds: Sequence[float] = ()
    latency: tuple[float, float] | None = None
    readers: Sequence[Reader] = ()
    nodes: Sequence[NodeSeen] = ()
    partitions: Sequence[PartitionSeen] = ()
    seen_ago: float = 0.0
    watched: PartitionSeen | None = None
    entries: Sequence[Entry] = ()
    coming: str = ""
    sentence: str = ""


def draw(frame: Frame) -> Group:
    """Return the table."""
    return Group(*_parts(frame))


def _parts(frame: Frame) -> Iterator[RenderableType]:
    yield Text(frame.title, style="bold")
    yield _progress(frame)
    yield Text()
    yield _figures(frame)
    if frame.readers:
        yield Text()
        yield _readers(frame.readers)
    if frame.partitions:
        yield Text()
        yield _brokers(frame)
    if frame.watched is not None:
        yield Text()
        yield _watched(frame.watched)
    if frame.seen_ago >= _OLD_SECONDS:
        ago = f"{frame.seen_ago:.0f} s ago"
        yield Text(f"Leaders and replicas are those seen {ago}: no broker has answered since.", style="yellow")
    if frame.entries:
        yield Text()
        yield from (Text(str(entry), style="yellow") for entry in frame.entries)
    if frame.coming:
        yield Text()
        yield Text(f"To come: {frame.coming}.", style="dim")
    if frame.sentence:
        yield Text()
        yield Text(frame.sentence, style="bold")


def _progress(frame: Frame) -> Table:
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=frame.records, completed=frame.done, width=_BAR_WIDTH)
    row.add_row(bar, f"{frame.done / frame.records:4.0%}", f"{frame.elapsed:.1f} s")
    return row


def _figures(frame: Frame) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column()
    table.add_row("sent", f"{frame.sent:,}")
    table.add_row("acknowledged", f"{frame.acknowledged:,}", f"{frame.sent - frame.acknowledged:,} in flight")
    if frame.speeds:
        table.add_row("records/s", f"{frame.speeds[-1]:,.0f}", sparkline(frame.speeds))
    if frame.latency:
        for name, value in zip(("p50", "p95"), frame.latency, strict=True):
            table.add_row(f"latency {name}", f"{value:,.0f} ms")
    return table


def _readers(readers: Sequence[Reader]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("application")
    for head in ("records/s", "lag", "decisions", "p50", "p95", "p99"):
        table.add_column(head, justify="right")
    for each in readers:
        latency = [f"{value:,.0f} ms" for value in each.latency or ()]
        table.add_row(each.name, f"{each.speed:,.0f}", f"{each.lag:,}", f"{each.decisions:,}", *latency)
    return table


def _brokers(frame: Frame) -> Table:
    table = Table(box=None, padding=(0, 4, 0, 0), pad_edge=False, header_style="dim")
    for head in ("broker", "state", "leads", "copies in sync"):
        table.add_column(head)
    for node in frame.nodes:
        if node.kind == "broker":
            table.add_row(str(node.id), _state(node), *_shares(node.id, frame.partitions))
    return table


def _state(node: NodeSeen) -> Text:
    note = f" ({node.note})" if node.note else ""
    troubled = node.state == "running" and node.condition != "running"
    return Text(f"{node.condition}{note}", style="yellow" if troubled else _COLOURS[node.state])


def _shares(node_id: int, partitions: Sequence[PartitionSeen]) -> tuple[str, Text]:
    leads = sum(each.leader == node_id for each in partitions)
    copies = sum(node_id in each.replicas for each in partitions)
    in_sync = sum(node_id in each.isr for each in partitions)
    style = "" if in_sync == copies else "red"
    return f"{leads} of {len(partitions)} partitions", Text(f"{in_sync} of {copies}", style=style)


def _watched(seen: PartitionSeen) -> Text:
    leader = "no leader" if seen.leader < 0 else f"leader {seen.leader}"
    replicas = ", ".join(map(str, seen.isr))
    return Text(f"{seen.topic}-{seen.partition}: {leader}, in-sync replicas {replicas}")


def sparkline(values: Sequence[float]) -> str:
    """Return a bar for each value, the greatest as high as a line; zeros are the lowest bar."""
    greatest = max(values, default=0.0)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(value / greatest * steps) if greatest > 0 else 0] for value in values)
