"""`bandwidth measure`: what this machine's memory really reaches, beside what it should."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import offering
from bandwidth.cli.keeping import Interrupt, RecordKeeper, joined_errors, one_interrupt
from bandwidth.cli.options import PRINTED, Given, MachineOptions, PrintOptions, expanded, with_groups
from bandwidth.cli.output import Output, emit
from bandwidth.cli.progress import shown_progress
from bandwidth.errors import BandwidthError, HardwareError, InterruptError, UnstableError, UsageError
from bandwidth.planning.options import TARGET_ALIASES, TARGET_WORDS, MeasureOptions

if TYPE_CHECKING:
    from bandwidth.planning.preparation import Preparation
    from bandwidth.report import Document
    from bandwidth.results import Examination, Record

# What --strict does not accept: an interval that is wide, or none at all.
UNSTABLE_CODES = frozenset({"BW003", "BW008", "BW045"})


@with_groups
def measure(
    target: Annotated[
        str,
        typer.Argument(
            metavar="host|device|pcie|all",
            autocompletion=offering(TARGET_WORDS),
            help="What to measure: cpu (host), gpu (device), link (pcie) or all.",
        ),
    ] = "all",
    *,
    asked: Given[MeasureOptions],
    plan: Annotated[bool, typer.Option("--plan", help="Print the plan without measuring.")] = False,
    machine: MachineOptions,
    every: Annotated[
        bool, typer.Option("--all", help="Show every case with its interval and ceiling.", rich_help_panel=PRINTED)
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 4 if a result is unstable.", rich_help_panel=PRINTED)
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Save the record: raw samples, facts, findings.",
            rich_help_panel=PRINTED,
            callback=expanded,
        ),
    ] = None,
    printing: PrintOptions,
) -> None:
    """Measure the bandwidth of memory, GPUs and their links, and compare it with the theoretical peak.

    bandwidth measure

    bandwidth measure --memory "DDR5-4800 x12" --kernel copy,triad --save run.json

    bandwidth measure --sweep size --range 4KiB-64MiB

    bandwidth measure --latency

    bandwidth measure device --device all
    """
    from bandwidth.measuring.measure import prepare
    from bandwidth.report.measurement import plan_document

    options = printing.checked()
    _check_files(save, options, plan=plan)
    is_record_the_output = options.format_name == "json" and options.path is not None and save is None and not plan
    if is_record_the_output:
        save = options.path  # -o x.json --json is the same as --save x.json
    preparation = prepare(asked.over(machine.options(), target=TARGET_ALIASES.get(target.lower(), target.lower())))
    if plan:
        emit(plan_document(preparation.plans, options.unit), options)
        return
    keeper = RecordKeeper(save)
    with one_interrupt() as interrupt:
        ended = _measured(preparation, keeper, interrupt, options)
        interrupt.hold()
        examination = _keep(ended, keeper, options, is_record_the_output=is_record_the_output, every=every)
    _leave(ended, examination, keeper, options, strict=strict)


def _check_files(save: Path | None, options: Output, *, plan: bool) -> None:
    """Raise UsageError where there would be nothing to save, BandwidthError where a file cannot be written."""
    from bandwidth.text_files import check_writable

    if plan and save is not None:
        raise UsageError("--plan measures nothing to --save", "omit one of them; -o FILE writes the plan")
    for path in filter(None, (save, options.path)):
        check_writable(path)


@dataclass
class _Ended:
    """How the measuring ended: the record, whether it was interrupted, and what else broke it off, or a file."""

    record: "Record"
    interrupted: bool = False
    failure: Exception | None = None
    trouble: BandwidthError | None = None


def _measured(preparation: "Preparation", keeper: RecordKeeper, interrupt: Interrupt, options: Output) -> _Ended:
    """Measure. Whatever breaks it off after the first round, the rounds before are kept."""
    from bandwidth.measuring.earlier_runs import EarlierRuns
    from bandwidth.measuring.measure import measure_prepared

    command = ["bandwidth", *sys.argv[1:]]
    earlier = EarlierRuns.of(preparation.surroundings.facts.to_json())
    try:
        with shown_progress(interrupt.check, quiet=options.quiet) as progress:
            return _Ended(*measure_prepared(preparation, command, progress=progress, save=keeper, earlier=earlier))
    except KeyboardInterrupt:
        if keeper.latest is None:
            raise
        return _Ended(keeper.latest, interrupted=True)
    except Exception as error:
        if keeper.latest is None or not keeper.latest.results:
            raise
        return _Ended(keeper.latest, failure=error)


def _document(record: "Record", examination: "Examination", options: Output, *, every: bool) -> "Document":
    """Return what is printed: the answer, or every case where that is asked for or the format is for programs."""
    from bandwidth.report.measurement import measurement_document
    from bandwidth.report.screen.default import screen_document

    if every or options.format_name == "csv":
        return measurement_document(record, examination, options.unit)
    return screen_document(record, examination, options.unit, is_quiet=options.quiet)


def _keep(
    ended: _Ended, keeper: RecordKeeper, options: Output, *, is_record_the_output: bool, every: bool
) -> "Examination":
    """Save the record and print the table; what cannot go where it should goes somewhere else, see `ended.trouble`."""
    from bandwidth.findings import examine

    record = ended.record
    keeper.finish(record)
    examination = examine(record)
    closed: BrokenPipeError | None = None
    is_printed = False
    try:
        # An interrupt before the first sample leaves an earlier file alone.
        if not is_record_the_output and (record.results or not ended.interrupted or options.path is None):
            emit(_document(record, examination, options, every=every), options, is_measured=True)
            is_printed = options.format_name == "json" and options.path is None
    except BandwidthError as error:
        ended.trouble = error
    except BrokenPipeError as error:
        closed = error
    keeper.rescue(is_printed=is_printed)
    if closed is not None and keeper.trouble is None:
        raise closed
    ended.trouble = joined_errors(keeper.trouble, ended.trouble)
    return examination


def _leave(ended: _Ended, examination: "Examination", keeper: RecordKeeper, options: Output, *, strict: bool) -> None:
    """Return for exit code 0, or raise what stands for another: all that was measured is printed and saved by now."""
    from bandwidth.report.labels import subject
    from bandwidth.results import summarise

    record = ended.record
    if ended.interrupted:
        raise InterruptError("interrupted", str(ended.trouble or _kept(record, keeper, options)))
    if ended.trouble is not None:
        raise ended.trouble
    if ended.failure is not None:
        raise ended.failure
    if record.not_run and not record.results:
        raise BandwidthError("nothing could be measured", record.not_run[0].reason)
    if _lacks_gpu(record):
        raise HardwareError("the requested GPU could not be measured", "the result states the reason")
    failed = [subject(result.case, record) for result in record.results if not result.is_verified]
    if failed:
        raise BandwidthError(f"verification failed: {'; '.join(failed)}", "see BW006 above; `bandwidth explain BW006`")
    impossible = [subject(result.case, record) for result in record.results if summarise(result).is_impossible]
    if impossible:
        raise BandwidthError(
            f"INVALID, above the theory: {'; '.join(impossible)}", "see BW002 above; `bandwidth explain BW002`"
        )
    unstable = UNSTABLE_CODES & examination.codes()
    if strict and unstable:
        raise UnstableError(f"unstable ({', '.join(sorted(unstable))})", "measure on an idle machine or for longer")


def _lacks_gpu(record: "Record") -> bool:
    """Return whether a GPU was asked for beside the host, and none of it could be measured when its turn came."""
    from bandwidth.planning.gpu import NOT_MEASURED
    from bandwidth.planning.saved import options_from_json

    if not options_from_json(record.options).asks_for_gpu or any(result.case.devices for result in record.results):
        return False
    is_refused = any(skipped.id.startswith(("device:", "pcie:")) for skipped in record.not_run)
    return is_refused or any(note.startswith(NOT_MEASURED) for note in record.notes)


def _kept(record: "Record", keeper: RecordKeeper, options: Output) -> str:
    """Return what became of a measurement that was interrupted: kept is only what stands in a file."""
    if not record.results:
        return "no result yet"
    if keeper.is_saved:
        return f"the results so far are in {keeper.path}"
    return f"the results so far are {'printed' if options.path is None else f'in {options.path}'}"
