"""Which results of a record answer which question: all cores, one core, NumPy, a remote node, a GPU and its link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bandwidth.analysis.groups import grouped
from bandwidth.catalog.published import NormalBand
from bandwidth.findings.evidence import ResultRow
from bandwidth.findings.gpus import gpu_normal_of
from bandwidth.findings.normal_range import best_row, normal_of
from bandwidth.kernels import KERNELS
from bandwidth.report.labels import thread_role
from bandwidth.report.views.shown import Shown
from bandwidth.results import Case, Record, Result, summarise
from bandwidth.units import format_percent
from bandwidth.vocabulary import DEVICE, GIGA, HOST, NATIVE, NUMPY, ORDINARY, PAGEABLE, PCIE, STREAMING, TELLING, Target

# What stands for a memory in the headline: its best by reads or by what STREAM counts.
_BEST_PATHS = ("read", "triad", "copy")


@dataclass(frozen=True)
class Role:
    """One row of the table by role: its words, and a result for each path that was measured in it."""

    words: str
    results: dict[str, Result]

    @property
    def nearest(self) -> Result | None:
        """The result that comes nearest to its lowest ceiling, None where none is known."""
        shared = [one for one in self.results.values() if summarise(one).share is not None]
        return max(shared, key=lambda one: summarise(one).share or 0.0, default=None)


@dataclass(frozen=True)
class Headline:
    """One line of the headline: what was measured, the result, and the normal range of its share, in words."""

    words: str
    result: Result
    normal: str = ""


# --- the headline ---------------------------------------------------------------------------------------------------


def host_headlines(shown: Shown) -> list[Headline]:
    """Return the host's lines: the best of all cores, of one core, NumPy's copy, and of remote memory."""
    record, own = shown.record, _of_host(shown)
    most, found = max((one.case.threads for one in own), default=0), []
    for threads in dict.fromkeys((most, 1)):
        best = _best([one for one in own if one.case.threads == threads])
        if best is not None:
            found.append(Headline(f"measured, {thread_role(best.case, record)}", best, _normal_of_host(record, best)))
    copies = [one for one in own if (one.case.engine, one.case.path, one.case.threads) == (NUMPY, "copy", most)]
    if copies and all(line.result is not copies[0] for line in found):
        found.append(Headline("NumPy copy", copies[0]))
    return [*found, *_remote(shown)]


def gpu_headlines(shown: Shown) -> list[Headline]:
    """Return the lines of GPUs and links, of several devices that of the slowest."""
    found: list[Headline] = []
    single = [one for one in shown.plain if len(one.case.devices) == 1 and "peer" not in one.case.variant]
    devices = [one for one in single if one.case.kind == DEVICE]
    best = [_best(group) for group in grouped(devices, lambda one: one.case.target)]
    found += _slowest(shown.record, "GPU memory", [one for one in best if one is not None])
    for memory in ("pinned", PAGEABLE):
        for path, words in (("h2d", "link to GPU"), ("d2h", "link from GPU")):
            copies = [one for one in single if _is_copy(one.case, path, memory)]
            found += _slowest(shown.record, f"{words}, {memory}", copies)
    return found


def _of_host(shown: Shown) -> list[Result]:
    return [one for one in shown.plain if one.case.kind == HOST and "cores" not in one.case.variant]


def _best(results: Iterable[Result]) -> Result | None:
    """Return the fastest of compiled code's results, of NumPy's where there are none; ordinary stores read more."""
    rated = [one for one in results if summarise(one).median_bytes_per_s is not None]
    rated = [one for one in rated if one.case.variant.get("stores") != ORDINARY] or rated
    own = [one for one in rated if one.case.engine == NATIVE] or rated
    known = [one for one in own if one.case.path in _BEST_PATHS] or own
    return max(known, key=_rate, default=None)


def _remote(shown: Shown) -> list[Headline]:
    """Return the slowest pair of a node's cores with another node's memory."""
    between = [
        cell.result
        for matrix in shown.node_matrices
        for (cpu, memory), cell in matrix.cells.items()
        if cpu != memory and cell.summary.median_bytes_per_s is not None
    ]
    slowest = min(between, key=_rate, default=None)
    return [] if slowest is None else [Headline("remote node", slowest)]


def _slowest(record: Record, words: str, results: Sequence[Result]) -> list[Headline]:
    """Return the line of the slowest device: one that is behind the others is what counts."""
    slowest = min((one for one in results if summarise(one).median_bytes_per_s is not None), key=_rate, default=None)
    if slowest is None:
        return []
    return [Headline(words, slowest, _normal(slowest, gpu_normal_of(record, ResultRow(slowest, summarise(slowest)))))]


def _normal_of_host(record: Record, result: Result) -> str:
    """Return the normal range of the result that a band speaks of, empty for every other."""
    row = best_row(record)
    found = None if row is None or row.result is not result else normal_of(record, row)
    return _normal(result, None if found is None else found[1])


def _normal(result: Result, band: NormalBand | None) -> str:
    """Return a band in percent of the peak, of which the share beside it is, whatever it is stated in."""
    peak = result.theory_bytes_per_s
    if band is None or peak is None:
        return ""
    whole = {"peak": peak, "vendor": result.vendor_bytes_per_s or peak, "GB/s": GIGA}[band.denominator]
    low, high = (end * whole / peak * 100 for end in (band.low, band.high))
    return f"{low:.0f} %" if low == high else f"{low:.0f}-{high:.0f} %"


def _is_copy(case: Case, path: str, memory: str) -> bool:
    return case.kind == PCIE and case.path == path and case.variant.get("host_memory", "pinned") == memory


def _rate(result: Result) -> float:
    return summarise(result).median_bytes_per_s or 0.0


# --- the table by role ----------------------------------------------------------------------------------------------


def roles(shown: Shown) -> list[Role]:
    """Return the rows of the table by role: the host's, most threads first, then each GPU's memory."""
    record = shown.record
    of_host = [one for one in shown.plain if one.case.kind == HOST]
    found: list[Role] = []
    for group in grouped(sorted(of_host, key=_order), lambda one: (one.case.threads, one.case.variant.get("cores"))):
        who = thread_role(group[0].case, record)
        own = _roles_of_threads(who, group)
        # Of one kind of core its best says enough.
        found += [replace(own[0], words=who)] if "cores" in group[0].case.variant else own
    devices = [one for one in shown.plain if one.case.kind == DEVICE and "peer" not in one.case.variant]
    for group in grouped(devices, lambda one: one.case.target):
        numbers = Target.parse(group[0].case.target).devices
        words = f"GPU {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} GPUs at once"
        found.append(Role(words, _by_path(group)))
    return found


def paths_of(found: Sequence[Role]) -> list[str]:
    """Return the columns of the table: four at most, the most telling ones first, in the order of the kernels."""
    there = list(dict.fromkeys(path for role in found for path in role.results))
    ranked = sorted(there, key=lambda path: (path not in TELLING, _place(path)))[: len(TELLING)]
    return sorted(ranked, key=_place)


def _roles_of_threads(who: str, results: Sequence[Result]) -> list[Role]:
    compiled = [one for one in results if one.case.engine == NATIVE]
    plain = [one for one in compiled if "stores" not in one.case.variant]
    found = []
    for stores in (STREAMING, ORDINARY):
        own = [one for one in compiled if one.case.variant.get("stores") == stores]
        if own:
            found.append(Role(f"{who}, {stores}", _by_path([*plain, *own])))
            plain = []  # reads have no stores: they stand in the first row
    if plain:
        found.append(Role(f"{who}, compiled", _by_path(plain)))
    others = [one for one in results if one.case.engine != NATIVE]
    for group in grouped(others, lambda one: one.case.engine):
        name = "NumPy" if group[0].case.engine == NUMPY else group[0].case.engine
        found.append(Role(f"{who}, {name}", _by_path(group)))
    return found


def _by_path(results: Iterable[Result]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    for one in results:
        known = found.get(one.case.path)
        if known is None or _rate(one) > _rate(known):
            found[one.case.path] = one
    return found


def _order(result: Result) -> tuple[bool, int, str]:
    """Return where a result stands: all kinds of cores before one of them, many threads before few."""
    return ("cores" in result.case.variant, -result.case.threads, str(result.case.variant.get("cores", "")))


def _place(path: str) -> int:
    known = list(KERNELS)
    return known.index(path) if path in known else len(known)


def share_words(share: float | None) -> str:
    """Return a share as the headline has it, without decimals from a tenth on: `83 %`."""
    if share is None:
        return ""
    return f"{share * 100:.0f} %" if share >= 0.1 else format_percent(share)
