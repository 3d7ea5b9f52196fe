"""The reason in a broker's log."""

from __future__ import annotations

from kafkalab.clusters.failure import failure_reason, last_lines

REFUSED = """\
[2026-01-01 00:00:00,000] INFO Registered signal handlers (kafka.Kafka$)
[2026-01-01 00:00:00,001] ERROR Exiting Kafka due to fatal exception (kafka.Kafka$)
org.apache.kafka.common.config.ConfigException: Invalid value many for configuration num.io.threads: Not a number
\tat org.apache.kafka.common.config.ConfigDef.parseType(ConfigDef.java:770)
\t... 12 more
"""


def test_the_exceptions_message_is_the_reason() -> None:
    assert failure_reason(REFUSED, 1) == "Invalid value many for configuration num.io.threads: Not a number."


def test_the_innermost_cause_wins_and_a_single_word_does_not() -> None:
    log = (
        REFUSED + "Caused by: java.net.BindException: Address already in use\nCaused by: a.CancellationException: get\n"
    )
    assert failure_reason(log, 1) == "Address already in use."


def test_a_signal_is_named() -> None:
    assert failure_reason("", -9).startswith("it was ended by signal 9")


def test_no_reason_is_said_to_be_none() -> None:
    assert failure_reason("all well\n", 3) == "it gave no reason (exit code 3)."


def test_last_lines_leave_stack_frames_out() -> None:
    shown = last_lines(REFUSED, 2).splitlines()
    assert [line.split()[0] for line in shown] == [
        "[2026-01-01",
        "org.apache.kafka.common.config.ConfigException:",
    ]
