"""Whether a memory's rate is as on other machines of its kind, and what to look at first where it is below."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bandwidth.analysis.recorded import all_threads, cores_of, either, listed_cpus, numbers, positive
from bandwidth.catalog import current_catalog
from bandwidth.catalog.published import NormalBand, host_bands
from bandwidth.findings.evidence import Raised, ResultRow, in_memory, plain, rate, rate_text
from bandwidth.findings.rules import SOUND, rule
from bandwidth.results import Record
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import GIGA, HOST, NATIVE, ORDINARY

# A single channel where two were meant, and the like: no more than half, and not so little that it is something else.
HALF_OF_PEAK = (0.25, 0.5)

_JUDGED_PATHS = ("read", "copy", "triad")
_GIVEN_BY_USER = ("--memory", "BANDWIDTH_MEMORY")


@rule("BW034", "Below the normal range", rank=290, of=HOST, compares=True)
def below_normal(record: Record) -> Iterator[Raised]:
    """
    The best rate from memory with all threads (read, streaming copy or triad of compiled code; NumPy only without
    compiled code) is below the range of this kind of machine: 75 to 92 % of the peak for host memory, unless the
    processor has its own range (specs/normal.toml, each with its source). The finding names the first of these causes
    that applies: few of the cores may be used; a quota; channels without a module; modules below their rated speed; a
    power setting; memory of one node only; a virtual machine; about half the peak, which half the channels would
    give.

    What to try: the named cause. A rate between the lower end of the range and the peak is normal.
    """
    best = best_row(record)
    found = None if best is None else normal_of(record, best)
    if best is None or found is None or rate(best) >= found[0]:
        return
    least, band = found
    share, lowest = _share_words(best, band), format_rate(least)
    seen = f"{share} is below normal for {band.name}: {band_range(band)}, {lowest} GB/s or more"
    yield Raised(best.result.case.id, seen, f"check first: {_first_check(record, best)}")


@rule("BW047", "Within the normal range", rank=295, mark=SOUND, of=HOST, compares=True)
def within_normal(record: Record) -> Iterator[Raised]:
    """
    The best rate from memory with all threads is within the range of healthy machines of this kind, or above it
    (specs/normal.toml lists each range with its source and, where known, the number of machines). No memory reaches
    its peak: refresh, opening and closing of rows, and changes between reads and writes take time.

    No action is needed.
    """
    best = best_row(record)
    found = None if best is None else normal_of(record, best)
    if best is None or found is None or rate(best) < found[0]:
        return
    band = found[1]
    place = "is normal" if _amount(best, band) <= band.high else "is more than normal"
    seen = f"{_share_words(best, band)} {place} for {band.name}: {band_range(band)} ({band.origin})"
    yield Raised(best.result.case.id, seen, "normal: refresh and changing between reads and writes take the rest")


# --- what is judged, and against what -------------------------------------------------------------------------------


def best_row(record: Record) -> ResultRow | None:
    """Return the fastest row of all threads that a band speaks of: compiled code's, NumPy's where there is none."""
    rows = [
        row
        for row in in_memory(plain(record))
        if row.result.theory_bytes_per_s is not None
        and row.result.case.target == "host"
        and row.result.case.path in _JUDGED_PATHS
        and row.result.case.variant.get("stores") != ORDINARY
    ]
    rows = [row for row in rows if row.result.case.engine == NATIVE] or rows
    most = all_threads(record)
    full = [row for row in rows if most is not None and row.result.case.threads >= most]
    return max(full, key=rate, default=None)


def normal_of(record: Record, row: ResultRow) -> tuple[float, NormalBand] | None:
    """Return the normal range of a row of the host's memory and the rate at which it begins, None without one."""
    machine = record.machine
    caches = positive(machine.get("last_level_cache_instances"))
    spec = str(record.memory.get("spec", ""))
    names = (str(machine.get("cpu_model", "")), _processor_numbers(record))
    bands = host_bands(
        current_catalog().normal_bands,
        row.result.case.path,
        names,
        spec,
        None if caches is None else int(caches),
    )
    limits = [(least, band) for band in bands if (least := _least_bytes_per_s(row, band)) is not None]
    if not limits:
        return None
    if limits[0][1].denominator == "GB/s":  # a rate that slow memory need not reach: whichever is the lower
        return min(limits, key=lambda pair: pair[0])
    return limits[0]


def lower_end(row: ResultRow, band: NormalBand) -> float:
    """Return the rate at which a band begins, 0 where what it is stated in is not known."""
    return _least_bytes_per_s(row, band) or 0.0


def _least_bytes_per_s(row: ResultRow, band: NormalBand) -> float | None:
    if band.denominator == "GB/s":
        return band.low * GIGA
    whole = row.result.theory_bytes_per_s if band.denominator == "peak" else row.result.vendor_bytes_per_s
    return None if whole is None else band.low * whole


