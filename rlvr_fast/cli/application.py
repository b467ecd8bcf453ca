"""The commands in the order of the help, and the exit codes.

Exit codes: 0 done, 2 bad input, 1 failure, 130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from rlvr_fast import __version__, console
from rlvr_fast.cli.checks import bench, doctor, replay
from rlvr_fast.cli.comparisons import compare, dynamics, plan, references
from rlvr_fast.cli.jobs import demo, study
from rlvr_fast.cli.parameters import with_options
from rlvr_fast.cli.stages import grade, import_rollouts, sample, score
from rlvr_fast.errors import InvalidInputError, MissingDependencyError, RlvrError, file_error

__all__ = ["app", "main"]

# A new command is one line here.
_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "study": study,
    "sample": sample,
    "grade": grade,
    "score": score,
    "compare": compare,
    "import": import_rollouts,
    "dynamics": dynamics,
    "references": references,
    "plan": plan,
    "replay": replay,
    "bench": bench,
    "doctor": doctor,
}

app = typer.Typer(
    name="rlvr-fast",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    subcommand_metavar="COMMAND [ARGS]",
    help="What did RLVR do to the answers a base model could already reach, and how sure are we?",
)
for _name, _command in _COMMANDS.items():
    # The list of commands cuts a first line off where it is too long, but no short help.
    _summary = (inspect.getdoc(_command) or "").partition("\n")[0]
    app.command(_name, short_help=_summary)(with_options(_command))


def _version(value: bool) -> None:
    if value:
        print(f"rlvr-fast {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of `rlvr-fast`."""
    console.replace_unencodable()
    try:
        try:
            app(prog_name="rlvr-fast")
        finally:
            console.flush()
    except (InvalidInputError, MissingDependencyError) as problem:
        console.error(str(problem))
        sys.exit(2)
    except RlvrError as problem:
        console.error(str(problem))
        sys.exit(1)
    except BrokenPipeError:  # the reader, `head` for example, has closed the pipe
        sys.exit(1)
    except OSError as problem:
        where = "" if problem.filename is None else f"{problem.filename}: "
        console.error(f"{where}{problem.strerror or problem}")
        wrong_path = isinstance(file_error(problem, ""), InvalidInputError)
        sys.exit(2 if wrong_path else 1)
