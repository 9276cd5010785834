"""GPUs and their links: below what is normal, a link trained down, clocks held down, others on the device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bandwidth.analysis.recorded import conditions_of_gpu, number, positive, texts
from bandwidth.catalog import current_catalog
from bandwidth.catalog.published import NormalBand, gpu_bands
from bandwidth.errors import BandwidthError
from bandwidth.findings.evidence import Partners, Raised, ResultRow, rate, rate_text, rated, ratio
from bandwidth.findings.rules import ALL, SOUND, UNTOLD, also, rule
from bandwidth.results import Record
from bandwidth.units import format_duration, format_percent, format_rate
from bandwidth.vocabulary import DEVICE, GIGA, PAGEABLE, PCIE, PINNED, SWEEP_POINT

# Pageable memory is copied once more on its way: half of the pinned rate or less is usual.
PAGEABLE_SHARE = 0.9
# Links that have a way of their own each reach what they reach alone; what is shared halves, or worse.
TOGETHER_SHARE = 0.9
# A published figure that is a single number is met within this: other drivers, other shapes.
SAME_FIGURE = 0.97
# The clocks were held down for more than this in all: a blink is the end of a boost.
HELD_LEAST_S = 0.05


@also("BW034", rank=300, of=ALL, compares=True)
def gpu_below_normal(record: Record) -> Iterator[Raised]:
    """Yield rates of a GPU's memory and of pinned copies that lie below the band of their path."""
    for row in rated(record):
        found = _band(record, row)
        if found is None or rate(row) >= found[0]:
            continue
        least, band = found
        seen = (
            f"{rate_text(row)} is below {format_rate(least)} GB/s, the lower end of the normal range ({_words(band)})"
        )
        yield Raised(row.result.case.id, seen, f"check first: {_first_check(record, row, record.gpus)}")


def gpu_normal_of(record: Record, row: ResultRow) -> NormalBand | None:
    """Return the normal range of a rate of a GPU's memory or of pinned copies, None where none is known."""
    found = _band(record, row)
    return None if found is None else found[1]


@rule("BW035", "GPU link below its maximum under load", rank=310, of=ALL)
def link_below_its_maximum(record: Record) -> Iterator[Raised]:
    """
    An idle GPU lowers its link to the first generation, so the state of an idle link says nothing. bandwidth reads
    generation and width during copies, and reports a link that was then below the common maximum of GPU and slot. The
    theory of the rates is that of the link in this state.

    What to try: reseat the card; check whether a riser or cable supports the generation; check the slot's generation
    in the firmware setup, and whether it shares lanes with another slot or an SSD (`lspci -vv` shows every hop).
    """
    gpus, told = record.gpus, set()
    for row in rated(record):
        numbers = row.result.case.devices
        if row.result.case.kind != PCIE or len(numbers) != 1 or numbers[0] in told:
            continue
        words = _trained_down(row, gpus.get(numbers[0], {}))
        if words:
            told.add(numbers[0])
            hint = "check the slot, the riser, the slot's firmware settings, and devices that share its lanes"
            yield Raised(None, f"device {numbers[0]}: {words}", hint)


@rule("BW036", "GPU clocks reduced", rank=320, of=ALL, limits={"held": format_duration(HELD_LEAST_S)})
def held_down(record: Record) -> Iterator[Raised]:
    """
    The driver reports why a GPU runs below its clocks: the power limit, heat, or a power brake of the supply. It also
    counts for how long, and this time grew by more than {held} during the run. The rate of the memory follows the
    memory clock, which drops only in the worst of these states, but the L2 cache and the cores follow their own
    clocks.

    What to try: nvidia-smi -q -d PERFORMANCE,CLOCK,POWER; improve the cooling; raise the power limit where permitted.
    """
    for device, gpu in record.gpus.items():
        words = _held(record, device, gpu)
        if words:
            hint = "check cooling and power (`nvidia-smi -q -d PERFORMANCE`); the memory has its own clock"
            yield Raised(None, f"device {device}: its clocks were reduced: {words}", hint)


@rule("BW037", "Other processes used the GPU", rank=330, of=ALL)
def shared_with_others(record: Record) -> Iterator[Raised]:
    """
    The driver lists other processes that compute on the device. They take part of its memory bandwidth and of the
    link whenever they run. In a container the driver may list this very process under another number.

    What to try: find them with nvidia-smi and stop them, or choose another --device.
    """
    for device, gpu in record.gpus.items():
        counts = [number(conditions_of_gpu(record, gpu, when).get("other_processes")) for when in ("before", "after")]
        most = max((count for count in counts if count is not None), default=0)
        if most > 0:
            others = "1 other process" if most == 1 else f"{most:.0f} other processes"
            text = f"device {device}: {others} used it"
            yield Raised(None, text, "they share its memory bandwidth: stop them (see `nvidia-smi`) and measure again")


