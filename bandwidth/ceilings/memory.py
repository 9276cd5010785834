"""The memory as a ceiling: the SPEC that was given, or what the machine's modules say; never a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bandwidth.ceilings.bounds import NOT_KNOWN, Expected, Host, gb_s, lower
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.machine.facts import ASSUMED, GIVEN, Fact, Facts
from bandwidth.machine.modules.speed_and_width import DDR_WIDTH_BITS
from bandwidth.machine.processor import NO_VIRTUALIZATION
from bandwidth.machine.topology import Topology
from bandwidth.results import Case, Ceiling
from bandwidth.theory import Peak, peak
from bandwidth.vocabulary import HIGH, MEDIUM

# Inside a virtual machine no saved facts help: what its table says, if anything, is said of the host.
VIRTUAL_HINT = 'use --memory "DDR5-4800 x12" or set BANDWIDTH_MEMORY'
HINT = f"{VIRTUAL_HINT}, or save the facts once as root with `bandwidth system --save FILE` and use --facts FILE"
_CHANNELS_HINT = 'use --memory "{} xN", where N is the number of channels'
_WIDTH_HINT = 'use --memory "{} N-bit", where N is the total width of all packages'
_FASTEST_LPDDR5_MT_S = 6400  # JESD209-5; faster parts are LPDDR5X (JESD209-5B), which SMBIOS has no code for
_OF_MODULES = (
    "memory_type",
    "memory_rated_mt_s",
    "memory_configured_mt_s",
    "memory_ranks",
    "memory_notes",
    "memory_doubt",
)
# Of a SPEC that was given it is not known what else would fit.
_GIVEN_SOURCES = ("--memory", "BANDWIDTH_MEMORY")
_SAME_SHARE = 0.001  # 2933 and 2934 MT/s are one speed
_NOTATION = re.compile(r"DDR[2-5]?|LPDDR[2-5]?|LPDDR[45]X")


@dataclass(frozen=True)
class ConfiguredMemory:
    """The memory of the whole machine in the notation (`DDR5-4800 x8`), and what that rests on.

    `spec` is None where it is not known; `reason` then says why and `hint` what to do. With a `spec`, `reason`
    says what was taken beside the firmware's plain words (a clock for a rate, channels without names, the rated speed),
    and is empty where nothing was.
    """

    spec: str | None
    source: str
    confidence: str
    reason: str
    hint: str


def configured_memory(facts: Facts) -> ConfiguredMemory:
    """Return the memory as it is set up: the speed it runs at, and the channels of all sockets that hold modules."""
    if "memory_modules" not in facts:
        reason = facts.text("memory_modules_reason") or "the memory modules cannot be read"
        virtual = facts.text("virtualization") or NO_VIRTUALIZATION
        return _unknown(reason, HINT if virtual == NO_VIRTUALIZATION else VIRTUAL_HINT)
    kind, rate = facts.text("memory_type"), facts.integer("memory_configured_mt_s")
    rated = facts.integer("memory_rated_mt_s")
    if kind is None:
        return _unknown("the memory modules are of several types")
    if _NOTATION.fullmatch(kind) is None:
        return _unknown(f"the memory is {kind}: the firmware does not state its bus width")
    stated = any(isinstance(module, dict) and "configured_mt_s" in module for module in _modules(facts))
    if rate is None and (rated is None or stated):
        doubt = facts.text("memory_doubt")
        return _unknown(doubt or "the memory modules' speed is not stated, or differs between them")
    family_rate = _family_rate(kind, rate or rated or 0)
    amount = _amount(facts, kind)
    if amount is None:
        hint = _WIDTH_HINT if kind.startswith("LPDDR") else _CHANNELS_HINT
        return _unknown(_channel_reason(facts, len(_modules(facts))), hint.format(family_rate))
    return ConfiguredMemory(
        f"{family_rate} {amount}", *_origin(facts, assumed=rate is None), _taken(facts, assumed=rate is None), ""
    )


@lru_cache(maxsize=1024)
def modules_bytes_per_s(kind: str, rate_mt_s: float, channels: float) -> float | None:
    """Return the peak of DDR modules (`DDR5`) in bytes per second, None where the facts make up what no memory has."""
    try:
        return float(peak(f"{kind}-{rate_mt_s:.0f} x{channels:.0f}").bytes_per_s)
    except BandwidthError:
        return None


def with_saved_modules(facts: Facts, saved: Facts) -> Facts:
    """Return the facts with the modules of a saved file, marked as given, where this user cannot see them.

    Raises BandwidthError where the file is of another kind of machine; nodes of one kind may share a file.
    """
    here, there = facts.text("cpu_model"), saved.text("cpu_model")
    if here is not None and there is not None and here != there:
        raise BandwidthError(
            f"the saved facts are from another machine: {there[:60]!r}, this is {here[:60]!r}",
            "save them on this machine with `bandwidth system --save FILE`",
        )
    if "memory_modules" in facts or "memory_modules" not in saved:
        return facts
    kept = {name: fact for name, fact in facts.items() if name != "memory_modules_reason"}
    added = {
        name: Fact(fact.value, f"saved facts: {fact.source}", GIVEN)
        for name, fact in saved.items()
        if name.startswith(("memory_modules", "memory_slots", "memory_channels", "memory_width_bits"))
        or name in _OF_MODULES
    }
    return Facts({**kept, **added})


def _family_rate(kind: str, rate_mt_s: int) -> str:
    family = "LPDDR5X" if kind == "LPDDR5" and rate_mt_s > _FASTEST_LPDDR5_MT_S else kind
    return f"{family}-{rate_mt_s}"


def _amount(facts: Facts, kind: str) -> str | None:
    """Return `x8` for channels, `128-bit` for LPDDR, None where the width is not sure."""
    width = facts.integer("memory_width_bits")
    if width is None or width <= 0:
        return None
    return f"{width}-bit" if kind.startswith("LPDDR") else f"x{width // DDR_WIDTH_BITS}"


def _taken(facts: Facts, *, assumed: bool) -> str:
    """Return in words what was taken beside what the firmware plainly says."""
    notes = facts.value("memory_notes")
    words = [str(note) for note in notes] if isinstance(notes, list) else []
    if assumed:
        words.append("the modules' rated speed is assumed: the firmware does not state the configured speed")
    return "; ".join(words)


def _channel_reason(facts: Facts, modules: int) -> str:
    doubt, channels = facts.text("memory_doubt"), facts.value("memory_channels_range")
    if not isinstance(channels, list) or len(channels) != 2:
        return doubt or "the module widths stated by the firmware are unreliable"
    count = f"{modules} {'module' if modules == 1 else 'modules'}"
    return f"{doubt or 'the slot names do not identify the channels'}: {channels[0]} to {channels[1]} for {count}"


def _origin(facts: Facts, *, assumed: bool) -> tuple[str, str]:
    """Return the source of the modules, and the least certain confidence of what the SPEC is made of."""
    modules = facts["memory_modules"]
    if modules.confidence == GIVEN:
        return modules.source, GIVEN
    return modules.source, "assumed" if assumed else "derived"


def _modules(facts: Facts) -> Sequence[object]:
    modules = facts.value("memory_modules")
    return modules if isinstance(modules, list) else ()


def _unknown(reason: str, hint: str = HINT) -> ConfiguredMemory:
    return ConfiguredMemory(None, "", "", reason, hint)


# --- beside a case --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HostTheory:
    """The memory of the whole machine: its peak, None where it is not known, and then the `reason` and a `hint`.

    `sockets` have this memory; `sockets_found` is how many the machine was found to have, where that is another number
    because the user said so. `confidence` is a fact's, empty where the peak is not known.
    """

    peak: Peak | None
    sockets: int
    source: str
    reason: str = ""
    hint: str = ""
    confidence: str = ""
    sockets_found: int | None = None

    def bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the peak of the sockets whose memory a case uses, in bytes per second, None where unknown."""
        return None if self.peak is None else self.peak.bytes_per_s * self._share(sockets_used)

    def vendor_bytes_per_s(self, sockets_used: Iterable[int]) -> float | None:
        """Return the maker's figure for the sockets that a case uses, None where the memory is no device with one."""
        if self.peak is None or self.peak.vendor_bytes_per_s is None:
            return None
        return self.peak.vendor_bytes_per_s * self._share(sockets_used)

    def _share(self, sockets_used: Iterable[int]) -> float:
        """Return the share of the machine's memory that is on these sockets.

        Where fewer sockets were found than have this memory (a virtual machine hides them), they hold equal parts.
        """
        whole = min(self.sockets_found or self.sockets, self.sockets)
        return min(len(set(sockets_used)), whole) / whole

    def expected(self, case: Case, topology: Topology) -> Expected:
        """Return what a case should reach: only where the data lies in memory, and of a load's time there is none."""
        if case.is_latency or not case.meets_dram_rule:
            return NOT_KNOWN
        sockets, share = memory_of(case, topology)
        figure, vendor = self.bytes_per_s(sockets), self.vendor_bytes_per_s(sockets)
        if share is None or figure is None:
            return NOT_KNOWN
        source = self.source if share == 1 else f"{self.source}; a node's share of its socket"
        return Expected(figure * share, source, None if vendor is None else vendor * share)

    def to_json(self) -> dict[str, Any]:
        """Return what a record says of it."""
        if self.peak is None:
            return {"bytes_per_s": None, "reason": self.reason, "hint": self.hint}
        return {
            "spec": self.peak.name,
            "bytes_per_s": self.peak.bytes_per_s,
            "sockets": self.sockets,
            "source": self.source,
            "working": self.peak.working,
            "short_working": self.peak.short_working,
        }


