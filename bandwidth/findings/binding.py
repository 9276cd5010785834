"""What binds: the lowest ceiling of a result, one that was exceeded, and what the set-up of memory and caches costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandwidth.analysis.curves import WIDEST_STEP, SizeCurve, size_curves
from bandwidth.analysis.recorded import numbers, positive
from bandwidth.findings.evidence import Raised, ResultRow, in_memory, plain, rate, rate_text
from bandwidth.findings.rules import MACHINE, SOUND, UNTOLD, percent, rule
from bandwidth.results import Ceiling, Record, Result, summarise
from bandwidth.statistics import median
from bandwidth.units import format_percent, format_rate, format_size
from bandwidth.vocabulary import HOST, NATIVE, ORDINARY, SURE_CEILINGS, ceiling_words

# A ceiling explains a rate that comes this near to it; of one further off only the distance is said.
NEAR_SHARE = 0.75
# The paths that stand for what a memory gives, by how little they hide: reads first.
_PATHS = ("read", "triad", "copy", "write")
# Where data that fits in a cache by its size comes at half the rate or less of what fits for certain, it is not there.
FALLEN_SHARE = 0.5
# A cache that keeps this share of what it should is as large as it says: other data and the code take a part.
WHOLE_CACHE = 0.5


@rule(
    "BW048", "What binds the rate", rank=285, mark=SOUND, of=HOST, compares=True, limits={"near": percent(NEAR_SHARE)}
)
def what_binds(record: Record) -> Iterator[Raised]:
    """
    The lowest ceiling of a result is not the memory itself but another limit: the lines that a core keeps in flight,
    the links of its chiplets, the processor's documented maximum, or the memory of a cloud host. Each result lists
    its ceilings, lowest first, with calculation, source and confidence; `bandwidth system` lists those of the
    machine. From {near} of the ceiling, the ceiling is the bottleneck. Further below, something else limits the rate,
    or the ceiling is out of reach (a virtual machine with few CPUs on a large host).

    What to try: for one core, use more cores; for the links of chiplets, spread threads over more chiplets
    (`--cpus`).
    """
    rows = [row for row in in_memory(plain(record)) if row.result.case.variant.get("stores") != ORDINARY]
    most = max((row.result.case.threads for row in rows), default=0)
    for threads in dict.fromkeys((most, 1)):
        row = _telling([row for row in rows if row.result.case.threads == threads])
        ceiling = None if row is None else row.result.binding
        if row is None or ceiling is None or ceiling.kind == "memory":
            continue
        share = rate(row) / ceiling.bytes_per_s
        what = ceiling_words(ceiling.kind)[1]
        start = f"bound by {what}" if share >= NEAR_SHARE else f"the lowest known ceiling is {what}"
        figures = f"{rate_text(row)} is {format_percent(share)} of {format_rate(ceiling.bytes_per_s)} GB/s"
        hint = "`bandwidth system` lists every ceiling with its calculation"
        yield Raised(row.result.case.id, f"{start}: {figures}", hint)


@rule("BW049", "Faster than a tabulated ceiling", rank=245, mark=UNTOLD, of=HOST)
def above_a_ceiling(record: Record) -> Iterator[Raised]:
    """
    A verified rate is higher than the tabulated limit of a core, a chiplet link, a cache or a platform. These tables
    rest on measurements by others, so the table is in doubt and not the measurement: the ceiling gets low confidence,
    and no share of it is shown. Only a rate above the peak of the memory, of a GPU or of a link is INVALID (BW002).

    What to try: report it with the record, so that the table can be corrected.
    """
    found: dict[str, list[tuple[Result, Ceiling]]] = {}
    for result in record.results:
        rate_of = summarise(result).median_bytes_per_s
        for ceiling in result.ceilings:
            if rate_of is not None and ceiling.kind not in SURE_CEILINGS and rate_of > ceiling.bytes_per_s:
                found.setdefault(ceiling.kind, []).append((result, ceiling))
    for kind, above in found.items():
        result, ceiling = max(above, key=lambda pair: _times(*pair))
        seen = f"{format_rate(summarise(result).median_bytes_per_s or 0.0)} GB/s exceeds the tabulated limit of"
        words = f"{ceiling_words(kind)[1]}, {format_rate(ceiling.bytes_per_s)} GB/s"
        many = f" ({len(above)} results exceed it)" if len(above) > 1 else ""
        hint = "the table is too low for this machine and is ignored: please report it with the record"
        yield Raised(result.case.id, f"{seen} {words}{many}", hint)


@rule("BW050", "A socket is split into NUMA nodes", rank=275, mark=SOUND, of=MACHINE)
def split_sockets(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The firmware divides each socket into several NUMA nodes: NPS2 or NPS4 on EPYC, SNC2 or SNC4 on Xeon. A node has
    an equal share of the channels. Threads that use the memory of their own node gain a little; a program with its
    data on one node gets the bandwidth of that node only.

    What to try: bind each process and its memory to one node (numactl --cpunodebind --membind), or set NPS1 (SNC
    off).
    """
    nodes, sockets = positive(machine.get("numa_nodes")), positive(machine.get("sockets"))
    bare = numbers(machine.get("numa_memory_only_nodes"))
    of_sockets = 0.0 if nodes is None else nodes - len(bare)
    if sockets is None or of_sockets < 2 * sockets or of_sockets % sockets:
        return
    each = int(of_sockets / sockets)
    name = {"AuthenticAMD": f"NPS{each}", "GenuineIntel": f"SNC{each}"}.get(str(machine.get("cpu_vendor")), "")
    setting = f" ({name})" if name else ""
    seen = f"each socket is split into {each} NUMA nodes{setting}: one node's memory has 1/{each} of the bandwidth"
    yield Raised(None, seen, "keep threads with their data, or set one node per socket in the firmware setup")


