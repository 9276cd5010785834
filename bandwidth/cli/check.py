"""`bandwidth check`: one line and an exit code, for a health check of a node."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.interrupts import one_interrupt
from bandwidth.cli.keeping import RecordKeeper, joined
from bandwidth.cli.machine_options import machine_options
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
from bandwidth.cli.output import Output, deliver, emit
from bandwidth.errors import BandwidthError, InterruptError, UsageError
from bandwidth.units import DEFAULT_RATE_UNIT, parse_share

if TYPE_CHECKING:
    from bandwidth.comparison.baseline import Check
    from bandwidth.measuring.options import MeasureOptions
    from bandwidth.results import Record, Result

DEFAULT_LEAST = "95%"
# The whole of `--measure`, both tries: what a batch system's prologue may wait.
WHOLE_S = 60.0
BUDGET_S = 15.0
# A run may take 4/3 of its budget, and some seconds to compile and to fill its arrays.
SECONDS_PER_BUDGET = 4 / 3
START_S = 6.0
LEAST_BUDGET_S = 2.0


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
    """Whether a machine is as fast as it was: one line, and exit code 0 or 1.

    A result fails where its median is below the least share, and by more than the noise.

    bandwidth check today.json --baseline sound.json

    bandwidth check --measure host --baseline sound.json --min 95%
    """
    from bandwidth.comparison.sides import usable
    from bandwidth.results.files import load
    from bandwidth.text_files import check_writable

    options = Output.checked(format_name, as_json, output, unit, quiet)
    share = option_value("--min", least, parse_share)
    _check_usage(record, baseline, measure, save)
    assert baseline is not None  # noqa: S101 - the line above saw to it
    for path in (save, options.path):
        if path is not None:
            check_writable(path)
    base = usable(load(baseline), str(baseline))
    rules = _Rules(base, share, allow_missing=allow_missing, any_machine=any_machine)
    trouble = None
    if record is not None:
        name, found = str(record), rules.judge(usable(load(record), str(record)))
        _print(found, name, str(baseline), options)
    else:
        found, trouble = _checked_now(measure or "", rules, save, str(baseline), options)
    if trouble is not None:
        raise trouble
    if not found.has_passed:
        raise typer.Exit(BandwidthError.exit_code)


@dataclass(frozen=True)
class _Rules:
    """What a record is judged by."""

    baseline: Record
    share: float
    allow_missing: bool
    any_machine: bool

    def judge(self, record: Record, only: Sequence[str] | None = None) -> Check:
        """Judge a record. Raises BandwidthError for another model of machine, unless that is allowed."""
        from bandwidth.comparison.baseline import check, other_hardware

        other = "" if self.any_machine else other_hardware(record, self.baseline)
        if other:
            raise BandwidthError(f"another machine: {other}", "give its own baseline, or --any-machine")
        return check(record, self.baseline, self.share, allow_missing=self.allow_missing, only=only)


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
    target: str, rules: _Rules, save: Path | None, baseline: str, options: Output
) -> tuple[Check, BandwidthError | None]:
    """Measure, judge and print; return the check, and what went wrong with a file: what was measured is kept then."""
    keeper, shown = RecordKeeper(save), None
    with one_interrupt() as interrupt:
        try:
            name, found = _measured(target, rules, keeper)
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
    return found, joined(keeper.trouble, shown)


def _broken_off(error: BaseException, keeper: RecordKeeper) -> BandwidthError:
    """Save what was measured until then, and return the error with what became of it."""
    keeper.finish_latest()
    keeper.rescue()
    kept = f"what was measured is kept in {keeper.path}; " if keeper.is_saved else ""
    told = error if isinstance(error, BandwidthError) else InterruptError("interrupted", f"{kept}nothing was checked")
    return joined(told, keeper.trouble) or told


def _measured(target: str, rules: _Rules, keeper: RecordKeeper) -> tuple[str, Check]:
    """Measure what the baseline has, and what fails a second time where there is time left; return name and check."""
    from bandwidth.comparison.baseline import merged

    started = time.monotonic()
    wanted = _wanted(target, rules.baseline)
    ids = [result.case.id for result in wanted]
    record = _run(_options(target, wanted, BUDGET_S), keeper)
    found = rules.judge(record, ids)
    budget = (WHOLE_S - (time.monotonic() - started) - START_S) / SECONDS_PER_BUDGET
    failing = {one.name for one in found.failing}
    if failing and budget >= LEAST_BUDGET_S:
        again = [result for result in wanted if result.case.id in failing]
        record = merged(record, _run(_options(target, again, min(budget, BUDGET_S))), failing)
        keeper(record)
        found = rules.judge(record, ids)
    return str(record.machine.get("hostname") or "this machine"), found


def _wanted(target: str, baseline: Record) -> list[Result]:
    """Return the baseline's results of a target that a run measures again: those of the table, none of a study."""
    from bandwidth.results.plain_results import plain_results

    found = [
        result
        for result in plain_results(baseline)
        if result.is_verified and result.samples.seconds and result.case.target.partition(":")[0] == target
    ]
    if not found:
        raise UsageError(
            f"the baseline has no result of {target[:60]!a} that --measure could repeat",
            f"save one with `bandwidth measure {target[:60] if target.isalpha() else 'host'} --save`",
        )
    return found


def _options(target: str, wanted: Sequence[Result], budget_s: float) -> MeasureOptions:
    """Return the options that measure these cases again, and as few others as the options can say."""
    from bandwidth.measuring.kernels import kernel_of

    cases = [result.case for result in wanted]
    sizes = {case.working_set_bytes for case in cases}
    stores = dict.fromkeys(str(case.variant["stores"]) for case in cases if "stores" in case.variant)
    try:
        kernels = dict.fromkeys(kernel_of(case.path, case.variant).name for case in cases)
    except KeyError as error:
        raise BandwidthError("the baseline has a kernel that is not known here", "measure it again") from error
    return replace(
        machine_options(None, None, None),
        target=target,
        kernels=tuple(kernels),
        engines=tuple(dict.fromkeys(case.engine for case in cases)),
        stores=tuple(stores) or None,
        threads=tuple(dict.fromkeys(str(case.threads) for case in cases)),
        size_bytes=sizes.pop() if len(sizes) == 1 else None,
        budget_s=budget_s,
    )


def _run(options: MeasureOptions, keep: Callable[[Record], None] = lambda _: None) -> Record:
    """Measure; `keep` gets the record as it grows. Raises KeyboardInterrupt where it was ended early."""
    from bandwidth.measuring.measure import measure_prepared, prepare

    record, interrupted = measure_prepared(prepare(options), ["bandwidth", *sys.argv[1:]], save=keep)
    keep(record)
    if interrupted:
        raise KeyboardInterrupt
    return record
