"""What is known of each GPU: a table for all that are alike, and where they differ a row for each.

A value that is not what it should be counts as unknown, because saved facts may hold anything; the unknown is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from bandwidth.catalog import current_catalog
from bandwidth.catalog.model import Device
from bandwidth.ceilings.gpu import attribute_peak_bytes_per_s, attribute_peak_working
from bandwidth.ceilings.link import named_link_peak
from bandwidth.errors import BandwidthError
from bandwidth.machine.facts import Facts, Json
from bandwidth.report.document import Column, Table
from bandwidth.report.labels import UNKNOWN, counted_name, counted_names
from bandwidth.theory.formula import MT_PER_GT
from bandwidth.units import DEFAULT_RATE_UNIT, format_decimal, format_rate, format_size, rate_unit_factor

_ADDRESS, _MOST, _NOW = "PCI address", "link at most", "link now"
_CLOCKS = {"memory clock": "memory clock now", "core clock": "core clock now"}
_HELD = "clocks held down by"
_AT_MOST = "at most "
_FACTS = (Column("fact"), Column("value", wrap_at=56))
# In what GPUs that are alike may differ, each with its column: together they take 80 columns at most. There is no room
# left for what holds their clocks down: where that differs it stands in lines below.
_OWN = {
    _ADDRESS: Column(_ADDRESS, wrap_at=12),
    "NUMA node": Column("NUMA node", wrap_at=4, two_lines=True),
    _MOST: Column(_MOST, wrap_at=19),
    _NOW: Column(_NOW, wrap_at=12),
    "power state": Column("state", wrap_at=5),
    **{label: Column(label, wrap_at=8, two_lines=True) for label in _CLOCKS.values()},
}
_FEW_COLUMNS = 4  # so many leave room for a link with its rate in one line
_ONE_LINE_LINK = 33
_KHZ_PER_MHZ = 1000
# What AMD's driver calls every GPU that it asks for its parts (amdgpu_asic_name, CHIP_IP_DISCOVERY): no name.
_NO_NAME = "ip discovery"
_LONGEST_NAME = 69  # a title is not wrapped: "GPUs: 64 x " stands before it
_LONGEST_TEXT = 60
_NUMBERS_END = 2**63


def gpu_names(value: Json) -> str:
    """Return what the GPUs of the fact `gpus` are called, in brief: `8 x NVIDIA H200, ASPEED 1a03:2000`."""
    if not isinstance(value, list):
        return "unknown"
    names = (_name(gpu, _entry(gpu)) for gpu in value if isinstance(gpu, dict))
    return counted_names(names) or ("unknown" if value else "none")


def gpu_tables(facts: Facts, unit: str = DEFAULT_RATE_UNIT) -> tuple[Table | str, ...]:
    """Return the tables of the GPUs, rates in `unit`: those that are alike share one, whatever their places are."""
    listed = facts.value("gpus")
    gpus = [gpu for gpu in listed if isinstance(gpu, dict)] if isinstance(listed, list) else []
    alike: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for gpu in gpus:
        entry = _entry(gpu)
        known = {label: text for label, text in _known(gpu, entry, unit) if text}
        common = chain.from_iterable(item for item in known.items() if item[0] not in (*_OWN, _HELD))
        alike.setdefault((_name(gpu, entry), *common), []).append(known)
    tables = chain.from_iterable(_tables(name, group) for (name, *_), group in alike.items())
    return (*tables, *_notes([known for group in alike.values() for known in group]))


# --- tables ---------------------------------------------------------------------------------------------------------


def _tables(name: str, group: Sequence[Mapping[str, str]]) -> Iterator[Table | str]:
    """Yield the table of GPUs that are alike, and one with a row for each where more than their addresses differ."""
    differing = [label for label in (*_OWN, _HELD) if len({known.get(label) for known in group}) > 1]
    columns = [label for label in differing if label in _OWN]
    addresses = ", ".join(map(_address, group))
    rows = [("PCI addresses", addresses)] if columns == [_ADDRESS] else []
    rows += [(label, text) for label, text in group[0].items() if label not in differing]
    if rows:
        yield Table(_FACTS, tuple(rows), f"{'GPU' if len(group) == 1 else 'GPUs'}: {counted_name(name, len(group))}")
    if columns not in ([], [_ADDRESS]):
        each = tuple(tuple(known.get(label, UNKNOWN) for label in columns) for known in group)
        yield Table(_columns(columns), each, "Where they differ")
    if _HELD in differing:
        yield "\n".join(_held_down(group))


def _columns(labels: Sequence[str]) -> tuple[Column, ...]:
    if len(labels) > _FEW_COLUMNS or _MOST not in labels:
        return tuple(_OWN[label] for label in labels)
    return tuple(replace(_OWN[label], wrap_at=_ONE_LINE_LINK) if label == _MOST else _OWN[label] for label in labels)


def _held_down(group: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield a line for each set of reasons that hold clocks down, with the addresses of its GPUs."""
    for reasons in dict.fromkeys(known[_HELD] for known in group if _HELD in known):
        addresses = ", ".join(_address(known) for known in group if known.get(_HELD) == reasons)
        yield f"Clocks held down by {reasons}: {addresses}"


