"""How a verdict shows itself: as text, and as the same in HTML. Nothing in it hangs on times or on chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Report", "as_html", "as_text"]

#: Told whatever they are; of the others, what is not 0.
_ALWAYS = ("sent", "acknowledged", "failed", "unknown", "stored", "lost", "duplicated", "reordered")
#: Told by the remark.
_NEVER = ("unknown_missing",)
_REMARKS = {
    "unknown": "no acknowledgement came: such a record may be stored or not",
    "foreign": "records that this ledger did not send",
}
_NAMED = 5


@dataclass(frozen=True)
class Report:
    """What is to be shown of a verdict.

    Attributes:
        counts: every count by its name.
        unclean: the names of those that must be 0.
        reason: why it is not verified; empty where it is.
        failures: why sends failed, and how often.
        examples: the first records of each kind, in words.
    """

    counts: Mapping[str, int]
    unclean: Sequence[str]
    reason: str
    failures: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]

    @property
    def judgement(self) -> str:
        """The verdict in one sentence."""
        wrong = ", ".join(f"{self.counts[name]:,} {_in_words(name)}" for name in self.unclean if self.counts[name])
        if self.reason:
            return f"Not verified{f' ({wrong})' if wrong else ''}: {self.reason}"
        if wrong:
            return f"Not clean: {wrong}."
        if not self.counts["sent"]:
            return "Clean: nothing was sent."
        return "Clean: nothing lost, duplicated, reordered or changed."

    @property
    def remark(self) -> str:
        """What a reader of the judgement may miss: records that are gone, and that nobody had promised to keep."""
        missing = self.counts["unknown_missing"]
        if not missing:
            return ""
        who = "1 record that was" if missing == 1 else f"{missing:,} records that were"
        verb, what = ("is", "it") if missing == 1 else ("are", "them")
        return f"{who} never acknowledged {verb} not stored: Kafka had not promised to keep {what}."

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Iterate the counts that matter: name, number, and what more there is to say."""
        for name, count in self.counts.items():
            if name == "lost" and self.reason:
                yield name, "?", "not known"
            elif (count or name in _ALWAYS) and name not in _NEVER:
                yield _in_words(name), f"{count:,}", self._remark_on(name, count)

    def _remark_on(self, name: str, count: int) -> str:
        if name == "failed":
            return ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.failures.items()) if reason)
        return _REMARKS.get(name, "") if count else ""

    def named(self) -> Iterator[tuple[str, list[str]]]:
        """Iterate what went wrong: the kind, and its first records in words."""
        for kind in self.unclean:
            if examples := self.examples.get(kind, ()):
                more = self.counts[kind] - len(examples[:_NAMED])
                yield _in_words(kind), [*examples[:_NAMED], *([f"and {more:,} more"] if more else [])]


def as_text(report: Report) -> str:
    """Return the judgement and its remark, the counts in aligned columns, and the first records of each kind."""
    lines = list(report.lines())
    names, numbers = (max(len(line[column]) for line in lines) for column in (0, 1))
    text = [report.judgement, *filter(None, [report.remark])]
    text += [f"  {name:<{names}}  {number:>{numbers}}  {remark}".rstrip() for name, number, remark in lines]
    for kind, examples in report.named():
        text += [f"{kind}:", *(f"  {example}" for example in examples)]
    return "\n".join(text)


def as_html(report: Report) -> str:
    """Return the same as a table and lists."""
    rows = "".join(
        f"<tr><th scope='row' style='text-align: left'>{escape(name)}</th><td>{number}</td>"
        f"<td>{escape(remark)}</td></tr>"
        for name, number, remark in report.lines()
    )
    named = "".join(
        f"<p>{escape(kind)}:</p><ul>{''.join(f'<li>{escape(example)}</li>' for example in examples)}</ul>"
        for kind, examples in report.named()
    )
    head = f"<p><strong>{escape(report.judgement)}</strong></p>" + (
        f"<p>{escape(report.remark)}</p>" * bool(report.remark)
    )
    return f"<div>{head}<table><tbody>{rows}</tbody></table>{named}</div>"


def _in_words(name: str) -> str:
    return name.replace("_", " ")