def _processor_numbers(record: Record) -> str:
    """Return vendor, family and model number as the catalog writes them: `AuthenticAMD 25 17`."""
    machine = record.machine
    return " ".join(str(machine.get(name, "")) for name in ("cpu_vendor", "cpu_family", "cpu_model_number"))


def _amount(row: ResultRow, band: NormalBand) -> float:
    """Return a rate in what its band is stated in."""
    if band.denominator == "GB/s":
        return rate(row) / GIGA
    whole = row.result.theory_bytes_per_s if band.denominator == "peak" else row.result.vendor_bytes_per_s
    return rate(row) / (whole or 1.0)


def _share_words(row: ResultRow, band: NormalBand) -> str:
    """Return `83.0 % of peak` or, of a band in GB/s, the rate."""
    if band.denominator == "GB/s":
        return rate_text(row)
    of = "peak" if band.denominator == "peak" else "the maker's figure"
    return f"{format_percent(_amount(row, band))} of {of}"


def band_words(band: NormalBand) -> str:
    """Return a band with its name: `EPYC 9004 is 75 to 85 %`, `single-die Ryzen with DDR5 is 50 to 64 GB/s`."""
    return f"{band.name} is {band_range(band)}"


def band_range(band: NormalBand) -> str:
    """Return the two ends of a band with their unit: `75 to 85 %`, `50 to 64 GB/s`."""
    if band.denominator == "GB/s":
        return f"{band.low:g} to {band.high:g} GB/s"
    of = "" if band.denominator == "peak" else " of the maker's figure"
    return f"{band.low * 100:g} to {band.high * 100:g} %{of}"


# --- what to look at first ------------------------------------------------------------------------------------------

FirstCheck = Callable[[Record, ResultRow], str]


def _first_check(record: Record, row: ResultRow) -> str:
    return next(filter(None, (check(record, row) for check in _CHECKS)))


def _few_threads(record: Record, row: ResultRow) -> str:
    cores, threads = cores_of(record), row.result.case.threads
    if cores is None or threads >= cores:
        return ""
    return f"only {threads} of {cores} cores are available, and the peak needs most of them (BW005)"


def _few_cpus_allowed(record: Record, _: ResultRow) -> str:
    allowed, quota = listed_cpus(record.machine.get("cpus_allowed")), positive(record.machine.get("cpu_quota"))
    if allowed is None or quota is None or quota >= len(allowed):
        return ""
    return f"the CPU quota of {quota:g} (BW005)"


def _channels_empty(record: Record, _: ResultRow) -> str:
    used, there = (positive(record.machine.get(name)) for name in ("memory_channels", "memory_channels_with_slots"))
    if used is None or there is None or used >= there or not _is_given(record):
        return ""
    return f"{used:.0f} of {there:.0f} channels hold a module (BW042); the theory comes from {record.memory['source']}"


def _modules_slow(record: Record, _: ResultRow) -> str:
    configured, rated = (positive(record.machine.get(name)) for name in ("memory_configured_mt_s", "memory_rated_mt_s"))
    if configured is None or rated is None or configured >= rated or not _is_given(record):
        return ""
    return f"the modules run at {configured:.0f} of their {rated:.0f} MT/s (BW043)"


def _half_the_peak(record: Record, row: ResultRow) -> str:
    share = rate(row) / (row.result.theory_bytes_per_s or 1.0)
    low, high = HALF_OF_PEAK
    if not low <= share <= high or not _is_given(record):
        return ""
    return f"{format_percent(share)} of the peak is typical of half-populated channels: check the modules"


def _power(record: Record, _: ResultRow) -> str:
    saving = [value for value in either(record, "governors") if value == ["powersave"]]
    if any(value is True for value in either(record, "on_battery")):
        return "the machine ran on its battery"
    return "the governor is powersave (BW030)" if saving and not either(record, "energy_preference") else ""


def _part_of_nodes(record: Record, _: ResultRow) -> str:
    nodes = numbers(record.machine.get("memory_nodes_allowed"))
    if not nodes:
        return ""
    return f"memory is restricted to node {', '.join(map(str, nodes))} (cpuset), remote to the other CPUs"


def _virtual(record: Record, _: ResultRow) -> str:
    kind = record.machine.get("virtualization")
    if not isinstance(kind, str) or kind == "none":
        return ""
    return "a virtual machine has some of the host's cores, and other guests share the memory (BW004)"


def _modules(_: Record, __: ResultRow) -> str:
    return "a module on every channel (`bandwidth system`), the module speed, and interleaving in the firmware setup"


_CHECKS: tuple[FirstCheck, ...] = (
    _few_threads,
    _few_cpus_allowed,
    _channels_empty,
    _modules_slow,
    _power,
    _part_of_nodes,
    _virtual,
    _half_the_peak,
    _modules,
)


def _is_given(record: Record) -> bool:
    """Return whether the theory is what somebody said, and not what the modules are."""
    return str(record.memory.get("source", "")).startswith(_GIVEN_BY_USER)
