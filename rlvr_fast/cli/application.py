"""The commands in the order of the help, and the exit codes.

Exit codes: 0 done, 2 bad input, 1 failure, 130 interrupted (what was finished is kept).
"""

from __future__ import annotations

import functools
import importlib
import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from rlvr_fast import __version__, console
from rlvr_fast.cli.parameters import with_options
from rlvr_fast.errors import InvalidInputError, MissingDependencyError, RlvrError, file_error

__all__ = ["COMMANDS", "app", "main"]

# name -> (module of this folder, function, first line of the function's docstring).
# A new command is one line here. The first line stands here because the list of commands is shown
# without the import of any module.
COMMANDS = {
    "demo": ("jobs", "demo", "Do the whole job on the embedded pair of models."),
    "study": ("jobs", "study", "Sample, grade, score, compare and report, from one file."),
    "sample": ("stages", "sample", "Draw completions into a run directory."),
    "grade": ("stages", "grade", "Extract and verify the answers, each distinct one once."),
    "score": ("stages", "score", "Score the completions of a run under a model."),
    "compare": (
        "comparisons",
        "compare",
        "Compare two runs or sets of rollouts: tables, figures, a page.",
    ),
    "import": (
        "imports",
        "import_rollouts",
        "Make a run directory of completions that already exist.",
    ),
    "dynamics": (
        "comparisons",
        "dynamics",
        "Follow a training: several checkpoints against one base run.",
    ),
    "references": (
        "comparisons",
        "references",
        "Show the perplexity of given traces, by region of support.",
    ),
    "plan": ("comparisons", "plan", "Show where more samples would decide the most labels."),
    "compact": ("runs", "compact", "Join the small parts of a run to few large ones."),
    "merge": ("runs", "merge", "Join runs of one model that were drawn apart."),
    "replay": ("checks", "replay", "Recompute the published tables of both papers."),
    "bench": ("checks", "bench", "Time the scoring kernels beside this machine's limits."),
    "doctor": ("checks", "doctor", "Examine a run directory, or this installation."),
}


class _Loaded(Mapping[str, Any]):
    """The commands by name; the module of a command is imported when the command is used."""

    def __getitem__(self, name: str) -> Any:
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@functools.cache
def _load(name: str) -> Any:
    module, function, summary = COMMANDS[name]
    command = getattr(importlib.import_module(f"rlvr_fast.cli.{module}"), function)
    single = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    single.command(name, short_help=summary)(with_options(command))
    return get_command(single)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        commands: Any = _Loaded()
        self.commands = commands

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


app = typer.Typer(
    name="rlvr-fast",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    subcommand_metavar="COMMAND [ARGS]",
    help="What did RLVR do to the answers a base model could already reach, and how sure are we?",
)


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


# The exit code of a command that Ctrl-C ended.
_INTERRUPTED = 130


def main() -> None:
    """Entry point of `rlvr-fast`."""
    console.guard_streams()
    try:
        _run()
    except KeyboardInterrupt:  # once more, while the first one was answered
        sys.exit(_INTERRUPTED)
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # one more has nothing left to end
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise


def _run() -> None:
    """Runs the command, and ends the process with a message and an exit code."""
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
    except UnicodeEncodeError as problem:
        # pyarrow and other libraries take names in UTF-8 only.
        console.error(
            f"{problem.object[:500]}: a name or a text that is not UTF-8, shown with \\udcXX for "
            "its other bytes; rename the file or folder"
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader, `head` for example, has closed the pipe
        sys.exit(1)
    except OSError as problem:
        where = "" if problem.filename is None else f"{problem.filename}: "
        console.error(f"{where}{problem.strerror or problem}")
        wrong_path = isinstance(file_error(problem, ""), InvalidInputError)
        sys.exit(2 if wrong_path else 1)
