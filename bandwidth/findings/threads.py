"""How many threads a memory takes: one, the knee, too many, two on a core, and cores that are not alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bandwidth.analysis.curves import KNEE_SHARE, ThreadCurve, knee, thread_curves
from bandwidth.analysis.grouping import group_key, grouped
from bandwidth.findings.reading import (
    NATIVE,
    NUMPY,
    Partners,
    Raised,
    Row,
    are_apart,
    cores_of,
    in_memory,
    measured,
    plain,
    positive,
    rate,
    rate_text,
    ratio,
    shown,
    sweep_points,
    thread_words,
)
from bandwidth.results import Finding, Record, summarise
from bandwidth.units import format_percent

# One thread within a tenth of all: then it fills the memory, and there is nothing to explain.
ONE_THREAD_FILLS = 0.9
# More threads than the best number lose more than this, and the intervals are apart: they cost.
THREADS_COST = 0.95
# What Little's law is written with: the line of x86 and most of Arm, which a load that misses brings.
LINE_BYTES = 64
_PLAIN_LINES_PATHS = ("read", "copy", "triad")


def one_thread(record: Record) -> Iterator[Raised]:
    """Yield what share of all threads' rate one thread reaches, and how many lines that keeps in flight."""
    rows = in_memory(plain(record))
    pair = next(filter(None, (_one_and_all(rows, path) for path in _PLAIN_LINES_PATHS)), None)
    if pair is None or ratio(*pair) >= ONE_THREAD_FILLS:
        return
    one, most = pair
    case = most.result.case
    seen = f"one thread reaches {rate_text(one)}, {format_percent(ratio(one, most))} of {thread_words(case.threads)}"
    words = f"{seen} ({case.engine} {case.path}); below {format_percent(ONE_THREAD_FILLS)} one core limits it"
    hint = "normal: a core keeps only so many lines in flight, so many cores fill a memory"
    yield Raised(one.result.case.id, Finding("BW021", f"{words}{_lines_in_flight(record, one)}", hint))


def knee_of_threads(record: Record) -> Iterator[Raised]:
    """Yield from how many threads on more of them gain nothing."""
    curves = [(curve, knee(curve)) for curve in _plain_curves(record)]
    found = [(curve, threads) for curve, threads in curves if threads is not None and threads < curve.case.threads]
    if found:
        words = ", ".join(f"{_curve_name(curve)} from {threads} of {curve.case.threads}" for curve, threads in found)
        hint = "normal: what limits is the memory there; cores beyond are free for other work"
        gain = format_percent(1 - KNEE_SHARE)
        yield Raised(None, Finding("BW022", f"more threads gain less than {gain}: {words} threads on", hint))


def threads_that_cost(record: Record) -> Iterator[Raised]:
    """Yield results with more threads than are best for them."""
    rows = in_memory(plain(record))
    groups = grouped([row.result for row in rows], lambda result: group_key(result, threads=False))
    for group in groups:
        curve = sorted((Row(result, summarise(result)) for result in group), key=lambda row: row.result.case.threads)
        for position, row in enumerate(curve[1:], start=1):
            best = max(curve[:position], key=rate)
            if ratio(row, best) < THREADS_COST and are_apart(row, best):
                yield Raised(row.result.case.id, _cost(row, best))


def siblings_used(record: Record) -> Iterator[Raised]:
    """Yield results with two threads on a core."""
    cores, rows = cores_of(record), [*shown(record), *sweep_points(record)]
    for row in rows:
        case = row.result.case
        if cores is None or case.threads <= cores:
            continue
        seen = f"{case.threads} threads ran on {cores} physical cores"
        words = f"{seen}, so siblings shared a core's buffers for lines in flight{_against_cores(rows, row, cores)}"
        hint = "normal where they gain nothing; --threads all is one on each core"
        yield Raised(case.id, Finding("BW024", words, hint))


def kinds_of_cores_mixed(record: Record) -> Iterator[Raised]:
    """Yield where a rate of all threads mixes a hybrid processor's kinds of cores."""
    kinds = record.machine.get("core_kinds")
    counts = [(kind, positive(count)) for kind, count in kinds.items()] if isinstance(kinds, Mapping) else []
    known = [(str(kind), int(count)) for kind, count in counts if count is not None]
    most = max((row.result.case.threads for row in plain(record)), default=0)
    if len(known) > 1 and most > known[0][1]:
        words = " and ".join(f"{count} {kind}" for kind, count in known)
        text = f"{most} threads ran on a processor with {words} cores: a block ends with the slowest core's part"
        hint = "normal: the rows of each kind of core tell them apart; compare those"
        yield Raised(None, Finding("BW033", text, hint))


# --- what the rules above look at -----------------------------------------------------------------------------------


def _cost(row: Row, best: Row) -> Finding:
    threads, share = thread_words(row.result.case.threads), format_percent(ratio(row, best))
    seen = f"{threads} reach {share} of what {best.result.case.threads} do ({rate_text(best)})"
    limit = f"less than {format_percent(THREADS_COST)}: more threads cost here"
    return Finding("BW023", f"{seen}, {limit}", "they contend for rows of the memory or for power: use the best number")


def _one_and_all(rows: list[Row], path: str) -> tuple[Row, Row] | None:
    """Return a path's rows with one and with the most threads: of the engine and stores that are fastest with these."""
    for engine in (NATIVE, NUMPY):
        alike = [row for row in rows if row.result.case.path == path and row.result.case.engine == engine]
        threads = max((row.result.case.threads for row in alike), default=1)
        most = max((row for row in alike if row.result.case.threads == threads), key=rate, default=None)
        one = None if most is None else Partners(alike).of(most, threads=1)
        if most is not None and one is not None and threads > 1:
            return one, most
    return None


def _lines_in_flight(record: Record, one: Row) -> str:
    """Return how many lines one thread keeps in flight, by Little's law, where the memory's latency was measured."""
    latency_ns = memory_latency_ns(record)
    if latency_ns is None:
        return ""
    case = one.result.case
    traffic = rate(one) * (case.traffic_bytes_per_call or case.bytes_per_call) / case.bytes_per_call
    lines = traffic * latency_ns * 1e-9 / LINE_BYTES
    return f"; at {latency_ns:.0f} ns a load that is {lines:.0f} lines of {LINE_BYTES} bytes in flight"


def memory_latency_ns(record: Record) -> float | None:
    """Return the latency of the memory without load, of the largest working set; None where it was not measured."""
    alone = [
        row
        for row in in_memory(measured(record))
        if row.summary.latency is not None
        and row.result.case.variant.get("load", "0%") == "0%"
        and row.result.case.variant.get("cpu_node") == row.result.case.variant.get("memory_node")
    ]
    largest = max(alone, key=lambda row: row.result.case.working_set_bytes, default=None)
    return None if largest is None or largest.summary.latency is None else largest.summary.latency.median_ns


def _plain_curves(record: Record) -> list[ThreadCurve]:
    return [curve for curve in thread_curves(record) if set(curve.case.variant) <= {"stores"}]


def _curve_name(curve: ThreadCurve) -> str:
    stores = curve.case.variant.get("stores")
    return " ".join(filter(None, (curve.case.engine, curve.case.path, str(stores) if stores else "")))


def _against_cores(rows: Sequence[Row], row: Row, cores: int) -> str:
    """Return the rate as a share of that with one thread a core, where that was measured."""
    if row.summary.latency is not None:
        return ""
    single = Partners(rows).of(row, threads=cores)
    return "" if single is None or not rate(single) else f": {format_percent(ratio(row, single))} of one thread a core"
