"""`bandwidth offload`: whether it is worth moving data to a GPU."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import complete_kernel, complete_link, complete_spec
from bandwidth.cli.options import PRINTED, PrintOptions, SpecsOption, option_list, option_value, with_groups
from bandwidth.cli.output import Output, emit
from bandwidth.cli.specs_option import use_specs
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.units import parse_duration_s, parse_percentage, parse_size_bytes

if TYPE_CHECKING:
    from bandwidth.offload.answer import OffloadAnswer
    from bandwidth.offload.figures import Asked, Figures, Source
    from bandwidth.offload.model import Workload

FIGURES, WORK, LATENCY = "Where the figures come from", "The work", "Overheads"
SIZES = "1MB,10MB,100MB,1GB,10GB"
PASSES = "1,10,100"
# What is timed in earnest: from a launch-bound size to one far beyond any cache.
MEASURED_SIZES = "1MB,4MB,16MB,64MB,256MB,1GB,4GB"
MEASURED_PASSES = "1,10"
DEFAULT_BUDGET = "5s"
MOST_PASSES = 10**12
FIGURE_SUFFIXES = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class SourceOptions:
    """Where the figures come from."""

    host: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC|RATE",
            autocompletion=complete_spec,
            help="Host memory: DDR4-2933 x4, EPYC 9755, 90GB/s.",
            rich_help_panel=FIGURES,
        ),
    ] = None
    device: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC|RATE",
            autocompletion=complete_spec,
            help="GPU or its memory: H200, HBM3 x5, 900GB/s.",
            rich_help_panel=FIGURES,
        ),
    ] = None
    link: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC|RATE",
            autocompletion=complete_link,
            help="Link: PCIe 4.0 x16, 25GB/s; default: the GPU's host link.",
            rich_help_panel=FIGURES,
        ),
    ] = None
    record: Annotated[
        list[Path] | None,
        typer.Option(metavar="RECORD", help="Take missing figures from saved records.", rich_help_panel=FIGURES),
    ] = None
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure missing figures now.", rich_help_panel=FIGURES)
    ] = False
    kernel: Annotated[
        str | None,
        typer.Option(
            metavar="K",
            autocompletion=complete_kernel,
            help="Kernel that represents the work; default: read.",
            rich_help_panel=FIGURES,
        ),
    ] = None
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Time limit of each target of --measure.", rich_help_panel=FIGURES)
    ] = DEFAULT_BUDGET


@dataclass(frozen=True)
class WorkOptions:
    """What is worked on, and how often."""

    size: Annotated[
        str | None, typer.Option(metavar="S,..", help=f"Sizes of the data; default: {SIZES}.", rich_help_panel=WORK)
    ] = None
    passes: Annotated[
        str | None,
        typer.Option(metavar="N,..", help=f"Passes over the data; default: {PASSES}.", rich_help_panel=WORK),
    ] = None
    result: Annotated[
        str,
        typer.Option(
            metavar="SIZE|SHARE%",
            help="Size of the result copied back: 4MB, or 100% of the data.",
            rich_help_panel=WORK,
        ),
    ] = "0"
    pageable: Annotated[
        bool,
        typer.Option("--pageable", help="Copy from pageable host memory; default: pinned.", rich_help_panel=WORK),
    ] = False
    overlap: Annotated[
        bool,
        typer.Option("--overlap", help="Overlap transfers with the first and the last pass.", rich_help_panel=WORK),
    ] = False
    resident: Annotated[
        bool, typer.Option("--resident", help="The data is already on the GPU.", rich_help_panel=WORK)
    ] = False
    devices: Annotated[
        int, typer.Option(metavar="N", help="Number of GPUs that share the data.", rich_help_panel=WORK)
    ] = 1
    shared_link: Annotated[
        bool, typer.Option("--shared-link", help="All GPUs share one link.", rich_help_panel=WORK)
    ] = False


@dataclass(frozen=True)
class LatencyOptions:
    """What a call costs."""

    host_latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Overhead of a pass on the host; default: 1us.", rich_help_panel=LATENCY),
    ] = None
    launch_latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Overhead of a pass on the GPU; default: 5us.", rich_help_panel=LATENCY),
    ] = None
    link_latency: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Overhead of a transfer; default: from the record, else 10us.", rich_help_panel=LATENCY
        ),
    ] = None


@with_groups
def offload(
    *,
    source: SourceOptions,
    amount: WorkOptions,
    latency: LatencyOptions,
    measured: Annotated[
        bool,
        typer.Option("--measured", help="Also time NumPy and GPU arrays, and show the error of the model."),
    ] = False,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw time over size: .svg, .png or .pdf.", rich_help_panel=PRINTED),
    ] = None,
    specs_folder: SpecsOption = None,
    printing: PrintOptions,
) -> None:
    """Compute from which size, and after how many passes, a GPU pays.

    For language models: bandwidth tokens.

    bandwidth offload --host "DDR4-2933 x4" --device "Quadro RTX 5000" --link "PCIe 3.0 x16"

    bandwidth offload --record run.json --size 47MB --passes 1,10,100

    bandwidth offload --measured
    """
    options = printing.checked()
    use_specs(specs_folder)
    check_figure(figure)
    work = _work(amount)
    _check_measured(measured, work)
    sizes = _sizes(amount.size if amount.size is not None else MEASURED_SIZES if measured else SIZES)
    counts = _passes(amount.passes if amount.passes is not None else MEASURED_PASSES if measured else PASSES)
    asked = _asked(source, latency, work, pageable=amount.pageable, measured=measured)
    budget_s = option_value("--budget", source.budget, parse_duration_s)
    is_measured = source.measure or measured
    found = _answer(asked, work, sizes, counts, budget_s=budget_s if is_measured else None, measured=measured)
    if figure is not None:
        _check_told_apart(found.figures, "--figure")
    _print(found, options, measured=measured)
    if figure is not None:
        _draw(found, figure, options.unit)


def _answer(
    asked: Asked, work: Workload, sizes: list[int], passes: list[int], *, budget_s: float | None, measured: bool
) -> OffloadAnswer:
    """Return the answer; what is missing is measured where there is a budget for it."""
    from bandwidth.offload.answer import answer, check_gpu, end_to_end, with_way_back

    if measured:
        check_gpu()  # before seconds are spent on measuring the host
    figures = _figures(asked, budget_s)
    with ExitStack() as stack:
        timed = None
        if measured:
            _check_told_apart(figures, "--measured")
            work = with_way_back(work)
            is_there = work.resident or bool(figures.shared)
            run = end_to_end(max(sizes), host_memory=asked.host_memory, resident=is_there)
            timed = stack.enter_context(run)
        return answer(figures, work, sizes, passes, host_memory=asked.host_memory, timed=timed)


def _figures(asked: Asked, budget_s: float | None) -> Figures:
    from bandwidth.offload.answer import measured_now
    from bandwidth.offload.sources import find_figures

    if budget_s is None:
        return find_figures(asked)
    command = ["bandwidth", *sys.argv[1:]]
    return find_figures(asked, partial(measured_now, asked=asked, command=command, budget_s=budget_s))


def _check_told_apart(figures: Figures, option: str) -> None:
    """Raise UsageError where there is nothing to compare: both figures are the peak of one memory."""
    if not figures.tell_apart:
        raise UsageError(
            f"{option}: {figures.shared} share one memory, and its peak does not show which is faster",
            "give the rate of the CPU with --host RATE, or a --record that measured both",
        )


def _print(found: OffloadAnswer, options: Output, *, measured: bool) -> None:
    from bandwidth.offload.answer import expression, telling_line
    from bandwidth.report.offload import PLOT_COLUMNS, offload_document

    # A picture of characters is for a terminal: elsewhere its columns would not stand below each other.
    plotted = telling_line(found, PLOT_COLUMNS) if options.format_name == "table" and found.rows else None
    emit(
        offload_document(found, options.unit, plotted, expression() if measured else ""), options, is_measured=measured
    )


def _draw(found: OffloadAnswer, path: Path, unit: str) -> None:
    from bandwidth.offload.answer import lines
    from bandwidth.report.figures.drawing import draw
    from bandwidth.report.offload import offload_figure
    from bandwidth.report.write_up.files import write_whole

    write_whole({path: draw(offload_figure(found, lines(found), unit), path.suffix.lower()[1:])})


# --- options --------------------------------------------------------------------------------------------------------


def check_figure(path: Path | None) -> None:
    """Raise UsageError for a figure that could not be drawn or written, before anything is measured."""
    if path is None:
        return
    from bandwidth.report.figures.drawing import can_draw
    from bandwidth.text_files import check_writable

    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise UsageError(f"--figure {str(path)!a} does not end in .svg, .png or .pdf", "use one of these suffixes")
    if not can_draw():
        raise UsageError("--figure needs matplotlib, which is not installed", "pip install 'membandwidth[plot]'")
    check_writable(path)


def _check_measured(measured: bool, work: Workload) -> None:
    """Raise UsageError for work that the expression does not do."""
    if measured and (work.overlap or work.devices > 1 or work.result_bytes or work.result_share):
        raise UsageError(
            "--measured covers one GPU without overlap and a result of one number",
            "omit --overlap, --devices and --result",
        )


def _asked(source: SourceOptions, latency: LatencyOptions, work: Workload, *, pageable: bool, measured: bool) -> Asked:
    from bandwidth.offload.figures import Asked
    from bandwidth.vocabulary import PAGEABLE, PINNED

    return Asked(
        host=source.host,
        device=source.device,
        link=source.link,
        sources=_sources(source.record or []),
        kernel=None if source.kernel is None else source.kernel.lower(),
        host_memory=PAGEABLE if pageable else PINNED,
        # NumPy's expression runs on one thread: what that reaches is what the model is held against.
        engine="numpy" if measured else None,
        threads=1 if measured else None,
        host_latency_s=_latency("--host-latency", latency.host_latency),
        launch_latency_s=_latency("--launch-latency", latency.launch_latency),
        link_latency_s=_latency("--link-latency", latency.link_latency),
        needs_link=measured or not work.resident or work.has_result,
    )


def _work(asked: WorkOptions) -> Workload:
    from bandwidth.offload.model import Workload

    if asked.devices < 1:
        raise UsageError(f"--devices {asked.devices} is out of range", "use 1 or more")
    if asked.shared_link and asked.devices == 1:
        raise UsageError("--shared-link needs several GPUs", "add --devices N")
    size, share = _result(asked.result)
    return Workload(size, share, asked.overlap, asked.resident, asked.devices, asked.shared_link)


def _result(text: str) -> tuple[int, float]:
    """Return the bytes or the share of `4MB`, `50%` or `0`."""
    if text.rstrip().endswith("%"):
        return 0, option_value("--result", text, parse_percentage)
    return (0 if text.strip() == "0" else option_value("--result", text, parse_size_bytes)), 0.0


def _sources(paths: list[Path]) -> tuple[Source, ...]:
    from bandwidth.offload.figures import Source
    from bandwidth.results.files import load

    return tuple(Source(path.name, load(path)) for path in paths)


def _sizes(text: str) -> list[int]:
    return [option_value("--size", part, parse_size_bytes) for part in option_list("--size", text)]


def _passes(text: str) -> list[int]:
    return [option_value("--passes", part, _count) for part in option_list("--passes", text)]


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_PASSES)) else 0
    if not 1 <= number <= MOST_PASSES:
        raise BandwidthError(f"{text[:60]!a} is not a number of passes", f"use 1 to {MOST_PASSES:,}")
    return number


def _latency(option: str, text: str | None) -> float | None:
    """Return the seconds of a duration, which may be 0 here; None where it was not given."""
    if text is None:
        return None
    return 0.0 if text.strip() in ("0", "0s") else option_value(option, text, parse_duration_s)
