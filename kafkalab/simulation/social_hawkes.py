"""The self-exciting process of the source ``social``: which events happen, when, and which event set them off.

A Hawkes process in its cluster form (Hawkes and Oakes, 1974, "A cluster process representation of a self-exciting
process"): spontaneous events come as a Poisson process, and each event, spontaneous or not, sets off a Poisson number
of others after exponential delays. So a stretch of time is simulated generation by generation, each as arrays.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.social_subject import KINDS, Subjects

__all__ = ["BEFORE", "FIRST_POST", "SPONTANEOUS", "Events", "Hawkes"]

Events = npt.NDArray[np.void]
_EVENT = np.dtype(
    [
        ("time", "i8"),  # milliseconds since the start
        ("parent", "i8"),  # the number of the event that set it off, or one of the two below
        ("post", "i8"),  # the number of the post it belongs to; a post belongs to itself
        ("subject", "i2"),
        ("kind", "i1"),  # not known before the event happens
    ],
    align=True,
)
SPONTANEOUS, BEFORE = -1, -2  # BEFORE: set off by something before the start
FIRST_POST = 1000  # smaller numbers are posts from before the start
_POST = KINDS.index("post")
_FIRST_STRETCH, _LONGEST_STRETCH = 2_000, 64_000  # expected events, without the viral ones


@dataclass(frozen=True)
class Hawkes:
    """The process.

    Attributes:
        subjects: what conversations are about; an event inherits the subject of the one that set it off.
        rate: events per second in the long run, the viral post's aside.
        branching: events that an event sets off on average, below 1.
        delay_ms: mean delay between the two.
        viral_ms: when the viral post is sent, milliseconds since the start.
        viral_size: events that the viral post sets off on average, directly or not; 0 for no such post.
    """

    subjects: Subjects
    rate: float
    branching: float
    delay_ms: float
    viral_ms: int
    viral_size: float

    def stretches(self, rng: Callable[..., np.random.Generator]) -> Iterator[tuple[np.random.Generator, Events]]:
        """Simulate stretch after stretch of time, for ever, from the state that the process has in the long run.

        Args:
            rng: gives the generator of a part that is named by numbers.

        Yields:
            The stretch's generator, for what else is drawn there, and its events in the order of time. Events and
            posts are numbered through, in this order; an event comes at least a millisecond after its parent.
        """
        pending = self._before(rng(0))
        begin, events_before, next_post = 0, 0, FIRST_POST
        for number in itertools.count():
            end = begin + self._length_ms(number)
            stretch_rng = rng(1, number)
            due = pending["time"] < end
            seeds = np.concatenate([pending[due], self._spontaneous(stretch_rng, begin, end)])
            grown, later = self._grow(stretch_rng, seeds, end, events_before, next_post)
            pending = np.concatenate([pending[~due], later])
            events = _in_order(grown, pending, events_before, next_post)
            yield stretch_rng, events
            begin, events_before = end, events_before + len(events)
            next_post += int((events["kind"] == _POST).sum())

    def _length_ms(self, number: int) -> int:
        """Return the length of a stretch; the first are short, for who wants only some records."""
        expected = min(_FIRST_STRETCH << min(number, 10), _LONGEST_STRETCH)
        return max(1, round(1000 * expected / self.rate))

    def _before(self, rng: np.random.Generator) -> Events:
        """Return what earlier events, of which we know nothing, will set off.

        As delays forget how long they have lasted, it is the mean number of pending events, each with a full delay.
        """
        count = rng.poisson(self.rate * self.branching * self.delay_ms / 1000)
        subjects = self.subjects.draw(rng, FIRST_POST - 1)
        post = rng.integers(1, FIRST_POST, count)
        return _events(self._delays(rng, count), BEFORE, post, subjects[post - 1])

    def _spontaneous(self, rng: np.random.Generator, begin: int, end: int) -> Events:
        """Return the posts of a stretch that nothing set off, the viral one among them if it is time."""
        count = rng.poisson(self.rate * (1 - self.branching) * (end - begin) / 1000)
        times, subjects = rng.integers(begin, end, count), self.subjects.draw(rng, count)
        if self.viral_size and begin <= self.viral_ms < end:
            times, subjects = np.append(times, self.viral_ms), np.append(subjects, self.subjects.viral)
        return _events(times, SPONTANEOUS, 0, subjects)

    def _grow(self, rng: np.random.Generator, seeds: Events, end: int, event: int, post: int) -> tuple[Events, Events]:
        """Return what happens before ``end``, in the order in which it was drawn, and what is set off for later.

        New events and posts are numbered in this order, from ``event`` and ``post``.
        """
        done, later, generation = [seeds[:0]], [seeds[:0]], seeds
        while len(generation):
            posts = self._happen(rng, generation, post)
            children = self._children(rng, generation, event)
            done.append(generation)
            event, post = event + len(generation), post + posts
            soon = children["time"] < end
            later.append(children[~soon])
            generation = children[soon]
        return np.concatenate(done), np.concatenate(later)

    def _happen(self, rng: np.random.Generator, events: Events, post: int) -> int:
        """Give events their kinds, and posts their numbers from ``post``; return how many posts there are."""
        kinds = self.subjects.kinds[events["subject"], rng.integers(0, 100, len(events))]
        events["kind"] = np.where(events["parent"] == SPONTANEOUS, _POST, kinds)
        posts = np.flatnonzero(events["kind"] == _POST)
        events["post"][posts] = np.arange(post, post + len(posts))
        return len(posts)

    def _children(self, rng: np.random.Generator, events: Events, event: int) -> Events:
        """Return what events, numbered from ``event``, set off directly."""
        # A Poisson number for each parent is the same as one for all, dealt out at random.
        parent = rng.integers(0, len(events), rng.poisson(self.branching * len(events)))
        viral = np.flatnonzero((events["subject"] == self.subjects.viral) & (events["parent"] == SPONTANEOUS))
        if len(viral):
            shock = rng.poisson(self.viral_size * (1 - self.branching))
            parent = np.append(parent, np.repeat(viral, shock))
        children = events[parent]
        children["time"] += self._delays(rng, len(parent))
        children["parent"] = event + parent
        return children

    def _delays(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
        """Return delays in whole milliseconds, at least one, so that no event is as old as its parent."""
        return 1 + (rng.standard_exponential(count) * self.delay_ms).astype(np.int64)


def _events(time: Any, parent: int, post: Any, subject: Any) -> Events:
    events = np.zeros(len(time), _EVENT)
    events["time"], events["parent"], events["post"], events["subject"] = time, parent, post, subject
    return events


def _in_order(events: Events, pending: Events, event: int, post: int) -> Events:
    """Return a stretch's events sorted by time, and number events and posts anew in this order, in ``pending``, too."""
    order = np.argsort(events["time"], kind="stable")
    events = events[order]
    posts = events["post"][events["kind"] == _POST] - post
    for part in (events, pending):
        _renumber(part["parent"], event, _ranks(order))
        _renumber(part["post"], post, _ranks(posts))
    return events


def _ranks(order: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _renumber(numbers: npt.NDArray[Any], first: int, ranks: npt.NDArray[np.int64]) -> None:
    """Replace in place each number from ``first`` on by its rank, counted from ``first``."""
    new = np.flatnonzero(numbers >= first)
    numbers[new] = first + ranks[numbers[new] - first]
