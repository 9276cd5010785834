"""How many threads a memory takes: one, the knee, too many, two on a core, and cores that are not alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bandwidth.analysis.curves import KNEE_SHARE, ThreadCurve, knee, thread_curves
from bandwidth.analysis.groups import group_key, grouped
from bandwidth.analysis.recorded import cores_of, positive
from bandwidth.findings.evidence import (
    Partners,
    Raised,
    ResultRow,
    are_apart,
    in_memory,
    measured,
    plain,
    rate,
    rate_text,
    ratio,
    shown,
    sweep_points,
    thread_words,
)
from bandwidth.findings.rules import SOUND, percent, rule
from bandwidth.results import Record, summarise
from bandwidth.units import format_percent
from bandwidth.vocabulary import HOST, LINE_BYTES, NATIVE, NUMPY

# One thread within a tenth of all: then it fills the memory, and there is nothing to explain.
ONE_THREAD_FILLS = 0.9
# More threads than the best number lose more than this, and the intervals are apart: they cost.
THREADS_COST = 0.95
_PLAIN_LINES_PATHS = ("read", "copy", "triad")


@rule(
    "BW021",
    "One thread cannot saturate the memory",
    rank=470,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"share": percent(ONE_THREAD_FILLS)},
)
def one_thread(record: Record) -> Iterator[Raised]:
    """
    One thread reaches less than {share} of the rate with all threads. A core keeps a limited number of cache lines in
    flight, and each line takes the latency of the memory: rate = lines in flight x line size / latency (Little's
    law). With 20 lines of 64 bytes and 100 ns that is 12.8 GB/s, however fast the memory is. Servers have a long
    latency and a high bandwidth, so one core reaches a few percent of it; on a laptop it may reach most of it.

    It is normal. What to try: more threads. `bandwidth measure --latency` measures the latency; the finding then
    states the number of lines in flight.
    """
    rows = in_memory(plain(record))
    pair = next(filter(None, (_one_and_all(rows, path) for path in _PLAIN_LINES_PATHS)), None)
    if pair is None or ratio(*pair) >= ONE_THREAD_FILLS:
        return
    one, most = pair
    case = most.result.case
    seen = f"one thread reaches {rate_text(one)}, {format_percent(ratio(one, most))} of {thread_words(case.threads)}"
    words = f"{seen} ({case.path}): one core cannot saturate the memory"
    hint = "normal: a core keeps a limited number of lines in flight, so it takes many cores to saturate the memory"
    yield Raised(one.result.case.id, f"{words}{_lines_in_flight(record, one)}", hint)


@rule(
    "BW022",
    "The knee: beyond it more threads gain nothing",
    rank=480,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"share": percent(KNEE_SHARE)},
)
def knee_of_threads(record: Record) -> Iterator[Raised]:
    """
    The finding names the fewest threads that reach {share} of the best rate. Beyond them the memory is the limit, not
    the cores. It is normal. On a machine with several dies the knee also depends on how the threads are spread over
    the dies.

    What to try: use that many threads for a memory-bound program, and the other cores for other work.
    """
    curves = [(curve, knee(curve)) for curve in _plain_curves(record)]
    found = [(curve, threads) for curve, threads in curves if threads is not None and threads < curve.case.threads]
    if found:
        words = ", ".join(f"{_curve_name(curve)} from {threads} of {curve.case.threads}" for curve, threads in found)
        hint = "normal: the memory is the limit there; the other cores are free for other work"
        gain = format_percent(1 - KNEE_SHARE)
        yield Raised(None, f"more threads gain less than {gain}: {words} threads on", hint)


@rule(
    "BW023",
    "More threads are slower than fewer",
    rank=490,
    of=HOST,
    compares=True,
    limits={"share": percent(THREADS_COST)},
)
def threads_that_cost(record: Record) -> Iterator[Raised]:
    """
    Fewer threads are faster: the larger number of threads reaches less than {share} of their rate, and the intervals
    do not overlap. Many streams at once close and open memory rows more often, and active cores share power and, on
    some machines, a fabric. Two threads on one core (BW024) add to it.

    What to try: the best number of threads in the sweep.
    """
    rows = in_memory(plain(record))
    groups = grouped([row.result for row in rows], lambda result: group_key(result, threads=False))
    for group in groups:
        curve = sorted(
            (ResultRow(result, summarise(result)) for result in group), key=lambda row: row.result.case.threads
        )
        for position, row in enumerate(curve[1:], start=1):
            best = max(curve[:position], key=rate)
            if ratio(row, best) < THREADS_COST and are_apart(row, best):
                yield _cost(row, best)


@rule("BW024", "More threads than cores", rank=500, mark=SOUND, of=HOST, compares=True)
def siblings_used(record: Record) -> Iterator[Raised]:
    """
    With simultaneous multithreading (Hyper-Threading) a core appears as two CPUs that share its caches and its line
    fill buffers. One thread usually fills these buffers alone, so a second thread gains little for streams, and may
    cost bandwidth. `--threads all` is therefore one thread per physical core.
    """
    cores, rows = cores_of(record), [*shown(record), *sweep_points(record)]
    for row in rows:
        case = row.result.case
        if cores is None or case.threads <= cores or case.pair is not None:
            continue
        seen = f"{case.threads} threads ran on {cores} physical cores"
        words = f"{seen}, so two threads shared a core's line fill buffers{_against_cores(rows, row, cores)}"
        hint = "normal if they gain nothing; --threads all is one thread per core"
        yield Raised(case.id, words, hint)


@rule("BW033", "Different kinds of cores worked together", rank=510, mark=SOUND, of=HOST)
def kinds_of_cores_mixed(record: Record) -> Iterator[Raised]:
    """
    A hybrid processor has performance and efficiency cores. When all of them work, each gets the same share of the
    data, and a block ends when the slowest core is done, so the rate is not the sum of both kinds. It is normal.
    Compare the rows of one kind of core between machines.
    """
    kinds = record.machine.get("core_kinds")
    counts = [(kind, positive(count)) for kind, count in kinds.items()] if isinstance(kinds, Mapping) else []
    known = [(str(kind), int(count)) for kind, count in counts if count is not None]
    most = max((row.result.case.threads for row in plain(record)), default=0)
    if len(known) > 1 and most > known[0][1]:
        words = " and ".join(f"{count} {kind}" for kind, count in known)
        text = f"{most} threads ran on a processor with {words} cores: a block ends when the slowest core is done"
        hint = "normal: compare the rows of one kind of core"
        yield Raised(None, text, hint)


# --- what the rules above look at -----------------------------------------------------------------------------------


def _cost(row: ResultRow, best: ResultRow) -> Raised:
    threads, share = thread_words(row.result.case.threads), format_percent(ratio(row, best))
    seen = f"{threads} reach {share} of the rate of {best.result.case.threads} ({rate_text(best)})"
    limit = f"less than {format_percent(THREADS_COST)}: more threads are slower"
    hint = "they compete for memory rows or for power: use the best number of threads"
    return Raised(row.result.case.id, f"{seen}, {limit}", hint)


def _one_and_all(rows: list[ResultRow], path: str) -> tuple[ResultRow, ResultRow] | None:
    """Return a path's rows with one and with the most threads: of the engine and stores that are fastest with these."""
    for engine in (NATIVE, NUMPY):
        alike = [row for row in rows if row.result.case.path == path and row.result.case.engine == engine]
        threads = max((row.result.case.threads for row in alike), default=1)
        most = max((row for row in alike if row.result.case.threads == threads), key=rate, default=None)
        one = None if most is None else Partners(alike).of(most, threads=1)
        if most is not None and one is not None and threads > 1:
            return one, most
    return None


