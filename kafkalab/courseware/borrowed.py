"""Lessons on a cluster that somebody else runs: a cell that this cluster refuses says so, and Run All goes on.

A refused cell ends in its sentence, in place of an error. What it did not come to assign is remembered: a cell below
that needs one of those names is left out before it starts, or it would wait in vain for what did not happen. Only the
functions and classes of such cells are defined all the same, for others may call them.
"""

from __future__ import annotations

import ast
import re
import symtable
import warnings
from collections.abc import Callable, Iterator, Sequence
from html import escape
from types import TracebackType
from typing import Any

from IPython import get_ipython
from IPython.display import display
from kafka.errors import ClusterAuthorizationFailedError

from kafkalab.clusters.lodging import NotApplied
from kafkalab.errors import BorrowedCluster, ToolRefused

__all__ = ["LeftOut", "install"]

_WHAT_TO_DO = """
(The texts of this lesson tell what you would have seen. To see it, write backend="local" wherever the lesson makes a
cluster, as in Cluster(brokers=3, backend="local"), restart the kernel, and run all cells.)"""
_FRAME = "border-left: 4px solid #d97706; margin: 4px 0; padding: 4px 10px"  # seen on white and on black
_CODE = re.compile(r"`([^`]+)`")
_DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_REFUSALS = (BorrowedCluster, ToolRefused, ClusterAuthorizationFailedError)


class LeftOut:
    """What is missing because cells were refused or left out.

    Args:
        tell: called with the name of each exercise whose check is left out.

    Attributes:
        missing: the names that a cell above would have assigned.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.missing: set[str] = set()
        self._tell = tell
        self._show_warning = warnings.showwarning
        self._statements: Sequence[ast.stmt] = ()
        self._refusal: BaseException | None = None
        self._said_what_to_do = False

    # ---- what IPython calls -----------------------------------------------------------------------------------

    def visit(self, cell: ast.Module) -> ast.Module:
        """Return the cell to run: itself, or what is left of one that needs what is missing, having said so."""
        self._statements = cell.body
        if not self.missing:
            return cell
        needed = sorted(_needed(cell.body) & self.missing)
        self.missing -= _assigned_in(cell.body)
        if not needed:
            return cell
        names = ", ".join(f"`{name}`" for name in needed)
        _show(f"Left out: it needs {names} from a cell above that was left out.")
        return ast.Module(self._leave_out(cell.body), cell.type_ignores)

    def refuse(
        self,
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: int | None = None,
    ) -> None:
        """Say what was refused, and note what the cell did not come to assign."""
        told = _as_refusal(error)
        self._say(f"Left out: {told.reason}.", f"Left out: {told}")
        file, line = _place_in_cell(trace)
        kept = self._leave_out([each for each in self._statements if (each.end_lineno or 0) >= line])
        exec(compile(ast.Module(kept, []), file, "exec"), shell.user_ns)  # noqa: S102 - the notebook's own code
        self._refusal = error

    def warn(self, message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        """Say what a borrowed cluster does not have or allow, in place of Python's lines about a warning."""
        if issubclass(category, NotApplied):
            self._say(str(message), str(message))
        else:
            self._show_warning(message, category, *place, **more)

    def _say(self, reason: str, with_remedy: str) -> None:
        """Show what is not to be had here; the first time, what to do about it as well."""
        _show(reason if self._said_what_to_do else with_remedy + _WHAT_TO_DO)
        self._said_what_to_do = True

    def _leave_out(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Note as missing what these assign and check, and return those that define something all the same."""
        for name in _checked_in(statements):
            self._tell(name)
        definitions: list[ast.stmt] = [each for each in statements if isinstance(each, _DEFINITIONS)]
        self.missing |= _assigned_in([each for each in statements if each not in definitions])
        kept = []
        for each in definitions:
            if _needed([each]) & self.missing:
                self.missing |= _assigned_in([each])
            else:
                kept.append(each)
        return kept

    def forgive(self, result: Any) -> None:
        """Let the cell count as one that succeeded, so that those below it are run."""
        if result is not None and result.error_in_exec is self._refusal:
            result.error_in_exec = None
        self._refusal = None


def install(tell: Callable[[str], object]) -> None:
    """Let the notebook that this runs in, if it is one, leave out what a borrowed cluster refuses.

    Args:
        tell: called with the name of each exercise whose check is left out.
    """
    shell: Any = get_ipython()
    if shell is None:
        return
    left_out = LeftOut(tell)
    shell.set_custom_exc(_REFUSALS, left_out.refuse)
    shell.ast_transformers.append(left_out)
    shell.events.register("post_run_cell", left_out.forgive)
    warnings.showwarning = left_out.warn


def _show(text: str) -> None:
    """Show a sentence, and what follows it, set off from what a cell that was run shows."""
    first, _, rest = (_CODE.sub(r"<code>\1</code>", part) for part in escape(text).partition("\n"))
    more = f'<br><span style="opacity: 0.8">{rest}</span>' if rest else ""
    shown = {"text/plain": text, "text/html": f'<div style="{_FRAME}">{first}{more}</div>'}
    display(shown, raw=True)  # type: ignore[no-untyped-call]


def _as_refusal(error: BaseException) -> BorrowedCluster:
    if isinstance(error, BorrowedCluster):
        return error
    # Kafka's own words are a whole request and its answer.
    what = f"use {str(error).split()[0]} in this way" if isinstance(error, ToolRefused) else "do that"
    return BorrowedCluster(f"this cluster gives you no right to {what}")


def _place_in_cell(trace: TracebackType | None) -> tuple[str, int]:
    """Return the name of the cell, as that of a file, and the line that it has come to."""
    while trace is not None and trace.tb_frame.f_code.co_name != "<module>":
        trace = trace.tb_next
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ("", 0)


def _needed(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names that these statements take from cells above."""
    needed: set[str] = set()
    defined: set[str] = set()
    for statement in statements:
        table = _table(statement)
        own = set(_assigned(table))
        used = set(_referenced(table)) | (own if isinstance(statement, ast.AugAssign) else set())
        # x = x + 1 takes x from above; with ... as x, and for x in ..., define it before they use it.
        needed |= used - defined - (set() if isinstance(statement, ast.Assign | ast.AugAssign) else own)
        defined |= own
    return needed


def _assigned_in(statements: Sequence[ast.stmt]) -> set[str]:
    return {name for statement in statements for name in _assigned(_table(statement))}


def _checked_in(statements: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names of the exercises that ``check`` is called with."""
    for each in (node for statement in statements for node in ast.walk(statement)):
        match each:
            case ast.Call(func=ast.Name("check"), args=[ast.Constant(str(name)), *_]):
                yield name


def _table(statement: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(statement), "a cell", "exec")


def _assigned(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            yield symbol.get_name()


def _referenced(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the global names that a statement reads, in its functions and comprehensions as well."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module"):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _referenced(child)