def memory_of(case: Case, topology: Topology) -> tuple[frozenset[int], float | None]:
    """Return the sockets whose memory a case uses, and which share of it; None where that is not known.

    A node that was asked for has an equal share of its socket's memory where every node has processors and memory:
    then the channels are split among the nodes (sub-NUMA clusters, NPS); memory on CXL or HBM is not the socket's.
    """
    node = case.variant.get("memory_node")
    if node is None:
        return topology.sockets_of(case.cpus), 1.0
    sockets = topology.sockets_of(core.cpus[0] for core in topology.cores if core.node == node)
    if topology.memory_only_nodes or topology.processor_only_nodes or len(sockets) != 1:
        return sockets, None
    nodes = {core.node for core in topology.cores if core.socket in sockets}
    return sockets, 1.0 / len(nodes)


@dataclass(frozen=True)
class GivenMemory:
    """The memory that the user names: a SPEC of one socket's, None for none, who says so, and how many sockets."""

    spec: str | None = None
    source: str = "--memory"
    sockets: int | None = None


def host_theory(given: GivenMemory, facts: Facts, sockets_found: int) -> HostTheory:
    """Return the theory of host memory: --memory or BANDWIDTH_MEMORY for each socket, else what the modules say.

    `sockets_found` is how many sockets the machine has: a given SPEC is one socket's.
    Raises UsageError for a SPEC that is no memory, or --sockets without a SPEC.
    """
    if given.spec is not None:
        sockets = given.sockets or sockets_found
        source = f"{given.source} {given.spec}"
        return HostTheory(_memory_peak(given, sockets), sockets, source, confidence=GIVEN, sockets_found=sockets_found)
    if given.sockets is not None:
        raise UsageError("--sockets multiplies --memory", 'use both, such as --memory "DDR5-4800 x12" --sockets 2')
    found = configured_memory(facts)
    if found.spec is None:
        return HostTheory(None, sockets_found, "", found.reason, found.hint)
    try:
        source = f"{found.source} ({found.confidence})"
        return HostTheory(peak(found.spec), sockets_found, source, found.reason, confidence=found.confidence)
    except BandwidthError as error:
        # Firmware that states a speed which no module has: better no theory than a wrong one, and the reason is shown.
        return HostTheory(
            None, sockets_found, "", f"the firmware's memory data is invalid: {error.message}", error.hint
        )


