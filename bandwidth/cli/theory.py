"""`bandwidth theory`: the peak of memories and links, side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import complete_spec
from bandwidth.cli.options import PrintOptions, SpecsOption, option_value, with_groups
from bandwidth.cli.output import Output, emit, say
from bandwidth.cli.specs_option import tell_broken, use_specs
from bandwidth.errors import AmbiguousName, BandwidthError, UsageError
from bandwidth.units import parse_clock_mhz, parse_moved_bytes, parse_rate_mt_s

if TYPE_CHECKING:
    from bandwidth.report.theory import TheoryRow, TheoryView
    from bandwidth.theory import Counts, Peak

FORMULA = "Formula without a SPEC"
VIEW = "Output"
# A list of a site repeats its machines; and so many lines of what cannot be read are kept until the rows are printed.
MOST_REMEMBERED, MOST_WAITING = 4096, 1000
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class FormulaOptions:
    """The plain formula's numbers."""

    clock: Annotated[
        str | None, typer.Option(metavar="F", help="Clock, such as 1466.67MHz.", rich_help_panel=FORMULA)
    ] = None
    transfers: Annotated[
        int | None, typer.Option(metavar="N", help="Transfers per clock cycle: 2 for DDR.", rich_help_panel=FORMULA)
    ] = None
    rate: Annotated[
        str | None, typer.Option(metavar="R", help="Data rate, such as 2933MT/s or 14Gbps.", rich_help_panel=FORMULA)
    ] = None

    @property
    def is_given(self) -> bool:
        """Whether the formula is asked for."""
        return any(value is not None for value in (self.clock, self.transfers, self.rate))


@dataclass(frozen=True)
class CountOptions:
    """What the options count beside a SPEC."""

    width: Annotated[int | None, typer.Option(metavar="BITS", help="Data width of one channel, in bits.")] = None
    channels: Annotated[int | None, typer.Option(metavar="N", help="Channels, stacks or lanes: the xN of a SPEC.")] = (
        None
    )
    sockets: Annotated[int | None, typer.Option(metavar="N", help="Sockets, each with this memory.")] = None


@dataclass(frozen=True)
class ViewOptions:
    """What is shown, and what becomes of SPECs that do not say enough."""

    move: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Add the time to move SIZE once, and the moves per second. For language models: bandwidth tokens.",
            rich_help_panel=VIEW,
        ),
    ] = None
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the calculation, sources and notes.", rich_help_panel=VIEW)
    ] = False
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            autocompletion=complete_spec,
            help="Add the ratio of each peak to this SPEC.",
            rich_help_panel=VIEW,
        ),
    ] = None
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Print the valid SPECs when some are invalid.")] = (
        False
    )
    strict: Annotated[bool, typer.Option("--strict", help="Reject a name that fits several products.")] = False


@with_groups
def theory(
    specs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPEC",
            autocompletion=complete_spec,
            help="DDR4-2933 x4, PCIe 4.0 x16, a device name ...; - reads one SPEC per line.",
        ),
    ] = None,
    *,
    formula: FormulaOptions,
    counted: CountOptions,
    shown: ViewOptions,
    specs_folder: SpecsOption = None,
    printing: PrintOptions,
) -> None:
    """Compute the peak bandwidth of a memory, a link or a device.

    Peak = rate x width x units.

    bandwidth theory DDR4-2933 --channels 4

    bandwidth theory "DDR5-6400 x12" "HBM3e 6.4Gbps 6144-bit" "PCIe 5.0 x16" --explain

    bandwidth theory --clock 1466.67MHz --transfers 2 --width 64 --channels 4
    """
    from bandwidth.report.theory import TheoryView
    from bandwidth.theory import Counts

    options = printing.checked()
    use_specs(specs_folder)
    counts = Counts(counted.channels, counted.width, counted.sockets)
    if formula.is_given and specs:
        raise UsageError("a SPEC and the plain formula exclude each other", "use a SPEC, or --clock or --rate")
    if not formula.is_given and not specs:
        raise UsageError("nothing to compute", "name a SPEC such as DDR4-2933, or use --clock or --rate; see --help")
    move = shown.move
    move_bytes = None if move is None else option_value("--move", move, parse_moved_bytes)
    reference = None if shown.reference is None else _one_peak(shown.reference)
    view = TheoryView(options.unit, shown.explain, formula.is_given, move_bytes, (move or "").strip(), reference)
    unread = _Unread(strict=shown.strict)
    peaks = iter([_formula(formula, counts)]) if formula.is_given else _read(specs or [], counts, unread)
    _print(peaks, view, options, unread, keep_going=shown.keep_going)
    unread.tell()
    if unread.failed:
        tell_broken()  # what could not be read may stand there
        raise typer.Exit(BandwidthError.exit_code)


