"""The text of a notebook's function, complete enough to run in another process, and the steps it consists of."""

from __future__ import annotations

import ast
import dis
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from kafkalab.errors import InvalidArgument

__all__ = ["Program", "Step"]

_Loop = ast.While | ast.For


@dataclass(frozen=True)
class Step:
    """One statement, without the body that a loop or a condition has.

    Attributes:
        line: where it begins, from 1, in :attr:`Program.text`.
        end: the last line of it.
        text: its first line, without the indentation.
        looped: whether it belongs to a loop: it is in one, or begins one.
    """

    line: int
    end: int
    text: str
    looped: bool


class Program:
    """A function with what it needs.

    That is imports, the notebook's own functions that it calls, and the values of other global names where these are
    plain: numbers, text, bytes, and lists or dicts of them.

    Args:
        function: written in Python, without decorators.

    Attributes:
        name: the function's.
        text: of a module that has the function and what it needs.
        steps: its statements, in the order of the text.

    Raises:
        InvalidArgument: its source is not to be had, or it uses a global name whose value cannot be handed over.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
            kind = type(function).__name__
            raise InvalidArgument(f"{function!r} is of type {kind}, not a function: write one with def.")
        self.name = function.__name__
        needed = dict.fromkeys(_needs(function, {function.__name__}))
        self.text = "\n".join(["from __future__ import annotations", *needed, _source(function)])
        self.steps = list(_steps(self.text, self.name))

    def find(self, text: str) -> Step:
        """Return the one step that has ``text`` in its first line.

        Raises:
            InvalidArgument: there is none, or there are several.
        """
        found = [step for step in self.steps if text in step.text]
        if len(found) != 1:
            many = f"in {len(found)} lines" if found else "in no line"
            raise InvalidArgument(f"{text!r} stands {many} of {self.name}: give the text of one of its lines.")
        return found[0]


def _source(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise InvalidArgument(f"there is no source of {function!r}: write it in a cell of this notebook.") from error


def _needs(function: FunctionType, known: set[str]) -> Iterator[str]:
    """Yield what has to stand before a function's source."""
    for name in sorted(_global_names(function.__code__) - known):
        if name not in function.__globals__:  # a built-in, or an error of the author's that the run will tell
            continue
        known.add(name)
        value = function.__globals__[name]
        if isinstance(value, FunctionType) and value.__module__ == function.__module__:
            yield from _needs(value, known)
            yield _source(value)
        else:
            yield _definition(name, value)


def _global_names(code: CodeType) -> set[str]:
    """Return the global names that a function, and the functions inside it, look up."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return names.union(*map(_global_names, inner))


def _definition(name: str, value: object) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    if _importable(value):
        return f"from {value.__module__} import {value.__name__} as {name}"  # type: ignore[attr-defined]
    try:
        ast.literal_eval(repr(value))
    except (ValueError, SyntaxError):
        raise InvalidArgument(
            f"`{name}` is of type {type(value).__name__} and cannot be handed to another process: "
            "make it inside the program, or give it plain text or numbers to make it from."
        ) from None
    return f"{name} = {value!r}"


def _importable(value: object) -> bool:
    home = sys.modules.get(str(getattr(value, "__module__", "")))
    return home is not None and home.__name__ != "__main__" and getattr(home, _name(value), None) is value


def _name(value: object) -> str:
    return str(getattr(value, "__name__", ""))


def _steps(text: str, name: str) -> Iterator[Step]:
    module, lines = ast.parse(text), text.splitlines()
    (function,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name)
    looped = {id(node) for loop in ast.walk(function) if isinstance(loop, _Loop) for node in ast.walk(loop)}
    statements = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and node is not function]
    for node in sorted(statements, key=lambda node: node.lineno):
        body = getattr(node, "body", None)
        end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
        yield Step(node.lineno, end, lines[node.lineno - 1].strip(), id(node) in looped)
