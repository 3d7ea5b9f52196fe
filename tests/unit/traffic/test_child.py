"""A process that ends with its owner, and both sides of the pipe; the process is this module."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.traffic.child import Child
from kafkalab.traffic.owner import Owner, serve, write


def _work(settings: dict[str, Any], owner: Owner) -> None:
    write(b"%s\n" % settings["say"].encode())
    if settings.get("fail"):
        raise {"ours": InvalidArgument("that cannot be."), "other": ValueError("x\ny")}[settings["fail"]]
    while not owner.gone.is_set():
        line = owner.lines.get()
        write(line + b"!\n")
        if line == b'"hang"':
            threading.Event().wait()
        if line == b'"end"':
            return


def heard(child: Child) -> list[bytes]:
    return [line for lines in child.heard() for line in lines]


def test_it_is_told_and_heard_line_by_line() -> None:
    child = Child(__name__, {"say": "hello " * 50_000})
    child.tell({"a": 1})
    child.tell("end")
    hello, *rest = heard(child)
    assert hello == b"hello " * 50_000
    assert rest == [b'{"a": 1}!', b'"end"!']
    assert child.wait() == 0
    child.tell("nobody hears it")
    child.end()


@pytest.mark.parametrize(("fail", "said"), [("ours", b"!that cannot be."), ("other", b"!ValueError: x y")])
def test_why_it_fails_is_the_last_it_says(fail: str, said: bytes) -> None:
    child = Child(__name__, {"say": "", "fail": fail})
    assert heard(child) == [b"", said]
    assert child.wait() == 1


def test_it_is_ended_by_its_standard_input_also_where_it_hangs() -> None:
    child = Child(__name__, {"say": "here"})
    child.tell("hang")
    said = iter(child.heard())
    while b'"hang"!' not in next(said):  # it hangs after this; told to end before, it would not
        pass
    child.end()
    assert child.wait() == 1


def test_a_killed_one_is_told_by_its_signal() -> None:
    child = Child(__name__, {"say": "here"})
    assert next(iter(child.heard())) == [b"here"]
    child.kill()
    assert child.wait() == -signal.SIGKILL
    child.kill()
    child.end()


if __name__ == "__main__":
    serve(_work)
