"""`bandwidth fleet`: many machines, the odd one found; `fleet measure`: the same measurement on a Dask cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.keeping import one_interrupt
from bandwidth.cli.options import PrintOptions, option_value, with_groups
from bandwidth.cli.output import Output, deliver_page, emit, print_text, say
from bandwidth.errors import BandwidthError, InterruptError, UnstableError, UsageError
from bandwidth.units import parse_duration_s, parse_share

if TYPE_CHECKING:
    from bandwidth.fleet.gathering import Cluster, Gathered
    from bandwidth.fleet.judging import Fleet

MEASURE = "measure"
STANDARD_INPUT = "-"
MEASURING = "fleet measure"
MOST_LOCAL = 64


@dataclass(frozen=True)
class ClusterOptions:
    """Where `fleet measure` measures, what a host may take, and where the records go."""

    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler: tcp://host:8786, tls://.", rich_help_panel=MEASURING),
    ] = None
    scheduler_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Scheduler file of Dask.", rich_help_panel=MEASURING)
    ] = None
    local: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Test run on this machine: N workers, one after the other.",
            min=1,
            max=MOST_LOCAL,
            rich_help_panel=MEASURING,
        ),
    ] = None
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="Measure one host after the other.", rich_help_panel=MEASURING)
    ] = False
    limit: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time limit per host; default: 300s.", rich_help_panel=MEASURING),
    ] = None
    save: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for the records; default: runs.", rich_help_panel=MEASURING),
    ] = None

    @property
    def is_asked(self) -> bool:
        """Whether any of these was given."""
        return self != ClusterOptions()

    @property
    def folder(self) -> Path:
        """Where the records go."""
        return self.save or Path("runs")

    def checked_limit_s(self, asked: Sequence[str]) -> float:
        """Return the limit of a host in seconds. Raises UsageError for what cannot be done with these or `asked`."""
        from bandwidth.fleet.gathering import DEFAULT_LIMIT_S, check_options
        from bandwidth.fleet.on_dask import check_installed

        if sum(one is not None for one in (self.scheduler, self.scheduler_file, self.local)) != 1:
            raise UsageError(
                "fleet measure needs one cluster", "use --scheduler ADDRESS, --scheduler-file FILE or --local N"
            )
        check_options(asked)
        check_installed()
        return DEFAULT_LIMIT_S if self.limit is None else option_value("--limit", self.limit, parse_duration_s)


@with_groups
def fleet(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECORD|FOLDER...|measure",
            help="Records or folders of records; - reads names from standard input; measure takes new records.",
        ),
    ] = None,
    *,
    least: Annotated[
        str, typer.Option("--min", metavar="SHARE", help="Flag a machine below this share of its group's median.")
    ] = "95%",
    mads: Annotated[
        float,
        typer.Option(
            metavar="N",
            help="And more than N scaled MADs (robust standard deviations) below the median.",
            min=0.0,
            max=1000.0,
        ),
    ] = 3.0,
    cluster: ClusterOptions,
    printing: PrintOptions,
) -> None:
    """Find the slow machines among many.

    Exit codes: 0 none, 1 some are slow, 4 no machine could be judged.

    bandwidth fleet runs

    bandwidth fleet runs/*.json --min 90% --format html -o fleet.html

    bandwidth fleet measure --scheduler tcp://login:8786 -- host --budget 15s
    """
    options = printing.checked()
    share = option_value("--min", least, parse_share)
    words = sources or []
    if words[:1] == [MEASURE]:
        with one_interrupt():
            gathered, interrupted = _measured(words[1:], cluster, options)
        words = [str(one.path) for one in gathered if one.path is not None]
    else:
        if cluster.is_asked:
            raise UsageError("these options need `bandwidth fleet measure`", "write measure after fleet")
        gathered, interrupted = [], False
    _judged(words, share, mads, options, gathered, interrupted=interrupted)


def _judged(
    sources: Sequence[str],
    share: float,
    mads: float,
    options: Output,
    gathered: Sequence[Gathered],
    *,
    interrupted: bool,
) -> None:
    """Judge and print. Raises what stands for the exit code: all is printed by then."""
    from bandwidth.fleet.judging import judge
    from bandwidth.fleet.reading import read_machines

    failed = [one for one in gathered if one.reason]
    if interrupted and not sources:
        raise InterruptError("interrupted", "no record has arrived")
    if gathered and not sources:
        raise BandwidthError("no host could be measured", f"{failed[0].host}: {failed[0].reason}")
    machines, not_read = read_machines(sources or _piped(), sys.stdin)
    if not sources and not machines and not not_read:
        raise _nothing_to_judge()
    found = judge(machines, share, mads, not_read=not_read)
    _print(found, options, gathered)
    if interrupted:
        raise InterruptError("interrupted", "the records received are kept and judged")
    if failed:
        raise BandwidthError(f"{len(failed)} of {len(gathered)} hosts gave no complete record", "see above")
    if found.flagged:
        raise typer.Exit(BandwidthError.exit_code)
    if not found.is_judged:
        raise typer.Exit(UnstableError.exit_code)  # the table says why of each


def _piped() -> Sequence[str]:
    """Return standard input as the source. Raises UsageError where nothing can be piped in."""
    if sys.stdin is None or sys.stdin.isatty():
        raise _nothing_to_judge()
    return [STANDARD_INPUT]


def _nothing_to_judge() -> UsageError:
    return UsageError("nothing to judge", "name records or folders, or use `bandwidth fleet measure`")


def _print(found: Fleet, options: Output, gathered: Sequence[Gathered]) -> None:
    from bandwidth.report.figures.drawing import can_draw
    from bandwidth.report.fleet.page import fleet_write_up
    from bandwidth.report.fleet.text import fleet_document

    if options.format_name == "html":
        page = fleet_write_up(found, options.unit, gathered, figures=can_draw())
        deliver_page(page, options, is_measured=bool(gathered))
        return
    emit(fleet_document(found, options.unit, gathered), options, is_measured=bool(gathered))


# --- measuring ------------------------------------------------------------------------------------------------------


def _measured(asked: Sequence[str], where: ClusterOptions, options: Output) -> tuple[list[Gathered], bool]:
    """Measure on each host what `measure` is asked for; return what came, and whether Ctrl-C ended it."""
    from bandwidth.fleet.gathering import Gathered
    from bandwidth.fleet.on_dask import dask_cluster, local_cluster

    limit_s = where.checked_limit_s(asked)
    _make_folder(where.folder)
    found: list[Gathered] = []
    place = dask_cluster(where.scheduler, where.scheduler_file) if where.local is None else local_cluster(where.local)
    hosts: list[str] = []
    try:
        with place as cluster:
            hosts += cluster.hosts()
            for one in _gathered(cluster, asked, where, limit_s):
                found.append(one)
                _tell(one, len(found), len(hosts), options)
    except KeyboardInterrupt:
        ended = {one.host for one in found}
        return [*found, *(Gathered(host, None, "interrupted") for host in hosts if host not in ended)], True
    return found, False


def _gathered(cluster: Cluster, asked: Sequence[str], where: ClusterOptions, limit_s: float) -> Iterator[Gathered]:
    """Yield what each host gave, as it ends. Raises BandwidthError for a cluster without workers."""
    from bandwidth.fleet.gathering import gather

    hosts = cluster.hosts()
    if not hosts:
        raise BandwidthError("the cluster has no workers", "start one on each node, then measure")
    # Workers of one machine are told apart by their names alone.
    labels = {name: name for name in hosts} if where.local is not None else None
    yield from gather(cluster, asked, where.folder, one_at_a_time=where.one_at_a_time, limit_s=limit_s, labels=labels)


def _tell(one: Gathered, number: int, count: int, options: Output) -> None:
    """Print a host's record, on one line as `bandwidth fleet -` reads it, and say how the host ended."""
    if one.record_text:
        print_text(json.dumps(json.loads(one.record_text)) + "\n")
    if not options.quiet:
        kept = f"saved {one.path}" if one.path is not None else "NOT MEASURED"
        say(": ".join(part for part in (f"[{number}/{count}] {one.host}", kept, one.reason, one.note) if part))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--save {folder} cannot be made: {error.strerror}", "name another folder") from error
