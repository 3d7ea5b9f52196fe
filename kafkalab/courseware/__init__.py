"""Lessons, exercises and progress: what a learner types in a notebook, and how an author makes one.

A learner's notebook uses four functions and two helpers::

    from kafkalab.courseware import check, hint, predict, progress, show, solution

    guess = predict("How many records does the second consumer read?", choices=(0, 3, 6), guess=3)
    guess.compare(len(records))                    # prints what was observed beside the guess
    check("00.first-topic", cluster, topic=topic)  # prints "Done: ...", or shows one "Not done yet" message
    hint("00.first-topic")                         # the gentle hint; called again, the stronger one
    solution("00.first-topic")                     # the solution, folded away until it is clicked
    progress("00")                                 # the exercises of lesson 00; progress() for all
    show(figure, alt="What the picture says")      # a picture with its text twin

How to write a lesson
---------------------
``notebooks/source/NN_topic.py`` in jupytext's percent format is the only form edited by hand. Cells start
with ``# %% [markdown]`` or ``# %%``; tags are written ``# %% tags=["raises-exception"]``.

An exercise is an ordinary code cell with its name in the cell's header, and one cell somewhere below it that
calls ``check`` with that name::

    # %% exercise="00.first-topic"
    # Create a topic "greetings" with three partitions and keep the name that is returned.
    greetings = ...
    ### BEGIN SOLUTION
    greetings = cluster.create_topic("greetings", partitions=3)
    ### END SOLUTION

    # %%
    check("00.first-topic", cluster, topic=greetings)

- The lesson keeps the stub and loses the marked region; the solution notebook keeps the region and loses the
  marker lines and the stub's placeholders (``name = ...`` and a bare ``...``).
- The stub itself must run: an unsolved exercise fails in its check cell, not before. The build tags the check
  cell ``raises-exception`` in the lesson (not in the solution) so that Run All goes on; authors never do.
- Cells below must not need the answer: use names of the lesson's own there, or the unsolved lesson fails.
- Pass answers to ``check`` by keyword: one that is still ``...`` is refused before your check is called.
- Show pictures with ``show``; in a lesson call ``progress("NN")``, never ``progress()``, whose output changes
  with every exercise that another lesson gets. Do not call ``solution`` in a lesson.
- At most three cells may print what varies: tag them ``# %% tags=["nbval-ignore-output"]`` and assert in the
  next code cell.

Each exercise is declared in ``kafkalab/courseware/exercises/lesson_NN.py``::

    from kafkalab import Cluster
    from kafkalab.courseware.declaration import exercise, expect

    @exercise(
        "00.first-topic",
        task="Create a topic with three partitions.",
        hints=("The cluster makes topics: look at create_topic.", "Pass partitions=3 beside the name."),
    )
    def first_topic(cluster: Cluster, *, topic: str) -> str:
        \"\"\"Look at the cluster, never at the text of the answer.\"\"\"
        count = len(cluster.partitions(topic))
        expect(count == 3, f"topic {topic} has {count} partitions, and three are wanted.")
        return f"topic {topic} has {count} partitions."

The function returns what it saw, which is printed after "Done: ", or raises ``NotDoneYet`` (``expect`` does)
with what it saw instead. Both must read the same in every run: no port, no time, no process id.

Build with ``python -m kafkalab.courseware.build 00`` (see there); it executes both notebooks and then tells
which house rules the lesson breaks (``kafkalab.courseware.rules``).
"""

from __future__ import annotations

from kafkalab.courseware import borrowed
from kafkalab.courseware.declaration import Exercise, NotDoneYet, exercise, expect
from kafkalab.courseware.desk import check, hint, leave_out, progress, solution
from kafkalab.courseware.pictures import show
from kafkalab.courseware.prediction import Prediction, predict

__all__ = [
    "Exercise",
    "NotDoneYet",
    "Prediction",
    "check",
    "exercise",
    "expect",
    "hint",
    "predict",
    "progress",
    "show",
    "solution",
]

borrowed.install(leave_out)