def _memory_peak(given: GivenMemory, sockets: int) -> Peak:
    spec = given.spec or ""
    try:
        is_memory = peak(spec).kind == "memory"
    except BandwidthError as error:
        raise UsageError(f"{given.source}: {error.message}", error.hint) from error
    if not is_memory:
        raise UsageError(f"{given.source} {spec!a} is a link", "name the memory, such as DDR5-4800 x12")
    try:
        return peak(spec, sockets=sockets)
    except UsageError as error:  # sockets multiply a memory and a processor, and nothing else
        raise UsageError(f"{given.source} {spec!a} is not host memory", "name the memory or processor") from error


# --- the ceilings ---------------------------------------------------------------------------------------------------


def memory_ceiling(case: Case, host: Host, theory: HostTheory) -> Ceiling | None:
    """Return the peak of the memory as it is set up, by the bytes that a case moves; None where it is not known.

    Sure is what the firmware or the user says. That an ordinary store reads its line first is a model.
    """
    expected, traffic = theory.expected(case, host.topology), host.traffic(case)
    if expected.bytes_per_s is None or theory.peak is None or traffic is None:
        return None
    rate = traffic.most(both=expected.bytes_per_s)
    if rate is None:
        return None
    is_whole = abs(expected.bytes_per_s - theory.peak.bytes_per_s) < 1
    part = "" if is_whole else f", of which this case uses {gb_s(expected.bytes_per_s)}"
    sure = MEDIUM if theory.confidence == ASSUMED or traffic.read + traffic.write > 1 else HIGH
    return Ceiling("memory", rate, f"{theory.peak.working}{part}{traffic.words}", expected.source or "", sure)


def memory_full_ceiling(case: Case, host: Host, theory: HostTheory) -> Ceiling | None:
    """Return what the memory could do with a module in every channel, at the modules' rated speed.

    None where that is not known, or is what the memory does.
    """
    own, full = memory_ceiling(case, host, theory), _full_memory(host.facts)
    if own is None or full is None or theory.peak is None or theory.source.startswith(_GIVEN_SOURCES):
        return None
    bytes_per_s, name = full
    ratio = bytes_per_s / theory.peak.bytes_per_s
    if ratio < 1 + _SAME_SHARE:
        return None
    working = f"{name} = {gb_s(bytes_per_s)} with every channel filled and at the rated speed, now {theory.peak.name}"
    source = host.facts["memory_modules"].source
    return Ceiling("memory_full", own.bytes_per_s * ratio, working, source, lower(own.confidence, MEDIUM))


def _full_memory(facts: Facts) -> tuple[float, str] | None:
    """Return the peak of all channels at the rated speed and its SPEC; None where the facts do not tell it."""
    kind, rated = facts.text("memory_type"), facts.integer("memory_rated_mt_s")
    there = facts.integer("memory_channels_possible") or facts.integer("memory_channels_with_slots")
    if kind is None or kind.startswith("LPDDR") or there is None or configured_memory(facts).spec is None:
        return None
    rate = max(rated or 0, facts.integer("memory_configured_mt_s") or 0)
    found = modules_bytes_per_s(kind, rate, there)
    return None if found is None else (found, f"{kind}-{rate} x{there}")
