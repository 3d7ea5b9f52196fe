"""What a notebook shows of solutions and progress: HTML, each with a twin in plain text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["ProgressReport", "Solution", "State"]

#: What has become of an exercise; one that is left out needs more rights than a borrowed cluster gives.
State = Literal["done", "open", "left out"]
_BOXES: dict[State, str] = {"done": "[x]", "open": "[ ]", "left out": "[-]"}


@dataclass(frozen=True, repr=False)
class Solution:
    """One exercise's solution.

    Attributes:
        name: the exercise.
        task: what was asked for.
        code: the code of the solved cell.
    """

    name: str
    task: str
    code: str

    def __repr__(self) -> str:
        return f"Solution of {self.name}: {self.task}\n\n{self.code}"

    def _repr_html_(self) -> str:
        return (
            f"<details><summary>Solution of {escape(self.name)}: {escape(self.task)}</summary>"
            f"<pre><code>{escape(self.code)}</code></pre></details>"
        )


@dataclass(frozen=True, repr=False)
class ProgressReport:
    """Which exercises are done.

    Attributes:
        rows: (exercise, task, state) for each, in the order of the lessons.
    """

    rows: tuple[tuple[str, str, State], ...]

    @property
    def done(self) -> int:
        """How many exercises are done."""
        return self._count("done")

    @property
    def summary(self) -> str:
        """One sentence: how many are done, or that all are, and how many cannot be done on this cluster."""
        if self.done == len(self.rows):
            return f"All exercises are done ({self.done} of {len(self.rows)})."
        left_out = self._count("left out")
        more = f"; {left_out} left out, as this cluster is borrowed" if left_out else ""
        return f"{self.done} of {len(self.rows)} exercises done{more}."

    def _count(self, wanted: State) -> int:
        return sum(state == wanted for _, _, state in self.rows)

    def __repr__(self) -> str:
        width = max((len(name) for name, _, _ in self.rows), default=0)
        lines = [f"{_BOXES[state]} {name:{width}}  {task}" for name, task, state in self.rows]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td>{state}</td><td>{escape(name)}</td><td style="text-align: left">{escape(task)}</td></tr>'
            for name, task, state in self.rows
        )
        head = "<tr><th>state</th><th>exercise</th><th>task</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><p>{self.summary}</p>"
