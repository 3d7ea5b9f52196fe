"""Pictures of a stock market: a symbol's candles, the load and who falls behind, and how long records take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import (
    BLUE,
    GREY,
    LIGHT,
    ORANGE,
    PALETTE,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    count,
    look,
    names,
    require,
    rows_of,
    seconds_axis,
    short,
)
from kafkalab.observe.plots.marks import FAULT_COLUMNS, fault_words, legend_below, mark_faults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kafkalab.observe.timeline import FiredFaults

__all__ = ["candle_chart", "journeys", "latency_distribution", "rate_and_lag"]

Place = tuple[str, int, int]
_CANDLE = ("time_ms", "symbol", "open", "high", "low", "close", "moving_average", "volatility")
_JOURNEY = ("reader", "sent_at", "read_at")
_MINUTE_MS = 60_000
_BODY = 0.7  # of a minute
_LONGEST = 28  # characters of a reader's name
_MARKS = {"good news": ("^", BLUE), "bad news": ("v", VERMILLION), "bought": ("P", BLUE), "sold": ("X", VERMILLION)}
_EVERY, _GRID = 0.25, 0.02  # seconds: of a rate, of a lag
_BINS_PER_DECADE = 12
_QUANTILES = {"p50_ms": (50, "median", "-"), "p99_ms": (99, "99th percentile", ":")}


def candle_chart(
    candles: pd.DataFrame, symbol: str, news: pd.DataFrame | None = None, trades: pd.DataFrame | None = None
) -> Picture:
    """Draw a symbol's candles with their moving average above its volatility, minute by minute.

    Args:
        candles: as ``as_frame(Candle, outputs)`` of :mod:`kafkalab.apps.stocks`.
        symbol: whose.
        news: to be marked below the candles: time_ms (int), symbol (str), sentiment (float; of 0 it is left out).
        trades: to be marked at their price, as ``as_frame(Trade, outputs)``: time_ms, symbol, action, price.

    Returns:
        A picture whose data are the symbol's candles, sorted by time_ms.

    Raises:
        InvalidArgument: not such tables, or the symbol has no candle.
    """
    known = require(candles, _CANDLE, "as_frame(Candle, outputs)")
    data = known[known["symbol"] == symbol].sort_values("time_ms", ignore_index=True)
    if data.empty:
        raise InvalidArgument(f"{symbol!r} has no candle: choose from {names(sorted(set(known['symbol'])))}.")
    marks = _marks(data, symbol, news, trades)
    with look():
        figure, (above, below) = canvas(5.4, (3, 1))
        handles = [*_draw_candles(above, data), *_draw_marks(above, marks)]
        above.set_title(f"{short(symbol)}, minute by minute")
        _draw_volatility(below, data)
        legend_below(below, handles)
    return Picture(figure, data, _candle_words(data, symbol, marks))


def _marks(
    data: pd.DataFrame, symbol: str, news: pd.DataFrame | None, trades: pd.DataFrame | None
) -> dict[str, list[tuple[int, float]]]:
    """Return time and height of what is marked, by what it is."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in _MARKS}
    floor = float(data["low"].min() - 0.08 * (data["high"].max() - data["low"].min()))
    if news is not None and len(news):
        told = require(news, ("time_ms", "symbol", "sentiment"), "a table of news")
        for item in rows_of(told[(told["symbol"] == symbol) & (told["sentiment"] != 0)]):
            found["good news" if item.sentiment > 0 else "bad news"].append((item.time_ms, floor))
    if trades is not None and len(trades):
        made = require(trades, ("time_ms", "symbol", "action", "price"), "as_frame(Trade, outputs)")
        for trade in rows_of(made[made["symbol"] == symbol]):
            found["bought" if trade.action == "buy" else "sold"].append((trade.time_ms, trade.price))
    begin, end = data["time_ms"].min(), data["time_ms"].max() + _MINUTE_MS
    return {name: [place for place in places if begin <= place[0] <= end] for name, places in found.items()}


def _draw_candles(axes: Axes, data: pd.DataFrame) -> list[Any]:
    middle = data["time_ms"] + _MINUTE_MS / 2
    axes.vlines(middle, data["low"], data["high"], color=GREY, linewidth=0.9)
    rises = data["close"] >= data["open"]
    handles = [
        _draw_bodies(axes, data[rises], "price rises", facecolor="white", edgecolor=BLUE),
        _draw_bodies(axes, data[~rises], "price falls", facecolor=VERMILLION, edgecolor=VERMILLION),
        *axes.plot(middle, data["moving_average"], color=ORANGE, label="moving average"),
    ]
    axes.use_sticky_edges = False
    axes.margins(x=0.01, y=0.05)
    axes.set_ylabel("price")
    axes.yaxis.set_major_formatter("{x:,.2f}")
    return handles