@rule("BW051", "Modules with a single rank", rank=265, mark=SOUND, of=MACHINE)
def single_rank(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    All modules have one rank. A second rank can work while the first is refreshed or changes direction, so modules
    with two ranks reach more of the same peak: on Sapphire Rapids 0.80 of it, and 0.70 with single-rank modules.

    What to try: nothing, unless you buy memory: dual-rank modules, or two single-rank modules per channel where this
    does not lower the speed.
    """
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    is_single = bool(modules) and all(module.get("ranks") == 1 for module in modules)
    if is_single and channels is not None and len(modules) <= channels:
        seen = "all modules are single-rank: dual-rank modules reach up to a tenth more of the same peak"
        yield Raised(None, seen, "normal for single-rank modules")


@rule("BW052", "Cache smaller than reported", rank=395, mark=SOUND, of=HOST, limits={"fallen": percent(FALLEN_SHARE)})
def shrunken_cache(record: Record) -> Iterator[Raised]:
    """
    In this virtual machine, data that should fit in the last-level cache is as slow as memory: less than half of the
    reported size is available. Other guests of the host use the cache too, or the hypervisor reports the whole cache
    of the host to a guest that has a part of it. A size sweep shows it: the rate falls to {fallen} of the cache's
    rate.

    No action is needed. Programs that fit their data to a cache should use the observed size, not the reported one.
    """
    virtual = record.machine.get("virtualization")
    if not isinstance(virtual, str) or virtual == "none":
        return
    for curve in size_curves(record):
        found = _shrunken(curve)
        if found is not None:
            level, stated, kept = found
            seen = f"the {level} is reported as {format_size(stated)} but holds about {format_size(kept)}"
            yield Raised(None, seen, "normal in a virtual machine: other guests use it too")
            return


# --- what the rules above look at -----------------------------------------------------------------------------------


def _telling(rows: list[ResultRow]) -> ResultRow | None:
    """Return the row that stands for what some threads reach: compiled code's reads, where there are any."""
    own = [row for row in rows if row.result.case.engine == NATIVE] or rows
    of_paths = ([row for row in own if row.result.case.path == path] for path in _PATHS)
    return next((max(found, key=rate) for found in of_paths if found), None)


def _times(result: Result, ceiling: Ceiling) -> float:
    return (summarise(result).median_bytes_per_s or 0.0) / ceiling.bytes_per_s


def _shrunken(curve: SizeCurve) -> tuple[str, int, int] | None:
    """Return the last cache of a curve of rates, its stated size, and the size up to which it was seen to hold data."""
    sizes = sorted(curve.case.caches.items())
    if len(sizes) < 2 or curve.case.is_latency:
        return None
    (_, inner), (level, stated) = sizes[-2:]
    rates = [(point.size_bytes, point.summary.median_bytes_per_s or 0.0) for point in curve.points]
    memory = [value for size, value in rates if size > 2 * stated and value]
    inside = [(size, value) for size, value in rates if 2 * inner <= size <= stated and value]
    if len(inside) < 2 or not memory:
        return None
    top, bottom = inside[0][1], median(memory)
    if bottom > FALLEN_SHARE * top:  # a memory nearly as fast as the cache shows no end of it
        return None
    held = [size for size, value in inside if value >= (top + bottom) / 2]
    kept = max(held, default=inside[0][0])
    fallen = min((size for size, _ in inside if size > kept), default=None)
    # With few sizes measured the next one may lie far above: then it is not known how much the cache holds.
    if fallen is None or fallen > WIDEST_STEP * kept:
        return None
    return (level, stated, kept) if kept < WHOLE_CACHE * stated else None
