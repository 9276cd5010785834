"""`bandwidth check`: one line and an exit code, for a health check of a node."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import offering
from bandwidth.cli.keeping import RecordKeeper, joined_errors, one_interrupt
from bandwidth.cli.options import PRINTED, PrintOptions, expanded, option_value, with_groups
from bandwidth.cli.output import Output, deliver, emit, say
from bandwidth.errors import BandwidthError, InterruptError, UnstableError, UsageError
from bandwidth.units import parse_share
from bandwidth.vocabulary import TARGETS

if TYPE_CHECKING:
    from bandwidth.comparison.baseline import Check
    from bandwidth.comparison.checked_now import Rules
    from bandwidth.comparison.normal import NormalCheck

DEFAULT_LEAST = "95%"
MeasuredNow = Annotated[
    str | None,
    typer.Option(
        metavar="host|device|pcie",
        autocompletion=offering(TARGETS),
        help="Measure this machine now, twice if the first run fails; at most 60 s.",
    ),
]


@with_groups
def check(
    record: Annotated[
        Path | None, typer.Argument(metavar="RECORD", help="Record to check; omit it with --measure.")
    ] = None,
    *,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RECORD", help="Earlier record of the same machine; without it the normal range applies."),
    ] = None,
    least: Annotated[
        str,
        typer.Option("--min", metavar="SHARE", help="Lowest acceptable share of the baseline, such as 95% or 0.95."),
    ] = DEFAULT_LEAST,
    measure: MeasuredNow = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Accept a record that lacks results of the baseline.")
    ] = False,
    any_machine: Annotated[
        bool, typer.Option("--any-machine", help="Accept a baseline of another processor or GPU model.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Save the record of --measure.", rich_help_panel=PRINTED, callback=expanded),
    ] = None,
    printing: PrintOptions,
) -> None:
    """Check a machine against a baseline, or against its normal range.

    Prints one line. Exit codes: 0 ok, 1 failed, 4 undecided (too noisy, or
    another measurement runs for longer than a minute). With --baseline a result
    fails if its median is below the limit by more than the noise. Without a
    baseline the normal range of the processor or GPU applies.

    bandwidth check --measure host

    bandwidth check today.json --baseline sound.json

    bandwidth check --measure host --baseline sound.json --min 95%
    """
    from bandwidth.comparison.checked_now import Rules
    from bandwidth.comparison.sides import usable
    from bandwidth.results.files import load

    options = printing.checked()
    share = option_value("--min", least, parse_share)
    _check_usage(record, baseline, measure, save, options)
    if baseline is None:
        _by_itself(record, measure or "", save, options)
        return
    rules = Rules(usable(load(baseline), str(baseline)), share, allow_missing=allow_missing, any_machine=any_machine)
    if record is None:
        _leave(*_checked_now(measure or "", rules, save, str(baseline), options))
    else:
        found = rules.judge(usable(load(record), str(record)))
        _print(found, str(record), str(baseline), options)
        _leave(found, None)


def _leave(found: Check, trouble: BandwidthError | None) -> None:
    """Return for exit code 0, or raise what stands for another."""
    if trouble is not None:
        raise trouble
    if not found.has_passed:
        raise typer.Exit((UnstableError if found.verdict == "undecided" else BandwidthError).exit_code)


def _by_itself(record: Path | None, target: str, save: Path | None, options: Output) -> None:
    """Judge a record, or what is measured now, by what is normal for its kind."""
    from bandwidth.comparison.normal import check_normal, measured_by_itself
    from bandwidth.comparison.sides import usable
    from bandwidth.results.files import load

    if record is not None:
        judged = check_normal(usable(load(record), str(record)))
        _print_normal(judged, str(record), options)
        _leave(judged.check, None)
        return
    keeper = RecordKeeper(save)
    with one_interrupt() as interrupt:
        try:
            command = ["bandwidth", *sys.argv[1:]]
            measured, judged = measured_by_itself(target, command, tell=_teller(options), keep=keeper)
        except (BandwidthError, KeyboardInterrupt) as error:
            interrupt.hold()
            raise _broken_off(error, keeper) from error
        interrupt.hold()
        keeper.finish_latest()
        name = None if measured is None else measured.machine.get("hostname")
        shown = None
        try:
            _print_normal(judged, str(name or "this machine"), options, is_measured=True)
        except BandwidthError as error:
            shown = error
        keeper.rescue()
    _leave(judged.check, joined_errors(keeper.trouble, shown))


def _print_normal(found: NormalCheck, name: str, options: Output, *, is_measured: bool = False) -> None:
    from bandwidth.report.check import normal_document, normal_line

    if options.format_name != "table":
        emit(normal_document(found, name, options.unit), options, is_measured=is_measured)
        return
    deliver(normal_line(found, name) + "\n", options, is_measured=is_measured)


def _teller(options: Output) -> Callable[[str], None]:
    """Return what says on standard error that another measurement is waited for."""
    return lambda words: None if options.quiet else say(f"bandwidth: {words}")


def _check_usage(
    record: Path | None, baseline: Path | None, measure: str | None, save: Path | None, options: Output
) -> None:
    """Raise UsageError for what does not go together, BandwidthError for a file that cannot be written."""
    from bandwidth.text_files import check_writable

    if (record is None) == (measure is None):
        raise UsageError("check needs one record", "name a record, or use --measure host to measure now")
    if save is not None and measure is None:
        raise UsageError("--save needs --measure", "add --measure, or omit --save")
    try:
        is_same = record is not None and baseline is not None and record.resolve() == baseline.resolve()
    except (OSError, RuntimeError):  # its links run in a circle: reading it says so
        is_same = False
    if is_same:
        raise UsageError("the record and the baseline are the same file", "name another record")
    for path in filter(None, (save, options.path)):
        check_writable(path)


def _print(found: Check, name: str, baseline: str, options: Output, *, is_measured: bool = False) -> None:
    """Print the line; a table is a line only, whatever its length, so that a log keeps it in one piece."""
    from bandwidth.report.check import check_document, check_line

    if options.format_name != "table":
        emit(check_document(found, name, baseline, options.unit), options, is_measured=is_measured)
        return
    line = check_line(found, name, baseline, options.unit) + "\n"
    deliver(line, options, is_measured=is_measured)


# --- measuring ------------------------------------------------------------------------------------------------------


def _checked_now(
    target: str, rules: Rules, save: Path | None, baseline: str, options: Output
) -> tuple[Check, BandwidthError | None]:
    """Measure, judge and print; return the check, and what went wrong with a file: what was measured is kept then."""
    keeper, shown = RecordKeeper(save), None
    with one_interrupt() as interrupt:
        try:
            name, found = _measured(target, rules, keeper, options)
        except (BandwidthError, KeyboardInterrupt) as error:  # it was ended, or the baseline is of another machine
            interrupt.hold()
            raise _broken_off(error, keeper) from error
        interrupt.hold()
        keeper.finish_latest()
        try:
            _print(found, name, baseline, options, is_measured=True)
        except BandwidthError as error:
            shown = error
        keeper.rescue()
    return found, joined_errors(keeper.trouble, shown)


def _broken_off(error: BaseException, keeper: RecordKeeper) -> BandwidthError:
    """Save what was measured until then, and return the error with what became of it."""
    keeper.finish_latest()
    keeper.rescue()
    kept = f"the results so far are in {keeper.path}; " if keeper.is_saved else ""
    told: BandwidthError = InterruptError("interrupted", f"{kept}nothing was checked")
    if isinstance(error, BandwidthError) and not isinstance(error, InterruptError):
        told = error
    return joined_errors(told, keeper.trouble) or told


def _measured(target: str, rules: Rules, keeper: RecordKeeper, options: Output) -> tuple[str, Check]:
    """Measure this machine against its baseline, the record kept as it grows; return its name and the check."""
    from bandwidth.comparison.checked_now import check_now

    record, found = check_now(target, rules, ["bandwidth", *sys.argv[1:]], tell=_teller(options), keep=keeper)
    name = None if record is None else record.machine.get("hostname")
    return str(name or "this machine"), found
