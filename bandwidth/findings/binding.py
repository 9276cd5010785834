"""What binds: the lowest ceiling of a result, one that was exceeded, and what the set-up of memory and caches costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandwidth.analysis.curves import WIDEST_STEP, SizeCurve, size_curves
from bandwidth.findings.evidence import Raised, ResultRow, in_memory, numbers, plain, positive, rate, rate_text
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
    The lowest ceiling of a result is not the memory's but another: a core's lines in flight, the links of its
    chiplets, the processor's documented maximum, the memory of a cloud's host. Each result has its ceilings, the
    lowest first, with working, source and confidence; `bandwidth system` lists those of the machine. From {near} of
    the ceiling on it is what the result comes up against; further below something else holds it, or the ceiling is
    far (a virtual machine with few CPUs on a large host).

    What to try: for one core nothing but more cores; for chiplets' links, threads on more chiplets (`--cpus`).
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
        start = f"bound by {what}" if share >= NEAR_SHARE else f"the lowest known ceiling is that of {what}"
        figures = f"{rate_text(row)} is {format_percent(share)} of {format_rate(ceiling.bytes_per_s)} GB/s"
        hint = "`bandwidth system` lists every ceiling with its working"
        yield Raised(row.result.case.id, f"{start}: {figures}", hint)


@rule("BW049", "Faster than a ceiling of ours", rank=245, mark=UNTOLD, of=HOST)
def above_a_ceiling(record: Record) -> Iterator[Raised]:
    """
    A verified rate is above what our tables say a core, a chiplet's link, a cache or a platform gives. Tables of
    microarchitectures rest on others' measurements, so it is the figure that is doubted and not the measurement:
    the ceiling is marked as of low confidence and no share is taken of it. Only a rate above the memory's peak, a
    GPU's or a link's is INVALID (BW002).

    What to try: report it with the record, so that the table can be put right.
    """
    found: dict[str, list[tuple[Result, Ceiling]]] = {}
    for result in record.results:
        rate_of = summarise(result).median_bytes_per_s
        for ceiling in result.ceilings:
            if rate_of is not None and ceiling.kind not in SURE_CEILINGS and rate_of > ceiling.bytes_per_s:
                found.setdefault(ceiling.kind, []).append((result, ceiling))
    for kind, above in found.items():
        result, ceiling = max(above, key=lambda pair: _times(*pair))
        seen = f"{format_rate(summarise(result).median_bytes_per_s or 0.0)} GB/s is above our figure for"
        words = f"{ceiling_words(kind)[1]}, {format_rate(ceiling.bytes_per_s)} GB/s"
        many = f" ({len(above)} results are above theirs)" if len(above) > 1 else ""
        hint = "the figure is too low for this machine and is not used: report it with the record"
        yield Raised(result.case.id, f"{seen} {words}{many}", hint)


@rule("BW050", "A socket is split into NUMA nodes", rank=275, mark=SOUND, of=MACHINE)
def split_sockets(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    The firmware divides each socket into several NUMA nodes: NPS2 or NPS4 on EPYC, SNC2 or SNC4 on Xeon. A node has
    an equal part of the channels, so threads that stay with their node's memory gain a little, and a program whose
    data lies on one node gets that part of the bandwidth only.

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
    yield Raised(None, seen, "keep threads with their data, or use one node a socket in the firmware's setup")


@rule("BW051", "Modules with a single rank", rank=265, mark=SOUND, of=MACHINE)
def single_rank(machine: Mapping[str, Any]) -> Iterator[Raised]:
    """
    All modules have one rank. A second rank can work while the first is refreshed or changes direction, so modules
    with two ranks reach more of the same peak: on Sapphire Rapids 0.80 of it where single-rank modules reach 0.70.

    What to try: nothing, unless memory is bought anew: dual-rank modules, or two single-rank modules on a channel
    where that does not lower the speed.
    """
    listed = machine.get("memory_modules")
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    channels = positive(machine.get("memory_channels"))
    is_single = bool(modules) and all(module.get("ranks") == 1 for module in modules)
    if is_single and channels is not None and len(modules) <= channels:
        seen = "all modules are single-rank: dual-rank modules reach up to a tenth more of the same peak"
        yield Raised(None, seen, "normal for single-rank modules")


@rule("BW052", "A cache smaller than it says", rank=395, mark=SOUND, of=HOST, limits={"fallen": percent(FALLEN_SHARE)})
def shrunken_cache(record: Record) -> Iterator[Raised]:
    """
    In this virtual machine data that should fit in the last level cache comes as slowly as from memory: of the size
    that is stated less than half is there. The host's other guests use the cache too, or the hypervisor reports the
    host's whole cache to a guest that has a part. Seen in a size sweep where the rate falls to {fallen} of what it
    was in the cache.

    Nothing is wrong. Let programs that fit their data to a cache use the size that is named, not the stated one.
    """
    virtual = record.machine.get("virtualization")
    if not isinstance(virtual, str) or virtual == "none":
        return
    for curve in size_curves(record):
        found = _shrunken(curve)
        if found is not None:
            level, stated, kept = found
            seen = f"the {level} is {format_size(stated)} by its description, but holds about {format_size(kept)} here"
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
