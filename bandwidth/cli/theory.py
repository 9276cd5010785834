"""`bandwidth theory`: the peak of memories and links, side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.options import (
    FormatOption,
    JsonOption,
    OutputOption,
    QuietOption,
    SpecsOption,
    UnitOption,
    option_value,
)
from bandwidth.cli.output import Output, emit, say
from bandwidth.cli.specs_option import complete_device, use_specs
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.units import DEFAULT_RATE_UNIT, parse_clock_mhz, parse_moved_bytes, parse_rate_mt_s

if TYPE_CHECKING:
    from bandwidth.report.theory import TheoryRow, TheoryView
    from bandwidth.theory import Counts, Peak

FORMULA = "The formula by itself"
VIEW = "What to show"
# A list of a site repeats its machines; and so many lines of what cannot be read are kept until the rows are printed.
MOST_REMEMBERED, MOST_WAITING = 4096, 1000
BYTE_ORDER_MARK = "\ufeff"


def theory(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC",
            autocompletion=complete_device,
            help="DDR4-2933 x4, PCIe 4.0 x16, a device's name ... or - to read lines.",
        ),
    ] = None,
    clock: Annotated[
        str | None, typer.Option(metavar="F", help="Clock, such as 1466.67MHz.", rich_help_panel=FORMULA)
    ] = None,
    transfers: Annotated[
        int | None, typer.Option(metavar="N", help="Transfers a clock cycle: 2 for DDR.", rich_help_panel=FORMULA)
    ] = None,
    rate: Annotated[
        str | None, typer.Option(metavar="R", help="Data rate, such as 2933MT/s or 14Gbps.", rich_help_panel=FORMULA)
    ] = None,
    width: Annotated[int | None, typer.Option(metavar="BITS", help="Data bits of one channel.")] = None,
    channels: Annotated[
        int | None, typer.Option(metavar="N", help="Channels, stacks or lanes: what xN in a SPEC counts.")
    ] = None,
    sockets: Annotated[int | None, typer.Option(metavar="N", help="Sockets that each have this memory.")] = None,
    move: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Add the time to move SIZE once, and how often a second.", rich_help_panel=VIEW
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Write the working out, with sources and notes.", rich_help_panel=VIEW)
    ] = False,
    reference: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Add each peak's ratio to this one.", rich_help_panel=VIEW)
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Print what can be read although some SPECs cannot.")
    ] = False,
    specs_folder: SpecsOption = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """The peak bandwidth of a memory or a link: rate x width x units.

    bandwidth theory DDR4-2933 --channels 4

    bandwidth theory "DDR5-6400 x12" "HBM3e 6.4Gbps 6144-bit" "PCIe 5.0 x16" --explain

    bandwidth theory --clock 1466.67MHz --transfers 2 --width 64 --channels 4
    """
    from bandwidth.report.theory import TheoryView
    from bandwidth.theory import Counts

    options = Output.checked(format_name, as_json, output, unit, quiet)
    use_specs(specs_folder)
    counts = Counts(channels, width, sockets)
    is_formula = clock is not None or rate is not None or transfers is not None
    if is_formula and specs:
        raise UsageError("a SPEC and the plain formula do not go together", "give a SPEC, or --clock or --rate")
    if not is_formula and not specs:
        raise UsageError("nothing to compute", "name a SPEC such as DDR4-2933, or give --clock or --rate; see --help")
    move_bytes = None if move is None else option_value("--move", move, parse_moved_bytes)
    reference_peak = None if reference is None else _one_peak(reference)
    view = TheoryView(options.unit, explain, is_formula, move_bytes, (move or "").strip(), reference_peak)
    failures = _Failures()
    peaks = iter([_formula(clock, transfers, rate, counts)]) if is_formula else _read(specs or [], counts, failures)
    _print(peaks, view, options, failures, keep_going=keep_going)
    failures.tell()
    if failures.count:
        raise typer.Exit(BandwidthError.exit_code)


class _Failures:
    """The lines of the SPECs that cannot be read: told below what is printed, or sooner where they are many."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: list[str] = []

    def add(self, line: str) -> None:
        self.count += 1
        self.waiting.append(line)
        if len(self.waiting) >= MOST_WAITING:
            self.tell()

    def tell(self) -> None:
        say(*self.waiting)
        self.waiting.clear()


def _print(peaks: Iterator[Peak], view: TheoryView, options: Output, failures: _Failures, *, keep_going: bool) -> None:
    """Print the peaks, a long list as it is read; without `keep_going` none from the first SPEC on that failed."""
    from bandwidth.cli.output import emit_streamed, in_pieces
    from bandwidth.report.theory import theory_document

    first, later = in_pieces(_row(peak, view) for peak in peaks)
    pieces = (rows for rows in chain([first], later or ()) if rows and (keep_going or not failures.count))
    if options.path is not None or later is None:
        rows = list(chain.from_iterable(pieces))
        if rows and (keep_going or not failures.count):
            emit(theory_document(rows, view), options)
        return
    whole = replace(view, all_columns=True)
    emit_streamed((theory_document(rows, whole) for rows in pieces), options)


def _row(peak: Peak, view: TheoryView) -> TheoryRow:
    from bandwidth.report.theory import TheoryRow

    return TheoryRow(
        peak,
        move_s=None if view.move_bytes is None else peak.seconds_to_move(view.move_bytes),
        ratio_to_reference=None if view.reference is None else peak.ratio_to(view.reference),
    )


def _formula(clock: str | None, transfers: int | None, rate: str | None, counts: Counts) -> Peak:
    from bandwidth.theory import plain_peak

    return plain_peak(
        clock_mhz=None if clock is None else option_value("--clock", clock, parse_clock_mhz),
        transfers=transfers,
        rate_mt_s=None if rate is None else option_value("--rate", rate, parse_rate_mt_s),
        counts=counts,
    )


def _one_peak(reference: str) -> Peak:
    from bandwidth.theory import peak

    return option_value("--reference", reference, peak)


def _read(specs: list[str], counts: Counts, failures: _Failures) -> Iterator[Peak]:
    """Yield the peaks of all SPECs that can be read; each that cannot is added to the failures."""
    from bandwidth.theory import peaks

    peaks_of = lru_cache(maxsize=MOST_REMEMBERED)(lambda spec: peaks(spec, counts))
    is_empty = True
    for place, spec in _queries(specs):
        is_empty = False
        try:
            yield from peaks_of(spec)
        except UsageError:
            raise
        except BandwidthError as error:
            failures.add(f"bandwidth: {place}{error}")
    if is_empty:
        raise BandwidthError("standard input held no SPEC", "write one a line, such as DDR4-2933 x4")


def _queries(specs: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each SPEC with the place to name in an error; `-` stands for the lines of standard input, once."""
    if specs.count("-") > 1:
        raise UsageError("standard input is named twice", "give - once")
    return chain.from_iterable(_lines() if spec == "-" else [("", spec)] for spec in specs)


def _lines() -> Iterator[tuple[str, str]]:
    """Yield the lines of standard input; empty ones and those that start with # are passed over."""
    # Bytes that are no UTF-8 reach the notation as replacement marks, and are refused there with their line.
    stream = sys.stdin.buffer if hasattr(sys.stdin, "buffer") else None
    lines = (line.decode("utf-8", "replace") for line in stream) if stream is not None else iter(sys.stdin)
    for number, line in enumerate(lines, start=1):
        # Editors of Windows begin a file with a mark of its byte order.
        spec = (line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line).strip()
        if spec and not spec.startswith("#"):
            yield f"line {number}: ", spec
