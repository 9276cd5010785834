"""`bandwidth measure`: what this machine's memory really reaches, beside what it should."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.machine_options import FactsOption, MemoryOption, SocketsOption, machine_options
from bandwidth.cli.options import option_list, option_value
from bandwidth.cli.output import FormatOption, JsonOption, Output, OutputOption, QuietOption, UnitOption, emit
from bandwidth.cli.terminal import is_lively
from bandwidth.errors import BandwidthError, InterruptError, UnstableError, UsageError
from bandwidth.units import DEFAULT_RATE_UNIT, parse_duration_s, parse_size_bytes

if TYPE_CHECKING:
    from bandwidth.measuring.run import Progress
    from bandwidth.results import Examination, Record

# What --strict does not accept: an interval that is wide, or none at all.
UNSTABLE_CODES = frozenset({"BW003", "BW008"})
RUN = "What to run"


def measure(
    target: Annotated[
        str, typer.Argument(metavar="host|device|pcie|all", help="What to measure; all: what this machine has.")
    ] = "all",
    kernel: Annotated[
        str | None, typer.Option(metavar="K,..", help="Kernels, such as copy,read; default: all.", rich_help_panel=RUN)
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="E,..", help="Engines, such as numpy; default: all.", rich_help_panel=RUN)
    ] = None,
    threads: Annotated[
        str | None,
        typer.Option(
            metavar="N,..", help="Thread counts; all: one per physical core; default: 1,all.", rich_help_panel=RUN
        ),
    ] = None,
    cpus: Annotated[
        str | None, typer.Option(metavar="LIST", help="CPUs to run on, such as 0-3,8.", rich_help_panel=RUN)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Working set of a case: all arrays, all threads.", rich_help_panel=RUN),
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Time that all measuring may take.", rich_help_panel=RUN)
    ] = "15s",
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would run and why, and measure nothing.", rich_help_panel=RUN)
    ] = False,
    memory: MemoryOption = None,
    sockets: SocketsOption = None,
    facts_path: FactsOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 where a result is unstable.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Save the record: raw samples, facts, findings.")
    ] = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """What this machine's memory really reaches, beside what it should.

    bandwidth measure

    bandwidth measure host --memory "DDR5-4800 x12" --kernel copy,add --threads 1,all --save run.json
    """
    from bandwidth.findings import examine
    from bandwidth.measuring.measure import measure_prepared, prepare
    from bandwidth.report.measurement import measurement_document
    from bandwidth.report.plan import plan_document
    from bandwidth.results.text_files import check_writable

    options = Output.checked(format_name, as_json, output, unit, quiet)
    if plan and save is not None:
        raise UsageError(
            "--plan measures nothing that --save could keep", "give one of the two, or -o FILE for the plan"
        )
    for path in (save, options.path):
        if path is not None:
            check_writable(path)
    is_record_the_output = options.format_name == "json" and options.path is not None and save is None and not plan
    if is_record_the_output:
        save = options.path  # -o x.json --json is the same as --save x.json
    asked = replace(
        machine_options(memory, sockets, facts_path),
        target=target.lower(),
        kernels=None if kernel is None else tuple(option_list("--kernel", kernel.lower())),
        engines=None if engine is None else tuple(option_list("--engine", engine.lower())),
        threads=None if threads is None else tuple(option_list("--threads", threads)),
        cpus=None if cpus is None else _cpu_list(cpus),
        size_bytes=None if size is None else option_value("--size", size, parse_size_bytes),
        budget_s=option_value("--budget", budget, parse_duration_s),
    )
    preparation = prepare(asked)
    if plan:
        emit(plan_document(preparation.plan, options.unit), options)
        return
    saver = _Saver(save)
    with _one_interrupt():
        with _progress(quiet=options.quiet) as progress:
            command = ["bandwidth", *sys.argv[1:]]
            record, interrupted = measure_prepared(preparation, command, progress=progress, save=saver)
        saver(record)
        examination = examine(record)
        if not is_record_the_output:
            emit(measurement_document(record, examination, options.unit), options)
    _leave(record, examination, strict=strict, interrupted=interrupted, trouble=saver.trouble)


class _Saver:
    """Writes the record after every round. What goes wrong is kept for the end: the measurement goes on."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.trouble: BandwidthError | None = None

    def __call__(self, record: "Record") -> None:
        from bandwidth.findings import examine
        from bandwidth.results.files import save

        # An interrupt before the first sample must not put an empty record in the place of an earlier one.
        if self.path is None or not (record.results or not self.path.exists()):
            return
        try:
            save(record, examine(record), self.path)
        except BandwidthError as error:
            self.trouble = error
        else:
            self.trouble = None


def _leave(
    record: "Record",
    examination: "Examination",
    *,
    strict: bool,
    interrupted: bool,
    trouble: BandwidthError | None,
) -> None:
    """Return for exit code 0, or raise what stands for another: all that was measured is printed and saved by now."""
    if interrupted:
        kept = "what was measured is kept" if record.results else "nothing was measured yet"
        raise InterruptError("interrupted", kept if trouble is None else str(trouble))
    if trouble is not None:
        raise trouble
    failed = [result.case.id for result in record.results if not result.is_verified]
    if failed:
        raise BandwidthError(f"verification failed: {', '.join(failed)}", "see BW006 above; `bandwidth explain BW006`")
    unstable = UNSTABLE_CODES & examination.codes()
    if strict and unstable:
        raise UnstableError(f"unstable ({', '.join(sorted(unstable))})", "measure on an idle machine or for longer")


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Take one Ctrl-C, or a batch system's SIGTERM, as the wish to end early; a second one must not cost the result."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Callable[[Progress], None]]":
    """Yield what is to be told of progress: a bar on a terminal, nothing elsewhere."""
    if quiet or not is_lively(sys.stderr):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("measuring"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    # Drawn only between blocks: a bar that draws itself from a thread would take a CPU away from a measured one.
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=None)

        def show(progress: "Progress") -> None:
            elapsed = min(progress.elapsed_s, progress.budget_s)
            bar.update(task, total=progress.budget_s, completed=elapsed, description=progress.doing, refresh=True)

        yield show


def _cpu_list(text: str) -> tuple[int, ...]:
    from bandwidth.machine.cpu_list import parse_cpu_list

    return option_value("--cpus", text, parse_cpu_list)
