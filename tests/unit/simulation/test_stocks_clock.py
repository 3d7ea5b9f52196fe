from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from kafkalab.simulation.stocks_clock import OVERNIGHT, SESSION_MINUTES, SessionClock, session_rhythm


def begin(start: str) -> str:
    clock = SessionClock(dt.datetime.fromisoformat(start).replace(tzinfo=dt.UTC))
    return pd.Timestamp(clock.minute_ms(np.array([clock.first]))[0], unit="ms").strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2023-01-02", "Mon 02 09:30"),
        ("2023-01-02T09:30", "Mon 02 09:30"),
        ("2023-01-02T09:30:00.000001", "Mon 02 09:31"),
        ("2023-01-04T12:00:30", "Wed 04 12:01"),
        ("2023-01-04T15:59", "Wed 04 15:59"),
        ("2023-01-04T15:59:01", "Thu 05 09:30"),
        ("2023-01-04T23:59", "Thu 05 09:30"),
        ("2023-01-06T16:00", "Mon 09 09:30"),
        ("2023-01-07T10:00", "Mon 09 09:30"),
        ("2023-01-08T23:59:59", "Mon 09 09:30"),
        ("1969-12-27", "Mon 29 09:30"),
    ],
)
def test_trading_begins_with_the_first_whole_minute_of_a_session(start: str, expected: str) -> None:
    assert begin(start) == expected


def test_nights_and_weekends_are_jumped_over() -> None:
    clock = SessionClock(dt.datetime(2023, 1, 2, 9, 30, tzinfo=dt.UTC))
    times = pd.Series(pd.to_datetime(clock.minute_ms(np.arange(10 * SESSION_MINUTES)), unit="ms"))
    steps = times.diff().value_counts()
    assert steps.to_dict() == {
        pd.Timedelta(minutes=1): 10 * (SESSION_MINUTES - 1),
        pd.Timedelta(hours=17, minutes=31): 8,
        pd.Timedelta(days=2, hours=17, minutes=31): 1,
    }
    assert set(times.dt.day_name()) == {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
    assert (times.dt.time.min(), times.dt.time.max()) == (dt.time(9, 30), dt.time(15, 59))


def test_the_rhythm_is_a_u_with_a_burst_at_the_open() -> None:
    rhythm = session_rhythm()
    assert len(rhythm) == SESSION_MINUTES
    assert rhythm.mean() == pytest.approx(1, abs=1e-6)
    assert rhythm[0] == pytest.approx(5.2, abs=0.05)
    assert rhythm[195] == rhythm.min() == pytest.approx(0.5, abs=0.01)
    assert rhythm[-1] == pytest.approx(1.83, abs=0.02)
    assert (np.diff(rhythm)[:190] < 0).all()
    assert (np.diff(rhythm)[200:] > 0).all()
    # After twenty minutes the burst adds less than a tenth to the U.
    assert rhythm[20] < 1.1 * rhythm[-21]


def test_the_price_clock_runs_one_unit_a_session_as_trades_do() -> None:
    clock = SessionClock(dt.datetime(2023, 1, 2, tzinfo=dt.UTC))
    minutes = np.arange(2 * SESSION_MINUTES)
    begins, ends = clock.price_clock(minutes), clock.price_clock(minutes, 1.0)
    shares = (ends - begins)[:SESSION_MINUTES] / (1 - OVERNIGHT)
    np.testing.assert_allclose(shares, session_rhythm() / SESSION_MINUTES, rtol=1e-5)
    np.testing.assert_allclose(begins[SESSION_MINUTES:] - begins[:SESSION_MINUTES], 1)
    nights = np.where(minutes[1:] == SESSION_MINUTES, OVERNIGHT, 0)
    np.testing.assert_allclose(begins[1:] - ends[:-1], nights, atol=1e-12)
    np.testing.assert_allclose(clock.price_clock(minutes, 0.25), 0.75 * begins + 0.25 * ends)
