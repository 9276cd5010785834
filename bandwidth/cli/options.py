"""The options that several commands share, each declared once, and how the values of options become numbers.

An option that stands in one command alone, or means something else in each, is declared there. Options that go together
are a group: a dataclass with a field an option, which a command takes as one parameter.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import typer

from bandwidth.cli.completion import complete_memory, offering
from bandwidth.cli.output import Output
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.planning.option import Option, options_of, takes_several
from bandwidth.planning.option import option_list as option_list
from bandwidth.planning.option import option_value as option_value
from bandwidth.report.formats import FORMATS
from bandwidth.units import BITS_PER_S_PER_RATE_UNIT, DEFAULT_RATE_UNIT

if TYPE_CHECKING:
    from bandwidth.machine.facts import Facts
    from bandwidth.planning.options import MeasureOptions

# The panels of --help that these options stand in.
PRINTED = "Output"
MACHINE = "Machine"

MEMORY_VARIABLE = "BANDWIDTH_MEMORY"
_FORMATS = tuple(FORMATS)
# Slurm, PBS and its kin, LSF.
JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
NO_JOB = "none"
_LETTER = re.compile("%(.?)", re.DOTALL)

Options = TypeVar("Options")


# --- groups of options ----------------------------------------------------------------------------------------------


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes each option of its groups by itself, where the group stands among its parameters.

    A parameter is a group where its type is a dataclass, or `Given` of one. Typer asks a function for its signature,
    which need not be the one that was written.
    """
    hints = get_type_hints(command, include_extras=True)
    written = inspect.signature(command).parameters
    groups = {name: hints[name] for name in written if _is_group(hints[name])}

    @functools.wraps(command)
    def called(**values: Any) -> None:
        own = {name: value for name, value in values.items() if name in written}
        own |= {name: _grouped(kind, values) for name, kind in groups.items()}
        command(**own)

    parameters: list[inspect.Parameter] = []
    for name, parameter in written.items():
        alone = parameter.replace(annotation=hints[name], kind=parameter.KEYWORD_ONLY)
        parameters += _parameters(groups[name]) if name in groups else [alone]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


@dataclass(frozen=True)
class Given(Generic[Options]):
    """The texts that were given for options which their dataclass declares (planning/option.py), by their fields."""

    kind: type[Options]
    texts: Mapping[str, Any]

    def over(self, base: Options, **others: Any) -> Options:
        """Return options with the values of these and `others` in their place. Raises UsageError for a wrong text."""
        given = [(one.name, option) for one, option in options_of(self.kind) if self.texts.get(one.name) is not None]
        values = {
            name: self.texts[name] if option.parse is None else option.parse(option.name, self.texts[name])
            for name, option in given
        }
        return replace(base, **others, **values)  # type: ignore[type-var]


def _is_group(kind: Any) -> bool:
    return get_origin(kind) is Given or is_dataclass(kind)


def _grouped(kind: Any, values: Mapping[str, Any]) -> Any:
    names = [parameter.name for parameter in _parameters(kind)]
    texts = {name: values[name] for name in names}
    return Given(get_args(kind)[0], texts) if get_origin(kind) is Given else kind(**texts)


def _parameters(kind: Any) -> Iterator[inspect.Parameter]:
    """Yield the parameters that a group's options are on the command line."""
    if get_origin(kind) is Given:
        declared = options_of(get_args(kind)[0])
        found = [(one, _annotation(one, option)) for one, option in declared if option.help]
    else:
        hints = get_type_hints(kind, include_extras=True)
        found = [(one, hints[one.name]) for one in fields(kind)]
    for one, annotation in found:
        yield inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=annotation)


def _annotation(one: Field[Any], option: Option) -> Any:
    names = option.offered or option.known
    told = typer.Option(
        option.name,
        metavar=option.metavar,
        help=option.help,
        rich_help_panel=option.panel,
        autocompletion=offering(names, several=takes_several(one)) if names else None,
    )
    kind: Any = bool if option.parse is None else str | None
    return Annotated[kind, told]


# --- names of files with `%h`, `%j`, `%t`, `%p`: one command, run on every node of a job, gives one file a node ------


def expanded(path: Path | None) -> Path | None:
    """Return a path with %h as this host, %j as the job, %t as the time (UTC), %p as the process, %% as a percent sign.

    Raises UsageError for another letter. The last folder of a path that has one of these is made where it lacks: the
    first of a thousand nodes does so, and the others find it there.
    """
    if path is None or "%" not in str(path):
        return path
    found = Path(_LETTER.sub(_value_of_letter, str(path)))
    if not found.parent.exists() and found.parent.parent.is_dir():
        try:
            found.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{found.parent} cannot be created: {error.strerror}", "name a writable folder") from error
    return found


