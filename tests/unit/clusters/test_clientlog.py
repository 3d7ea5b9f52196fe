"""What clients log is kept, and stays out of the notebook."""

from __future__ import annotations

import logging

import pytest

from kafkalab.clusters.clientlog import ClientLog


def test_warnings_are_kept_from_the_moment_it_was_made() -> None:
    logging.getLogger("kafka.before").warning("too early")
    log = ClientLog()
    logging.getLogger("kafka.conn").warning("broker %d is gone", 2)
    logging.getLogger("kafka.conn").info("chatter")
    frame = log.frame()
    assert frame.columns.tolist() == ["level", "logger", "message"]
    assert frame.values.tolist() == [["WARNING", "kafka.conn", "broker 2 is gone"]]
    assert set(frame.dtypes.astype(str)) == {"str"}


def test_an_empty_log_has_the_same_columns() -> None:
    assert ClientLog().frame().columns.tolist() == ["level", "logger", "message"]


def test_nothing_reaches_stderr_by_pythons_last_resort(capfd: pytest.CaptureFixture[str]) -> None:
    ClientLog()
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []  # as in a notebook: pytest's own would hide the last resort
    try:
        logging.getLogger("kafka.conn").error("gone")
    finally:
        root.handlers = handlers
    assert capfd.readouterr().err == ""


def test_a_logging_setup_of_the_users_own_still_gets_everything(caplog: pytest.LogCaptureFixture) -> None:
    ClientLog()
    logging.getLogger("kafka.conn").error("gone")
    assert "gone" in caplog.text