def _address(known: Mapping[str, str]) -> str:
    return known.get(_ADDRESS, UNKNOWN)


def _notes(gpus: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield what must be known to read the tables, where it applies."""
    if any(_is_below_its_most(known) for known in gpus):
        yield "An idle GPU may lower its link and its clocks."
    if any(known.get("MIG") == "on" and "peak" in known for known in gpus):
        yield "With MIG on, an instance has some of the memory channels: the peak is that of the whole card."


def _is_below_its_most(known: Mapping[str, str]) -> bool:
    """Return whether the link or a clock, as it is now, is not what it is at most."""
    pairs = [(known.get(now), known.get(most, "").removeprefix(_AT_MOST)) for most, now in _CLOCKS.items()]
    pairs.append((known.get(_NOW), known.get(_MOST, "").partition(",")[0]))
    return any(now and most and now != most for now, most in pairs)


# --- what is known --------------------------------------------------------------------------------------------------


def _known(gpu: Mapping[str, Json], entry: Device | None, unit: str) -> Iterator[tuple[str, str]]:
    """Yield every fact of a GPU by its name for people, empty where it is unknown."""
    yield _ADDRESS, _text(gpu, "address")
    yield "PCI ID", _pci_id(gpu)
    yield "NUMA node", _node(gpu)
    yield "memory", _memory(gpu)
    yield "memory clock", _mhz(gpu, "memory_clock_mhz", _AT_MOST)
    yield "memory clock now", _mhz(gpu, "current_memory_clock_mhz")
    yield "peak", _peak(gpu, unit)
    yield "maker's figure", _makers_figure(entry, unit)
    yield "core clock", _mhz(gpu, "sm_clock_mhz", _AT_MOST)
    yield "core clock now", _mhz(gpu, "current_sm_clock_mhz")
    yield _HELD, _reasons(gpu)
    yield _MOST, _with_coded_rate(_link(gpu, "max"), unit)
    yield _NOW, _link(gpu, "current")
    yield "power state", _text(gpu, "performance_state")
    yield "power limit", _power_limit(gpu)
    yield "ECC", _switch(gpu, "ecc_enabled")
    yield "MIG", _switch(gpu, "mig_enabled")
    yield "persistence mode", _switch(gpu, "persistence")
    yield "confidential computing", _switch(gpu, "confidential_compute")
    yield "virtualization", _text(gpu, "virtual")
    yield "driver", _text(gpu, "driver_version")
    yield "CUDA of the driver", _text(gpu, "cuda_driver_version")


def _name(gpu: Mapping[str, Json], entry: Device | None) -> str:
    """Return what a GPU is called: by its driver, else by the catalog, else by its vendor and PCI ID."""
    vendor, name = _text(gpu, "vendor"), _driver_name(gpu)
    if not name:
        name = _pci_id(gpu) if entry is None else f"{entry.name} (by PCI ID)"
    named = name if name.lower().startswith(vendor.lower()) else f"{vendor} {name}"
    return _cut(named.strip() or "unnamed", _LONGEST_NAME)


def _driver_name(gpu: Mapping[str, Json]) -> str:
    name = _text(gpu, "name")
    return "" if name == _NO_NAME else name


def _entry(gpu: Mapping[str, Json]) -> Device | None:
    try:
        return current_catalog().devices.by_pci_id(_text(gpu, "vendor_id"), _text(gpu, "device_id"), _driver_name(gpu))
    except BandwidthError:
        return None  # a broken entry of a user's folder: `bandwidth specs validate` tells of it


def _pci_id(gpu: Mapping[str, Json]) -> str:
    vendor, device = _text(gpu, "vendor_id"), _text(gpu, "device_id")
    return f"{vendor}:{device}" if vendor and device else ""


def _node(gpu: Mapping[str, Json]) -> str:
    node = gpu.get("numa_node")
    return "0" if node == 0 and not isinstance(node, bool) else _decimal(_number(gpu, "numa_node"))


def _memory(gpu: Mapping[str, Json]) -> str:
    size, width = _number(gpu, "memory_bytes"), _number(gpu, "memory_width_bits")
    parts = [format_size(size)] if size else []
    return ", ".join([*parts, f"{_decimal(width)} bit wide"] if width else parts)


def _mhz(gpu: Mapping[str, Json], name: str, before: str = "") -> str:
    clock = _number(gpu, name)
    return f"{before}{_decimal(clock)} MHz" if clock else ""


def _reasons(gpu: Mapping[str, Json]) -> str:
    """Return why the clocks are held down just now, empty where nothing holds them or the driver does not tell."""
    reasons = gpu.get("throttle_reasons")
    texts = map(_printable, reasons) if isinstance(reasons, list) else ()
    return "; ".join(filter(None, texts))  # a reason may have a comma: "heat, by the driver"


def _peak(gpu: Mapping[str, Json], unit: str) -> str:
    """Return the memory's peak with its working, for NVIDIA alone: how AMD's clock counts differs by its family."""
    clock, width = _number(gpu, "memory_clock_mhz"), _number(gpu, "memory_width_bits")
    if gpu.get("vendor") != "NVIDIA" or clock is None or width is None:
        return ""
    attributes = (round(clock * _KHZ_PER_MHZ), round(width))
    rate = format_rate(attribute_peak_bytes_per_s(*attributes) or 0.0, unit)
    return f"{attribute_peak_working(*attributes)} = {rate} {unit}"


def _makers_figure(entry: Device | None, unit: str) -> str:
    if entry is None or entry.vendor_gb_s is None:
        return ""
    figure = format_rate(entry.vendor_gb_s * rate_unit_factor(DEFAULT_RATE_UNIT), unit)
    return f"{figure} {unit} (catalog: {entry.name}{', unverified' if entry.unverified else ''})"


def _link(gpu: Mapping[str, Json], when: str) -> str:
    """Return the link `current` or at `max`, such as `PCIe 5.0 x16`, or what is known of it."""
    width = _number(gpu, f"{when}_link_width")
    return " ".join(filter(None, (_generation(gpu, when), f"x{_decimal(width)}" if width else "")))


def _generation(gpu: Mapping[str, Json], when: str) -> str:
    """Return the generation by the driver, which heeds the slot, else by the rate of a lane."""
    generation, rate_gt_s = _number(gpu, f"{when}_link_generation"), _number(gpu, f"{when}_link_gt_s")
    if generation is not None:
        return f"PCIe {_decimal(generation)}.0"
    if rate_gt_s is None:
        return ""
    rate_mt_s = rate_gt_s * MT_PER_GT
    fitting = (entry for entry in current_catalog().links if entry.family == "PCIe" and rate_mt_s in entry.rates_mt_s)
    return next((entry.name for entry in fitting), f"{_decimal(rate_gt_s)} GT/s")


def _with_coded_rate(link: str, unit: str) -> str:
    peak = named_link_peak(link)
    return link if peak is None else f"{link}, {format_rate(peak.bytes_per_s, unit)} {unit} each way"


def _power_limit(gpu: Mapping[str, Json]) -> str:
    milliwatts = _number(gpu, "power_limit_milliwatts")
    return f"{_decimal(milliwatts / 1000)} W" if milliwatts else ""


# --- reading what may be anything -----------------------------------------------------------------------------------


def _number(gpu: Mapping[str, Json], name: str) -> float | None:
    """Return a number above zero, None where it is none."""
    value = gpu.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return value if 0 < value < _NUMBERS_END else None


def _decimal(number: float | None) -> str:
    return "" if number is None else format_decimal(number)


def _switch(gpu: Mapping[str, Json], name: str) -> str:
    value = gpu.get(name)
    return ("on" if value else "off") if isinstance(value, bool) else ""


def _text(gpu: Mapping[str, Json], name: str) -> str:
    return _printable(gpu.get(name))


def _printable(value: Json | None) -> str:
    """Return a text in one line without what cannot be printed, empty where it is none."""
    text = value if isinstance(value, str) else ""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return _cut(" ".join(printable.split()), _LONGEST_TEXT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