def _value_of_letter(found: re.Match[str]) -> str:
    if found[1] not in _LETTERS:
        raise UsageError(
            f"unknown {found[0]!a} in a file name",
            "%h host, %j job, %t time, %p process; write %% for a percent",
        )
    return _LETTERS[found[1]]()


def _host() -> str:
    """Return the host's name without its domain, as Slurm's %N."""
    import platform

    return _plain(platform.node().partition(".")[0]) or "localhost"


def _job() -> str:
    return next((_plain(os.environ[name]) for name in JOB_VARIABLES if os.environ.get(name)), NO_JOB)


def _time() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def _plain(text: str) -> str:
    """Return a text that leads to no other folder: PBS names jobs `123.server`, arrays `123[7]`."""
    return re.sub(r"[^\w.\[\]-]", "_", text, flags=re.ASCII).lstrip(".")


_LETTERS: dict[str, Callable[[], str]] = {
    "h": _host,
    "j": _job,
    "t": _time,
    "p": lambda: str(os.getpid()),
    "%": lambda: "%",
}


# --- what is printed ------------------------------------------------------------------------------------------------

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"Output format: {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.",
        rich_help_panel=PRINTED,
        autocompletion=offering(_FORMATS),
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.", rich_help_panel=PRINTED)]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE; %h host, %j job, %t time, %p process.",
        rich_help_panel=PRINTED,
        callback=expanded,
    ),
]
UnitOption = Annotated[
    str,
    typer.Option(
        "--unit",
        metavar="UNIT",
        help="Unit of rates in tables: GB/s, GiB/s, MB/s, TB/s ...; in bits Gb/s, Mb/s ...",
        rich_help_panel=PRINTED,
        autocompletion=offering(BITS_PER_S_PER_RATE_UNIT, folds=False),
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print the result only: no progress, no notes.", rich_help_panel=PRINTED),
]


@dataclass(frozen=True)
class PrintOptions:
    """How and where a command prints, as it was asked for."""

    format_name: FormatOption = "table"
    as_json: JsonOption = False
    output: OutputOption = None
    unit: UnitOption = DEFAULT_RATE_UNIT
    quiet: QuietOption = False

    def checked(self) -> Output:
        """Return what these options say together. Raises UsageError where one is unknown or two clash."""
        return Output.checked(self.format_name, self.as_json, self.output, self.unit, self.quiet)


# --- what the machine has -------------------------------------------------------------------------------------------

MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help=f"Memory of one socket, such as DDR5-4800 x12; default: ${MEMORY_VARIABLE}, else detected.",
        rich_help_panel=MACHINE,
        autocompletion=complete_memory,
    ),
]
SocketsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Sockets with this memory; default: detected.",
        min=1,
        max=4096,
        rich_help_panel=MACHINE,
    ),
]
FactsOption = Annotated[
    Path | None,
    typer.Option(
        "--facts",
        metavar="FILE",
        help="Machine facts saved by `bandwidth system --save FILE`.",
        rich_help_panel=MACHINE,
    ),
]


@dataclass(frozen=True)
class MachineOptions:
    """What the options say that this machine has."""

    memory: MemoryOption = None
    sockets: SocketsOption = None
    facts_path: FactsOption = None

    def options(self) -> MeasureOptions:
        """Return the options of a measurement that these say. Raises BandwidthError for facts that cannot be read."""
        from bandwidth.planning.options import MeasureOptions

        by_variable = os.environ.get(MEMORY_VARIABLE) or None
        return MeasureOptions(
            memory=self.memory or by_variable,
            memory_source="--memory" if self.memory else MEMORY_VARIABLE,
            sockets=self.sockets,
            saved_facts=None if self.facts_path is None else _read_facts(self.facts_path),
        )


def _read_facts(path: Path) -> Facts:
    """Return the facts in a file of `system --save`, or those in a saved record."""
    import json

    from bandwidth.machine.facts import Facts
    from bandwidth.text_files import read_text

    hint = "use a file written by `bandwidth system --save`"
    text = read_text(path, "a machine's facts", hint)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BandwidthError(f"{path} is not complete JSON", hint) from error
    if not isinstance(content, dict) or not isinstance(content.get("machine"), dict):
        raise BandwidthError(f"{path} contains no machine facts", hint)
    try:
        return Facts.from_json(content["machine"])
    except BandwidthError as error:
        raise BandwidthError(f"{path}: {error.message}", hint) from error


# --- the catalog ----------------------------------------------------------------------------------------------------

SpecsOption = Annotated[
    Path | None,
    typer.Option("--specs", metavar="DIR", help="Folder of your own specs, which override; also $BANDWIDTH_SPECS."),
]
