from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe import plots
from tests.unit.observe.plots.conftest import complaints, shown

COLUMNS = ["segment", "end", "batches", "records", "bytes", "active"]
WHOLE = pd.DataFrame([(0, 100, 2, 100, 1000, False), (100, 150, 1, 50, 1_500_000, True)], columns=COLUMNS)
COMPACTED = pd.DataFrame(
    [(0, 50, 0, 0, 0, False), (50, 100, 1, 10, 90, False), (100, 150, 1, 50, 700, True)], columns=COLUMNS
)
RETAINED = WHOLE.iloc[1:]


def test_a_log_is_drawn_segment_by_segment() -> None:
    picture = plots.segment_map(WHOLE)
    assert picture.data.to_numpy().tolist() == [
        ["log", 0, 100, 100, 1000, 1.0, False],
        ["log", 100, 150, 50, 1_500_000, 1.0, True],
    ]
    assert {"1 kB", "1.5 MB", "closed segment", "active segment"} <= set(shown(picture.figure))
    assert (
        picture.alt == "log: it begins at offset 0, every later offset has its record, and the last segment is active."
    )
    assert picture.measured == "log: 2 segments, offsets 0 to 149, 150 records, 1.5 MB."


def test_compaction_and_retention_show_beside_the_log_before() -> None:
    picture = plots.segment_map({"before": WHOLE, "compacted": COMPACTED, "retained": RETAINED})
    assert picture.data[["log", "segment", "end", "kept"]].to_numpy().tolist() == [
        ["before", 0, 100, 1.0],
        ["before", 100, 150, 1.0],
        ["compacted", 0, 50, 0.0],
        ["compacted", 50, 100, 0.2],
        ["compacted", 100, 150, 1.0],
        ["retained", 100, 150, 1.0],
    ]
    assert {"taken by compaction", "deleted", "before", "retained"} <= set(shown(picture.figure))
    assert "compacted: it begins at offset 0, compaction has taken records out of it" in picture.alt
    assert "retained: its oldest segments are deleted, every later offset has its record" in picture.alt


def test_a_segment_is_filled_as_far_as_it_is_kept() -> None:
    heights = {
        (patch.get_x(), round(patch.get_height() / 0.62, 3))  # type: ignore[attr-defined]
        for patch in plots.segment_map(COMPACTED).figure.axes[0].patches
        if patch.get_width()  # type: ignore[attr-defined]
    }
    assert heights == {(0, 1.0), (0, 0.0), (50, 1.0), (50, 0.2), (100, 1.0)}


def test_a_segment_that_was_just_begun_lacks_nothing() -> None:
    begun = pd.concat([WHOLE.assign(active=False), pd.DataFrame([(150, 150, 0, 0, 0, True)], columns=COLUMNS)])
    picture = plots.segment_map(begun)
    assert picture.data["kept"].tolist() == [1.0, 1.0, 1.0]
    assert "every later offset has its record" in picture.alt


def test_nothing_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="nothing to draw: give at least one table"):
        plots.segment_map({})


def test_no_label_overlaps() -> None:
    many = pd.DataFrame([(n * 10, n * 10 + 10, 1, 10, 1_000_000, n == 199) for n in range(200)], columns=COLUMNS)
    logs = {"before": many, "a rather long name of a log": many.iloc[150:], "after": COMPACTED}
    assert complaints(plots.segment_map(logs).figure) == []
    assert complaints(plots.segment_map(many).figure) == []
