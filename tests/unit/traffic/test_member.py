from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from kafkalab.traffic.member import process_batch
from kafkalab.waiting import wait_until

RECORDS = [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("commit", "until_crash", "events", "crashes"),
    [
        ("after", None, ["one two three", "commit"], False),
        ("before", None, ["commit", "one two three"], False),
        ("auto", None, ["one two three"], False),
        ("after", 4, ["one two three", "commit"], False),
        # What had its effect is not committed ...
        ("after", 2, ["one two"], True),
        ("after", 3, ["one two three"], True),
        # ... and what was committed has had no effect.
        ("before", 2, ["commit", "one"], True),
        ("before", 3, ["commit", "one two"], True),
        ("auto", 1, ["one"], True),
    ],
)
def test_a_crash_parts_effects_from_their_commit(
    commit: str, until_crash: int | None, events: list[str], crashes: bool
) -> None:
    assert _batch(commit, until_crash) == (events, crashes)


@pytest.mark.parametrize(("commit", "events"), [("after", ["one two three", "commit"]), ("before", ["commit"])])
def test_what_could_not_be_committed_first_has_no_effect(commit: str, events: list[str]) -> None:
    assert _batch(commit, None, commits=False) == (events, False)


def _batch(commit: str, until_crash: int | None, *, commits: bool = True) -> tuple[list[str], bool]:
    """Return what happened in one batch, in order, and whether the member is to crash."""
    seen: list[str] = []

    def write(data: bytes) -> None:
        seen.append(data.decode().replace("\n", " ").strip())

    def store() -> bool:
        seen.append("commit")
        return commits

    crashes = process_batch(RECORDS, commit, until_crash, write, store)
    return seen, crashes


# Nobody listens there, so a member with these hangs in its first connection.
SETTINGS = {
    "config": {"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 60_000},
    "group": "g",
    "member": "g-0",
    "topics": ["t"],
    "commit": "after",
    "batch": 10,
    "crash_every": None,
    "header": "kafkalab",
}
PARENT = """
import os, signal, subprocess, sys
line = sys.argv[1].encode()
command = [sys.executable, "-m", "kafkalab.traffic.member", str(os.getpid())]
member = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
member.stdin.write(line)
member.stdin.flush()
if os.fork() != 0:  # the child holds the pipe open
    print(member.pid, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("line", [json.dumps(SETTINGS) + "\n", ""])
def test_a_member_ends_when_the_pipe_does_whatever_it_is_at(line: str) -> None:
    command = [sys.executable, "-m", "kafkalab.traffic.member", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as member:
        said, _ = member.communicate(line.encode(), timeout=60)
    assert said == b""


@pytest.mark.parametrize("line", [json.dumps(SETTINGS) + "\n", ""])
def test_a_member_ends_when_its_parent_is_killed_and_a_fork_of_it_lives(line: str) -> None:
    command = [sys.executable, "-c", PARENT, line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        member = int(parent.stdout.readline())
        parent.kill()
        try:
            parent.wait()
            wait_until(lambda: not _lives(member), what="its end", timeout=60)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