@rule("BW038", "The GPU is split into instances (MIG)", rank=340, mark=UNTOLD, of=ALL)
def split_up(record: Record) -> Iterator[Raised]:
    """
    A multi-instance GPU gives each instance some of the multiprocessors and of the memory channels, so no instance
    reaches the bandwidth of the whole card. The attributes that the driver reports may still be those of the whole
    card.

    It is normal. What to try: compare instances of the same size; to disable instances: nvidia-smi -mig 0 (as root).
    """
    for device, gpu in record.gpus.items():
        if gpu.get("mig_enabled") is True:
            text = f"device {device}: MIG is on: an instance has only some of the memory channels"
            yield Raised(
                None,
                text,
                "normal: the theory is that of the whole card; compare instances of one size, or disable MIG",
            )


@rule("BW039", "Confidential computing is on", rank=350, mark=UNTOLD, of=ALL)
def confidential(record: Record) -> Iterator[Raised]:
    """
    In this mode all data that crosses the link between processor and GPU is encrypted, and copied once more for it: a
    few GB/s remain of any link. The memory of the GPU itself is as fast as ever. It is normal where the mode is
    intended.
    """
    if any(gpu.get("confidential_compute") is True for gpu in record.gpus.values()):
        text = "confidential computing is on: copies over the link are encrypted"
        yield Raised(None, text, "normal: a few GB/s are usual with encryption")


@rule("BW040", "Pageable memory is slower than pinned", rank=370, mark=SOUND, of=ALL, compares=True)
def pageable_beside_pinned(record: Record) -> Iterator[Raised]:
    """
    A GPU reads and writes host memory by DMA, which requires pages that cannot move: pinned pages. From ordinary
    (pageable) memory the driver first copies each part into its own pinned buffer, with one CPU thread. So half of
    the pinned rate or less is normal. The table has both rows because most programs use the slower one.

    What to try: pinned memory for data that is copied often (`bandwidth explain "pinned memory"`).
    """
    rows = [row for row in rated(record) if row.result.case.kind == PCIE and SWEEP_POINT not in row.result.case.variant]
    partners = Partners(rows)
    for row in rows:
        pinned = partners.of(row, host_memory=PINNED)
        if row.result.case.variant.get("host_memory") != PAGEABLE or pinned is None:
            continue
        if ratio(row, pinned) < PAGEABLE_SHARE:
            seen = f"pageable memory reaches {rate_text(row)}, {format_percent(ratio(row, pinned))} of pinned memory's"
            limit = f"{rate_text(pinned)}; below {format_percent(PAGEABLE_SHARE)} the driver's extra copy is the cause"
            hint = "normal (often half or less): use pinned memory for data that is copied often"
            yield Raised(row.result.case.id, f"{seen} {limit}", hint)


@rule("BW041", "GPU links share a path", rank=360, of=ALL, compares=True)
def links_share_a_way(record: Record) -> Iterator[Raised]:
    """
    The link of each GPU was measured alone, and then all links at once. If each has its own lanes to the processor,
    together they reach the sum; if several share a switch or a root port, they share its bandwidth. Many fast links
    together may also exceed the bandwidth of the host memory: compare the total with `bandwidth measure host`.

    What to try: nvidia-smi topo -m (PIX and PXB are behind a switch); pair GPUs of different root ports for work that
    copies much; copies between GPUs of one switch need not reach the processor (see the table of copies between
    devices).
    """
    rows = [row for row in rated(record) if row.result.case.kind == PCIE and SWEEP_POINT not in row.result.case.variant]
    for row in (row for row in rows if len(row.result.case.devices) > 1):
        alone = _alone(rows, row)
        if alone is None or rate(row) >= TOGETHER_SHARE * alone:
            continue
        devices = ", ".join(map(str, row.result.case.devices))
        seen = f"the links of devices {devices} reach {rate_text(row)} at once, {format_percent(rate(row) / alone)}"
        limit = format_percent(TOGETHER_SHARE)
        of = f"of {format_rate(alone)} GB/s, the sum of the links alone; below {limit} they share a path"
        hint = "a switch, a root port or the host memory: see `nvidia-smi topo -m`, and use GPUs on other ports"
        yield Raised(row.result.case.id, f"{seen} {of}", hint)


# --- what the rules above look at -----------------------------------------------------------------------------------


def _band(record: Record, row: ResultRow) -> tuple[float, NormalBand] | None:
    """Return the rate at which the band of a row begins, and the band; None for what has none."""
    case = row.result.case
    if case.kind not in (DEVICE, PCIE) or SWEEP_POINT in case.variant or len(case.devices) != 1:
        return None
    if "peer" in case.variant or case.variant.get("host_memory", PINNED) != PINNED:
        return None
    names = _names(record.gpus.get(case.devices[0], {}))
    return _limit(row, gpu_bands(current_catalog().normal_bands, case.kind, case.path, names))


