"""`bandwidth check`: one line and an exit code, for a health check of a node."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.options import (
    PRINTED,
    FormatOption,
    JsonOption,
    OutputOption,
    QuietOption,
    UnitOption,
    expanded,
    option_value,
)
from bandwidth.cli.output import Output, emit, say
from bandwidth.errors import BandwidthError, UnstableError, UsageError
from bandwidth.units import DEFAULT_RATE_UNIT, parse_share

if TYPE_CHECKING:
    from bandwidth.comparison.baseline import Check
    from bandwidth.comparison.checked_now import Rules

DEFAULT_LEAST = "95%"


def check(
    record: Annotated[
        Path | None, typer.Argument(metavar="RECORD", help="The record to check; not with --measure.")
    ] = None,
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
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """Whether a machine is as fast as it was: one line, and exit code 0, 1, or 4 where noise keeps it undecided.

    A result fails where its median is below the least share, and by more than the noise.

    bandwidth check today.json --baseline sound.json

    bandwidth check --measure host --baseline sound.json --min 95%
    """
    from bandwidth.comparison.checked_now import Rules
    from bandwidth.comparison.sides import usable
    from bandwidth.results.files import load
    from bandwidth.results.text_files import check_writable

    options = Output.checked(format_name, as_json, output, unit, quiet)
    share = option_value("--min", least, parse_share)
    _check_usage(record, baseline, measure, save)
    assert baseline is not None  # noqa: S101 - the line above saw to it
    for path in (save, options.path):
        if path is not None:
            check_writable(path)
    base = usable(load(baseline), str(baseline))
    rules = Rules(base, share, allow_missing=allow_missing, any_machine=any_machine)
    if record is not None:
        name, found = str(record), rules.judge(usable(load(record), str(record)))
    else:
        name, found = _measured(measure or "", rules, save, quiet=quiet)
    _print(found, name, str(baseline), options)
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


def _print(found: Check, name: str, baseline: str, options: Output) -> None:
    """Print the line; a table is a line only, whatever its length, so that a log keeps it in one piece."""
    from bandwidth.report.check import check_document, check_line

    if options.format_name != "table":
        emit(check_document(found, name, baseline, options.unit), options)
        return
    line = check_line(found, name, baseline, options.unit) + "\n"
    if options.path is not None:
        from bandwidth.results.text_files import write_atomically

        write_atomically(options.path, line)
    else:
        sys.stdout.write(line)
        sys.stdout.flush()


def _measured(target: str, rules: Rules, save: Path | None, *, quiet: bool) -> tuple[str, Check]:
    """Measure this machine against its baseline, and save what was measured; return its name and the check."""
    from bandwidth.comparison.checked_now import check_now
    from bandwidth.findings import examine
    from bandwidth.results.files import save as save_record

    def tell(words: str) -> None:
        if not quiet:
            say(f"bandwidth: {words}")

    record, found = check_now(target, rules, ["bandwidth", *sys.argv[1:]], tell=tell)
    if record is None:
        return "this machine", found
    if save is not None:
        save_record(record, examine(record), save)
    return str(record.machine.get("hostname") or "this machine"), found
