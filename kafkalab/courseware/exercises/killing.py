"""What the checks of several lessons do to a learner's program: run it in a process of its own, and kill it there."""

from __future__ import annotations

from typing import Any

from kafkalab.courseware.crashing import Ending, run_process
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.program import Program, Step
from kafkalab.errors import InvalidArgument, WaitTimeout

__all__ = ["looped_steps", "run_answer"]


def looped_steps(answer: object, name: str) -> list[Step]:
    """Return the statements in the loops of a learner's function.

    Args:
        answer: what the learner gave.
        name: what the answer is called in the notebook.

    Raises:
        NotDoneYet: it cannot be run in another process.
    """
    try:
        program = Program(answer)  # type: ignore[arg-type]
    except InvalidArgument as error:
        raise NotDoneYet(f"`{name}` cannot be started: {error}") from error
    return [step for step in program.steps if step.looped]


def run_answer(
    answer: Any, *arguments: object, timeout: float, kill_before: str | Step = "", nth: int = 1, stuck: str = ""
) -> Ending:
    """Run a learner's function; see :func:`kafkalab.courseware.crashing.run_process`.

    Args:
        answer: the function.
        arguments: what to call it with.
        timeout: seconds until it has to have ended.
        kill_before: the line before which it is to be killed; empty for none.
        nth: which time it comes to that line.
        stuck: what else may be the matter where it does not end; a sentence.

    Raises:
        NotDoneYet: it cannot be run, or did not end in time.
    """
    try:
        return run_process(answer, *arguments, kill_before=kill_before, nth=nth, timeout=timeout)
    except InvalidArgument as error:
        raise NotDoneYet(str(error)) from error
    except WaitTimeout as error:
        raise NotDoneYet(" ".join(filter(None, [str(error), stuck]))) from error
