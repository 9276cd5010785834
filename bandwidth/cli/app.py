"""Assembles the commands, and turns every way to end into its exit code and its one line."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bandwidth.cli import completion
from bandwidth.cli.command_classes import PlainCommand, PlainGroup
from bandwidth.cli.output import drop_standard_output, print_text, say, text_width
from bandwidth.errors import BandwidthError, InterruptError
from bandwidth.plain_text import one_line, visible
from bandwidth.version import __version__

DEFECT = 1
NO_MEMORY = "not enough memory; free some, or raise the limit (ulimit -v, the container's)"
NO_THREAD = "the system refuses more threads; raise the limit (ulimit -u, the container's pids limit)"
# What Python says where pthread_create(3) fails; it has no error of its own for it.
_NO_THREAD_WORDS = "can't start new thread"

# What a write to something open already ends with. Files are written by text_files, which names them; this is --help.
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT}

# Each command by its name, in the order in which --help lists them: the module of bandwidth.cli with a function of
# that name. Only the one that is called is imported, so that a new command costs the others nothing.
COMMANDS = (
    "theory",
    "measure",
    "compare",
    "check",
    "report",
    "offload",
    "tokens",
    "fleet",
    "system",
    "specs",
    "explain",
)


def build_app(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """Return the application with the commands named."""
    app = typer.Typer(
        name="bandwidth",
        cls=PlainGroup,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(bandwidth)
    for name in names:
        module = importlib.import_module(f"bandwidth.cli.{name}")
        app.command(name, cls=PlainCommand)(getattr(module, name))
    return app


def bandwidth(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Print the theoretical memory bandwidth of a machine, measure the actual one, and explain the difference."""
    del debug  # taken by run() already, wherever it stands
    if version:
        typer.echo(f"bandwidth {__version__}")
    elif context.invoked_subcommand is None:
        from bandwidth.cli.overview import overview
        from bandwidth.units import DEFAULT_RATE_UNIT

        print_text(f"{visible(overview(DEFAULT_RATE_UNIT, text_width(sys.stdout)))}\n\n")
        typer.echo(context.get_help())


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; nothing but a result goes to standard output.

    0 done, 1 something could not be read or verified, 2 usage, 3 hardware that is not there, 4 unstable under
    --strict, 130 interrupted. An error is one line on standard error; `--debug` adds its traceback.
    """
    debug = "--debug" in arguments
    try:
        if completion.is_asked():
            return completion.answer(build_app, COMMANDS)
        arguments = _as_meant([argument for argument in arguments if argument != "--debug"])
        code = build_app(_needed_for(arguments))(arguments, prog_name="bandwidth", standalone_mode=False)
        sys.stdout.flush()
        if not code and "bandwidth.catalog" in sys.modules:
            from bandwidth.cli.specs_option import tell_broken

            tell_broken()
        if code == InterruptError.exit_code:  # Typer has taken the interrupt and said nothing
            return _failed("interrupted", code, debug)
    except BrokenPipeError:
        drop_standard_output()
        return 0
    except SystemExit as leaving:
        # Typer takes a closed pipe for a failure of its own and leaves with 1 before it can be caught above.
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        drop_standard_output()
        return 0
    except KeyboardInterrupt:
        return _failed("interrupted", InterruptError.exit_code, debug)
    except BandwidthError as error:
        return _failed(str(error), error.exit_code, debug)
    except typer.TyperException as error:
        return _failed(_usage_line(error), error.exit_code, debug)
    except Exception as error:  # noqa: BLE001 - the last resort: a defect is one line too
        return _failed(line_of(error), DEFECT, debug)
    return code if isinstance(code, int) else 0


def _as_meant(arguments: list[str]) -> list[str]:
    """Return the arguments with `help` as the option that it means: `bandwidth help measure` is `measure --help`."""
    if arguments[:1] != ["help"]:
        return arguments
    return [*arguments[1:2], "--help"]


def _needed_for(arguments: list[str]) -> Sequence[str]:
    """Return the commands that a line may come to: the one that it names, none for the version alone, else all."""
    if arguments in (["--version"], ["-V"]):
        return ()
    return arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS


def _usage_line(error: typer.TyperException) -> str:
    command = getattr(getattr(error, "ctx", None), "command_path", "bandwidth")
    return f"{error.format_message().rstrip('.')}; see {command} --help"


def _failed(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        say(traceback.format_exc().rstrip("\n"))
    say(one_line(f"bandwidth: {message}"))
    return code


# --- the last resort: what no part of the program foresaw, poor surroundings told apart from defects ----------------


def line_of(error: Exception) -> str:
    """Return what is wrong and what to do: of the system, where that refuses something, else of a defect."""
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, RuntimeError) and _NO_THREAD_WORDS in str(error):
        return NO_THREAD
    if isinstance(error, ImportError):
        return f"a library cannot be loaded: {_cause(error)}; free memory, or install membandwidth again"
    if isinstance(error, OSError):
        return _of_system(error)
    return f"internal error: {type(error).__name__}: {error}; run again with --debug and report it"


def _of_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is None and error.errno in _FULL:
        drop_standard_output()
        return f"standard output cannot be written: {reason}; free some space"
    place = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return f"{place}{reason}; --debug shows the failed system call"


def _cause(error: BaseException) -> str:
    """Return the first line of what an import failed by; NumPy tells its own error after a page of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
