"""`bandwidth check`: one line and an exit code, for a health check of a node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.keeping import RecordKeeper, joined_errors, one_interrupt
from bandwidth.cli.options import PRINTED, PrintOptions, expanded, option_value, with_groups
from bandwidth.cli.output import Output, deliver, emit, say
from bandwidth.errors import BandwidthError, InterruptError, UnstableError, UsageError
from bandwidth.units import parse_share

if TYPE_CHECKING:
    from bandwidth.comparison.baseline import Check
    from bandwidth.comparison.checked_now import Rules

DEFAULT_LEAST = "95%"


@with_groups
def check(
    record: Annotated[
        Path | None, typer.Argument(metavar="RECORD", help="The record to check; not with --measure.")
    ] = None,
    *,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RECORD", help="A record of the same machine when it was sound.")
    ] = None,
    least: Annotated[
        str, typer.Option("--min", metavar="SHARE", help="The least share of the baseline, such as 95% or 0.95.")
    ] = DEFAULT_LEAST,
    measure: Annotated[
        str | None,
        typer.Option(metavar="host|device|pcie", help="Measure this machine now, again where it fails; 60 s at most."),
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Let the record lack results that the baseline has.")
    ] = False,
    any_machine: Annotated[
        bool, typer.Option("--any-machine", help="Let the baseline be of another model of processor or GPU.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Save what --measure measured.", rich_help_panel=PRINTED, callback=expanded),
    ] = None,
    printing: PrintOptions,
) -> None:
    """Whether a machine is as fast as it was: one line, and exit code 0, 1, or 4 where noise keeps it undecided.

    A result fails where its median is below the least share, and by more than the noise.

    bandwidth check today.json --baseline sound.json

    bandwidth check --measure host --baseline sound.json --min 95%
    """
    from bandwidth.comparison.checked_now import Rules
    from bandwidth.comparison.sides import usable
    from bandwidth.results.files import load
    from bandwidth.text_files import check_writable

    options = printing.checked()
    share = option_value("--min", least, parse_share)
    _check_usage(record, baseline, measure, save)
    assert baseline is not None  # noqa: S101 - the line above saw to it
    for path in (save, options.path):
        if path is not None:
            check_writable(path)
    base = usable(load(baseline), str(baseline))
    rules = Rules(base, share, allow_missing=allow_missing, any_machine=any_machine)
    trouble = None
    if record is not None:
        name, found = str(record), rules.judge(usable(load(record), str(record)))
        _print(found, name, str(baseline), options)
    else:
        found, trouble = _checked_now(measure or "", rules, save, str(baseline), options)
    if trouble is not None:
        raise trouble
    if not found.has_passed:
        raise typer.Exit((UnstableError if found.verdict == "undecided" else BandwidthError).exit_code)


def _check_usage(record: Path | None, baseline: Path | None, measure: str | None, save: Path | None) -> None:
    if baseline is None:
        raise UsageError("there is nothing to check against", "give --baseline RECORD")
    if (record is None) == (measure is None):
        raise UsageError("one record is checked", "give RECORD, or --measure host to measure now")
    if save is not None and measure is None:
        raise UsageError("--save keeps what --measure measured", "give --measure, or leave it out")
    try:
        is_same = record is not None and record.resolve() == baseline.resolve()
    except (OSError, RuntimeError):  # its links run in a circle: reading it says so
        is_same = False
    if is_same:
        raise UsageError("the record is its own baseline", "name another")


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
            name, found = _measured(target, rules, keeper, quiet=options.quiet)
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
    kept = f"what was measured is kept in {keeper.path}; " if keeper.is_saved else ""
    told: BandwidthError = InterruptError("interrupted", f"{kept}nothing was checked")
    if isinstance(error, BandwidthError) and not isinstance(error, InterruptError):
        told = error
    return joined_errors(told, keeper.trouble) or told


def _measured(target: str, rules: Rules, keeper: RecordKeeper, *, quiet: bool) -> tuple[str, Check]:
    """Measure this machine against its baseline, the record kept as it grows; return its name and the check."""
    from bandwidth.comparison.checked_now import check_now

    def tell(words: str) -> None:
        if not quiet:
            say(f"bandwidth: {words}")

    record, found = check_now(target, rules, ["bandwidth", *sys.argv[1:]], tell=tell, keep=keeper)
    name = None if record is None else record.machine.get("hostname")
    return str(name or "this machine"), found
