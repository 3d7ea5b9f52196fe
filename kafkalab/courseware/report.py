"""What a notebook shows of solutions and progress: HTML, each with a twin in plain text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

__all__ = ["ProgressReport", "Solution"]


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
        rows: (exercise, task, done) for each, in the order of the lessons.
    """

    rows: tuple[tuple[str, str, bool], ...]

    @property
    def done(self) -> int:
        """How many exercises are done."""
        return sum(done for _, _, done in self.rows)

    @property
    def summary(self) -> str:
        """One sentence: how many are done, or that all are."""
        if self.done == len(self.rows):
            return f"All exercises are done ({self.done} of {len(self.rows)})."
        return f"{self.done} of {len(self.rows)} exercises done."

    def __repr__(self) -> str:
        width = max((len(name) for name, _, _ in self.rows), default=0)
        lines = [f"[{'x' if done else ' '}] {name:{width}}  {task}" for name, task, done in self.rows]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'done' if done else 'open'}</td><td>{escape(name)}</td>"
            f'<td style="text-align: left">{escape(task)}</td></tr>'
            for name, task, done in self.rows
        )
        head = "<tr><th>state</th><th>exercise</th><th>task</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><p>{self.summary}</p>"
