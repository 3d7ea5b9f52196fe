from __future__ import annotations

import json

from kafkalab.apps.merge import END_OF_TIME
from kafkalab.apps.windows import Windows


def put(windows: Windows, event: int, now: int | None = None) -> bool:
    window = windows.at(event, event if now is None else now)
    if window is not None:
        window["k"] = [*window.get("k", []), event]
    return window is not None


def test_windows_are_closed_in_order_when_stream_time_has_passed_them() -> None:
    windows = Windows(10)
    assert windows.due == END_OF_TIME
    for event in (25, 12, 19):
        put(windows, event)
    assert windows.due == 20
    assert windows.close(19) == []
    assert windows.close(20) == [(10, {"k": [12, 19]})]
    assert windows.due == 30
    assert windows.close(END_OF_TIME) == [(20, {"k": [25]})]
    assert windows.due == END_OF_TIME


def test_a_reading_may_be_late_but_not_too_late() -> None:
    windows = Windows(10, lateness_ms=5)
    assert put(windows, 9, now=14)
    assert windows.due == 15
    assert not put(windows, 18, now=25)  # its window is over, though nothing was ever in it
    assert windows.close(15) == [(0, {"k": [9]})]
    assert not put(windows, 9, now=15)


def test_a_state_goes_on() -> None:
    windows, other = Windows(10), Windows(10)
    put(windows, 12)
    put(windows, 31)
    other.restore(json.loads(json.dumps(windows.state())))
    assert other.due == windows.due == 20
    put(other, 13)
    assert other.close(END_OF_TIME) == [(10, {"k": [12, 13]}), (30, {"k": [31]})]
    other.restore([])
    assert other.due == END_OF_TIME