def _draw_bodies(axes: Axes, of: pd.DataFrame, label: str, **colours: Any) -> Any:
    heights, bottoms = (of["close"] - of["open"]).abs(), of[["open", "close"]].min(axis="columns")
    middle, width = of["time_ms"] + _MINUTE_MS / 2, _BODY * _MINUTE_MS
    return axes.bar(middle, heights, width, bottom=bottoms, linewidth=0.9, label=label, **colours)


def _draw_marks(axes: Axes, marks: dict[str, list[tuple[int, float]]]) -> list[Any]:
    handles = []
    for name, places in marks.items():
        if places:
            (times, heights), (marker, colour) = zip(*places, strict=True), _MARKS[name]
            style: dict[str, Any] = {"marker": marker, "color": colour, "edgecolor": "black", "linewidth": 0.7}
            handles.append(axes.scatter(times, heights, 55, zorder=3, label=name, **style))
    return handles


def _draw_volatility(axes: Axes, data: pd.DataFrame) -> None:
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axes.plot(data["time_ms"] + _MINUTE_MS, 100 * data["volatility"], color=GREY)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("volatility (%)")
    minutes = (data["time_ms"].max() - data["time_ms"].min()) / _MINUTE_MS
    step = next(step for step in (5, 15, 30, 60, 240, 10**9) if minutes / step < 10)
    axes.xaxis.set_major_locator(MultipleLocator(step * _MINUTE_MS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ms, _: _clock(ms)))
    axes.set_xlabel("time of the market (UTC)")


def _clock(time_ms: float) -> str:
    return f"{pd.Timestamp(int(time_ms), unit='ms'):%H:%M}"


def _candle_words(data: pd.DataFrame, symbol: str, marks: dict[str, list[tuple[int, float]]]) -> str:
    first, last = data.iloc[0], data.iloc[-1]
    told = (
        f"{count(len(data), 'candle')} of {symbol} from {_clock(first['time_ms'])} to "
        f"{_clock(last['time_ms'] + _MINUTE_MS)}: from {first['open']:.2f} to {last['close']:.2f}, between "
        f"{data['low'].min():.2f} and {data['high'].max():.2f}, with a moving average, above the volatility."
    )
    marked = [f"{name} ({len(places)})" for name, places in marks.items() if places]
    return f"{told} Marked: {names(marked)}." if marked else told


def journeys(acknowledgements: pd.DataFrame, done_at: Mapping[str, Mapping[Place, float]]) -> pd.DataFrame:
    """Return when each record was sent, and when each reader had worked on it, for records of which both are known.

    Args:
        acknowledgements: as ``ledger.acknowledgements()``, or a part of it.
        done_at: for each reader topic, partition and offset of what it read, and when it had worked on it (seconds of
            the clock that the sends were timed by).

    Returns:
        reader (str), sent_at, read_at (float64, seconds), by reader as given, then as acknowledged.
    """
    rows = rows_of(acknowledgements[["topic", "partition", "offset", "sent_at"]])
    found = [
        (reader, row.sent_at, times[place])
        for reader, times in done_at.items()
        for row in rows
        if (place := (row.topic, row.partition, row.offset)) in times
    ]
    return pd.DataFrame(found, columns=list(_JOURNEY)).astype({"reader": "str", "sent_at": float, "read_at": float})