def _names(gpu: Mapping[str, Any]) -> frozenset[str]:
    """Return every name of a GPU: its driver's, and those of the catalog's entry."""
    name = str(gpu.get("name", ""))
    try:
        device = current_catalog().devices.by_pci_id(str(gpu.get("vendor_id", "")), str(gpu.get("device_id", "")), name)
    except BandwidthError:
        device = None
    return frozenset((name,) if device is None else (name, device.name, *device.aliases))


def _limit(row: ResultRow, bands: tuple[NormalBand, ...]) -> tuple[float, NormalBand] | None:
    """Return the rate at which the first band begins whose denominator is known."""
    for band in bands:
        whole = {"peak": row.result.theory_bytes_per_s, "vendor": row.result.vendor_bytes_per_s, "GB/s": GIGA}
        of = whole[band.denominator]
        if of is not None:
            return band.low * of * (SAME_FIGURE if band.low == band.high else 1.0), band
    return None


def _alone(rows: Sequence[ResultRow], together: ResultRow) -> float | None:
    """Return the sum of the rates of the same copies of each device alone, None where one was not measured."""
    case = together.result.case
    alike = [
        row
        for row in rows
        if (row.result.case.path, row.result.case.engine, row.result.case.variant)
        == (case.path, case.engine, case.variant)
    ]
    rates = {row.result.case.devices: rate(row) for row in alike}
    alone = [rates.get((device,)) for device in case.devices]
    return None if None in alone else sum(value for value in alone if value is not None)


def _words(band: NormalBand) -> str:
    of = {"peak": " of the theory", "vendor": " of the maker's figure", "GB/s": " GB/s"}[band.denominator]
    ends = [f"{end:g}" if band.denominator == "GB/s" else format_percent(end) for end in (band.low, band.high)]
    return f"{band.name}: {ends[0] if ends[0] == ends[1] else ' to '.join(ends)}{of}"


def _first_check(record: Record, row: ResultRow, gpus: Mapping[int, Mapping[str, Any]]) -> str:
    (device,) = row.result.case.devices
    gpu = gpus.get(device, {})
    if gpu.get("mig_enabled") is True:
        return "MIG is on, and an instance has only some of the memory channels (BW038)"
    if gpu.get("confidential_compute") is True and row.result.case.kind == PCIE:
        return "confidential computing is on (BW039)"
    if any(positive(conditions_of_gpu(record, gpu, when).get("other_processes")) for when in ("before", "after")):
        return "other processes used it (BW037)"
    if row.result.case.kind == PCIE:
        words = _trained_down(row, gpu)
        if words:
            return "the link was below its maximum (BW035)"
        virtual = record.machine.get("virtualization")
        if isinstance(virtual, str) and virtual != "none":
            return "this is a virtual machine: check its IOMMU and memory placement"
        return "CPU power saving (C-states), the IOMMU, and whether the host memory is on the GPU's node"
    if _held(record, device, gpu):
        return "its clocks were reduced (BW036)"
    clock, most = row.result.observed.get("memory_clock_mhz"), positive(gpu.get("memory_clock_mhz"))
    if clock is not None and most is not None and clock.median < most:
        return (
            f"the memory ran at {clock.median:.0f} of {most:.0f} MHz (state {gpu.get('performance_state', 'unknown')})"
        )
    if gpu.get("ecc_enabled") is True:
        return "ECC is on, which costs a few percent with GDDR memory (`bandwidth explain ecc`)"
    return "the driver's version, the memory's clock (`nvidia-smi -q -d CLOCK`), and other users of the card"


def _trained_down(row: ResultRow, gpu: Mapping[str, Any]) -> str:
    parts = []
    for seen_name, most_name, words in (
        ("link_generation", "max_link_generation", "generation"),
        ("link_width", "max_link_width", "width"),
    ):
        seen, most = row.result.observed.get(seen_name), positive(gpu.get(most_name))
        if seen is not None and most is not None and seen.most < most:
            parts.append(f"{words} {seen.most:.0f} of {most:.0f}")
    return f"under load its link ran at {' and '.join(parts)}" if parts else ""


def _held(record: Record, device: int, gpu: Mapping[str, Any]) -> str:
    """Return why a GPU's clocks were held down in the run, empty where nothing says so."""
    before, after = (conditions_of_gpu(record, gpu, when) for when in ("before", "after"))
    reasons = [*texts(before.get("throttle_reasons")), *texts(after.get("throttle_reasons"))]
    words = list(dict.fromkeys(reasons))
    for name, why in (("power_held_ns", "power limit"), ("heat_held_ns", "heat")):
        early, late = number(before.get(name)), number(after.get(name))
        if early is not None and late is not None and (late - early) * 1e-9 > HELD_LEAST_S:
            words.append(f"{why}, for {format_duration((late - early) * 1e-9)}")
    seen = [row for row in rated(record) if device in row.result.case.devices and "throttled" in row.result.observed]
    if not words and any(row.result.observed["throttled"].most > 0 for row in seen):
        words.append("observed under load")
    return ", ".join(words)
