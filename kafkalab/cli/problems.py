"""What goes wrong, as one line on standard error and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kafkalab.errors import InvalidArgument, KafkalabError

__all__ = ["BAD_USAGE", "FAILURE", "INTERRUPTED", "exit_code_of"]

FAILURE = 1
BAD_USAGE = 2
INTERRUPTED = 130  # as shells report a program that SIGINT (2) ended: 128 + 2


def exit_code_of(run: Callable[[], Any]) -> int:
    """Run a command and return its exit code: what it returned, or what its failure means.

    What is not foreseen goes through with its traceback: whoever reports it needs that.
    """
    try:
        result = run()
    except click.UsageError as error:
        return _bad_usage(error)
    except click.ClickException as error:
        _say(error.format_message())
        return error.exit_code
    except click.Abort:  # click's word for Ctrl-C
        return INTERRUPTED
    except KafkalabError as error:
        _say(str(error))
        return BAD_USAGE if isinstance(error, InvalidArgument) else FAILURE
    except OSError as error:
        _say(f"the operating system refused: {error}; `kafkalab doctor` may know more.")
        return FAILURE
    return result if isinstance(result, int) else 0


def _bad_usage(error: click.UsageError) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()  # the help itself
        return BAD_USAGE
    command = error.ctx.command_path if error.ctx else "kafkalab"
    message = error.format_message()
    _say(f"{message}{'' if message.endswith(('.', ')')) else '.'} See `{command} --help`.")
    return BAD_USAGE


def _say(message: str) -> None:
    """Print the sentence and, below it and indented, the message's evidence (a broker's last log lines)."""
    sentence, *evidence = message.strip().splitlines() or ["it failed without a reason."]
    click.echo(f"kafkalab: {sentence}", err=True)
    for line in evidence:
        click.echo(f"  {line}", err=True)