def _lines_in_flight(record: Record, one: ResultRow) -> str:
    """Return how many lines one thread keeps in flight, by Little's law, where the memory's latency was measured."""
    latency_ns = memory_latency_ns(record)
    if latency_ns is None:
        return ""
    case = one.result.case
    traffic = rate(one) * (case.traffic_bytes_per_call or case.bytes_per_call) / case.bytes_per_call
    lines = traffic * latency_ns * 1e-9 / LINE_BYTES
    return f"; with a latency of {latency_ns:.0f} ns that is {lines:.0f} lines of {LINE_BYTES} bytes in flight"


def memory_latency_ns(record: Record) -> float | None:
    """Return the latency of the memory without load, of the largest working set; None where it was not measured."""
    alone = [
        row
        for row in in_memory(measured(record))
        if row.summary.latency is not None
        and row.result.case.variant.get("load", "0%") == "0%"
        and row.result.case.chains == 1
        and row.result.case.variant.get("cpu_node") == row.result.case.variant.get("memory_node")
    ]
    largest = max(alone, key=lambda row: row.result.case.working_set_bytes, default=None)
    return None if largest is None or largest.summary.latency is None else largest.summary.latency.median_ns


def _plain_curves(record: Record) -> list[ThreadCurve]:
    return [curve for curve in thread_curves(record) if set(curve.case.variant) <= {"stores"}]


def _curve_name(curve: ThreadCurve) -> str:
    stores = curve.case.variant.get("stores")
    return " ".join(filter(None, (curve.case.engine, curve.case.path, str(stores) if stores else "")))


def _against_cores(rows: Sequence[ResultRow], row: ResultRow, cores: int) -> str:
    """Return the rate as a share of that with one thread a core, where that was measured."""
    if row.summary.latency is not None:
        return ""
    single = Partners(rows).of(row, threads=cores)
    return (
        ""
        if single is None or not rate(single)
        else f": {format_percent(ratio(row, single))} of the rate with one thread per core"
    )