def rate_and_lag(records: pd.DataFrame, faults: FiredFaults | None = None) -> Picture:
    """Draw how many records per second are sent, and how many each reader has yet to work on.

    Args:
        records: as :func:`journeys` returns them; every reader is expected to read the same records.
        faults: a :class:`kafkalab.faults.Schedule` that ran, to be marked; the clock is then ``time.monotonic()``.

    Returns:
        A picture whose data are second (float64, since the first sending), reader (str), lag (int64, records).

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    known = require(records, _JOURNEY, "journeys()")
    start = float(known["sent_at"].min())
    groups = {str(name): of - start for name, of in known.groupby("reader", sort=False)[["sent_at", "read_at"]]}
    end = max(float(of["read_at"].max()) for of in groups.values())
    lags = {name: _lag(of, end) for name, of in groups.items()}
    marked = _since(faults, start)
    with look():
        figure, (above, below) = canvas(5.2, (2, 3))
        _draw_rate(above, next(iter(groups.values()))["sent_at"].to_numpy())
        handles = _draw_lags(below, lags)
        seconds_axis(below, end)
        legend_below(below, handles)
        mark_faults([above, below], marked)
    data = pd.concat([lag.assign(reader=name)[["second", "reader", "lag"]] for name, lag in lags.items()])
    highest = {name: int(lag["lag"].max()) for name, lag in lags.items()}
    told = f"Records sent per second, above how many {names(list(groups))} had yet to work on.{fault_words(marked)}"
    figures = "; ".join(f"highest lag of {name}: {records:,} records" for name, records in highest.items())
    return Picture(figure, data.reset_index(drop=True), told, f"{figures}.")


def _since(faults: FiredFaults | None, start: float) -> pd.DataFrame | None:
    """Return the faults in seconds since the first sending."""
    if faults is None:
        return None
    frame = faults.frame()[list(FAULT_COLUMNS)]
    frame[["fired", "undone"]] += faults.began_at - start
    return frame


def _lag(times: pd.DataFrame, end: float) -> pd.DataFrame:
    """Return second, lag: sent and not yet worked on, fifty times a second."""
    grid = np.arange(0.0, end + 2 * _GRID, _GRID)
    sent, read = (np.searchsorted(np.sort(times[name].to_numpy()), grid, side="right") for name in _JOURNEY[1:])
    return pd.DataFrame({"second": grid, "lag": (sent - read).astype("int64")})


def _draw_rate(axes: Axes, sent_at: npt.NDArray[np.float64]) -> None:
    counts = np.bincount((sent_at / _EVERY).astype(np.int64))
    axes.stairs(counts / _EVERY, np.arange(len(counts) + 1) * _EVERY, fill=True, color=SKY)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("sent (records/s)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_title("Load and lag")


def _draw_lags(axes: Axes, lags: dict[str, pd.DataFrame]) -> list[Any]:
    handles: list[Any] = []
    for number, (name, lag) in enumerate(lags.items()):
        style: dict[str, Any] = {"color": PALETTE[number % len(PALETTE)], "linestyle": ("-", "--")[number % 2]}
        handles += axes.plot(lag["second"], lag["lag"], label=f"lag of {short(name, _LONGEST)}", **style)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("lag (records)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return handles


def latency_distribution(records: pd.DataFrame) -> Picture:
    """Draw how long records took from their sending until a reader had worked on them, reader by reader.

    Args:
        records: as :func:`journeys` returns them.

    Returns:
        A picture whose data are reader (str), records (int64), p50_ms, p99_ms, max_ms (float64), as first given.

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    known = require(records, _JOURNEY, "journeys()")
    took = (1000 * (known["read_at"] - known["sent_at"])).clip(lower=0.1)
    groups = {str(name): of.to_numpy() for name, of in took.groupby(known["reader"], sort=False)}
    data = pd.DataFrame([_quantiles(name, of) for name, of in groups.items()])
    low, high = np.floor(np.log10(took.min())), np.ceil(np.log10(took.max()) + 1e-9)
    edges = np.logspace(low, high, int((high - low) * _BINS_PER_DECADE) + 1)
    with look():
        figure, axes = canvas(1.6 + 1.3 * len(groups), [1] * len(groups))
        for one, of, row in zip(axes, groups.values(), rows_of(data), strict=True):
            _draw_distribution(one, of, edges, row)
        axes[-1].set_xlabel("from sending to worked on (ms, logarithmic)")
        legend_below(axes[-1], axes[0].get_legend_handles_labels()[0])
    slowest = data["reader"].iloc[int(data["p99_ms"].argmax())]
    told = f"End-to-end latency of {names(list(groups))}, as shares of the records."
    figures = "; ".join(f"{r.reader}: median {r.p50_ms:,.0f} ms, 99 % {r.p99_ms:,.0f} ms" for r in rows_of(data))
    more = f" The longest 99th percentile is that of {slowest}." if len(groups) > 1 else ""
    return Picture(figure, data, told + more, f"{figures}.")


def _quantiles(name: str, took: npt.NDArray[np.float64]) -> dict[str, Any]:
    quantiles = {column: float(np.percentile(took, of)) for column, (of, _, _) in _QUANTILES.items()}
    return {"reader": name, "records": len(took), **quantiles, "max_ms": float(took.max())}


def _draw_distribution(axes: Axes, took: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], row: Any) -> None:
    axes.hist(took, bins=edges.tolist(), weights=np.full(len(took), 100 / len(took)), color=SKY, edgecolor=LIGHT)
    for column, (_, label, line) in _QUANTILES.items():
        axes.axvline(getattr(row, column), color="black", linestyle=line, linewidth=1.6, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_ylabel("% of records")
    axes.set_title(f"{short(row.reader, 48)}: {row.records:,} records", pad=6, fontsize=10)
