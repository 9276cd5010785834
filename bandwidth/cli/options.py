"""The options that several commands share, each declared once, and how the values of options become numbers.

An option that stands in one command alone, or means something else in each, is declared there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bandwidth.planning.option import option_list as option_list
from bandwidth.planning.option import option_value as option_value
from bandwidth.report.formats import FORMATS

# The panels of --help that these options stand in.
PRINTED = "What is printed and kept"
MACHINE = "What the machine has"

MEMORY_VARIABLE = "BANDWIDTH_MEMORY"
_FORMATS = tuple(FORMATS)


def expanded(path: Path | None) -> Path | None:
    """Return a path with its `%h`, `%j`, `%t` and `%p` filled in. Raises UsageError for another letter."""
    if path is None or "%" not in str(path):
        return path
    from bandwidth.cli.path_pattern import expand

    return expand(path)


# --- what is printed ------------------------------------------------------------------------------------------------

FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"Print as {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.",
        rich_help_panel=PRINTED,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.", rich_help_panel=PRINTED)]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write to FILE; %h is the host, %j the job, %t the time, %p the process.",
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
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="The result only: no progress, no notes.", rich_help_panel=PRINTED),
]

# --- what the machine has -------------------------------------------------------------------------------------------

MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help=f"Memory of one socket, such as DDR5-4800 x12; else ${MEMORY_VARIABLE}, else what is found.",
        rich_help_panel=MACHINE,
    ),
]
SocketsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Sockets that have this memory; default: those found.",
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
        help="Facts that `bandwidth system --save FILE` wrote.",
        rich_help_panel=MACHINE,
    ),
]

# --- the catalog ----------------------------------------------------------------------------------------------------

SpecsOption = Annotated[
    Path | None, typer.Option("--specs", metavar="DIR", help="Own specs, also by $BANDWIDTH_SPECS; they override.")
]