class _Unread:
    """The SPECs that have no row: the lines of those that cannot be read, and the readings of those that have several.

    The lines are told below what is printed, or sooner where they are many. `strict`: several readings are a failure.
    """

    def __init__(self, *, strict: bool) -> None:
        self.failed = 0
        self._strict = strict
        self._lines: list[str] = []
        self._readings: dict[str, AmbiguousName] = {}

    def add(self, place: str, spec: str, error: BandwidthError) -> None:
        if isinstance(error, AmbiguousName) and error.readings and not self._strict:
            self._readings[spec] = error
            return
        self.failed += 1
        self._line(f"bandwidth: {place}{error}")

    def take_readings(self) -> dict[str, AmbiguousName]:
        """Return the queries so far that have several readings, which then are printed and not told."""
        found = dict(self._readings)
        self._readings.clear()
        return found

    def tell(self) -> None:
        """Say what waits."""
        say(*self._lines, *(f"bandwidth: {error}" for error in self._readings.values()))
        self._lines.clear()
        self._readings.clear()

    def _line(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= MOST_WAITING:
            self.tell()


def _print(peaks: Iterator[Peak], view: TheoryView, options: Output, unread: _Unread, *, keep_going: bool) -> None:
    """Print the peaks, a long list as it is read; without `keep_going` none from the first SPEC on that failed.

    The readings of a name that has several stand below; those of a long list are told at its end.
    """
    from bandwidth.cli.output import emit_streamed, in_pieces
    from bandwidth.report.theory import theory_document

    first, later = in_pieces(_row(peak, view) for peak in peaks)
    pieces = (rows for rows in chain([first], later or ()) if rows and (keep_going or not unread.failed))
    if options.path is not None or later is None:
        rows = list(chain.from_iterable(pieces))
        readings = unread.take_readings()
        if (rows or readings) and (keep_going or not unread.failed):
            several = {spec: [_row(peak, view) for peak in error.readings] for spec, error in readings.items()}
            unlisted = {spec: error.unlisted for spec, error in readings.items() if error.unlisted}
            emit(theory_document(rows, view, several, unlisted), options)
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


def _formula(formula: FormulaOptions, counts: Counts) -> Peak:
    from bandwidth.theory import plain_peak

    return plain_peak(
        clock_mhz=None if formula.clock is None else option_value("--clock", formula.clock, parse_clock_mhz),
        transfers=formula.transfers,
        rate_mt_s=None if formula.rate is None else option_value("--rate", formula.rate, parse_rate_mt_s),
        counts=counts,
    )


def _one_peak(reference: str) -> Peak:
    from bandwidth.theory import peak

    return option_value("--reference", reference, peak)


def _read(specs: list[str], counts: Counts, unread: _Unread) -> Iterator[Peak]:
    """Yield the peaks of all SPECs that can be read; the others are added to the unread."""
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
            unread.add(place, spec, error)
    if is_empty:
        raise BandwidthError("standard input contains no SPEC", "write one per line, such as DDR4-2933 x4")


def _queries(specs: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each SPEC with the place to name in an error; `-` stands for the lines of standard input, once."""
    if specs.count("-") > 1:
        raise UsageError("standard input is named twice", "use - once")
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
