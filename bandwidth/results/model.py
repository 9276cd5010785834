"""A measurement as data: what was to run, what was timed, and what is said of it. All of it immutable.

The dataclasses are the only declaration of their fields: files.py writes and checks a record's file by them, so that a
new field is one line here. One with a default may lack in a file, as it does in those of older versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from bandwidth.vocabulary import BETWEEN_CORES, LOW, TIMES, Confidence, Target

# What a number may be is checked where it enters, in a file. The clocks count nanoseconds, and nothing runs for 30
# years. The bounds keep every rate and ratio finite.
BlockSeconds = Annotated[float, Field(ge=1e-9, le=1e9)]
SkewSeconds = Annotated[float, Field(ge=0, le=1e9)]
Rate = Annotated[float, Field(ge=1, le=1e30)]
Count = Annotated[int, Field(ge=1)]
Seen = Annotated[float, Field(ge=0, le=1e30)]

# What tells two results of one target, path, engine and thread count apart, in the order in which it stands in an id.
# `data` is `zeros` where only those are written; `cores` one kind of a hybrid processor's; `load` the share of what the
# other threads can move, such as `40%`, `writes` how much of that is written, such as `33%-writes`; `chains` how many
# loads are under way at once, such as `8-chains`; `pages` those of random reads, `huge` or `small`; `pair` the two CPUs
# that a cache line goes between, such as `cpu0-cpu8`; `sweep_point` the size of a sweep's point in bytes, as asked for.
VARIANT_KEYS = (
    "stores",
    "data",
    "cores",
    "host_memory",
    "cpu_node",
    "memory_node",
    "peer",
    "peer_access",
    "mix",
    "load",
    "chains",
    "writes",
    "pages",
    "pair",
    "sweep_point",
)


# A latency's calls load addresses of this many bytes, each from where the one before says; a word between cores is one.
ADDRESS_BYTES = 8


@dataclass(frozen=True)
class Case:
    """One thing to measure, as plain data.

    `working_set_bytes` is all arrays of all threads together. `bytes_per_call` is the convention of the rate (stream:
    read + write), `payload_bytes_per_call` what arrives for the user, `traffic_bytes_per_call` what the memory moves,
    None where that cannot be known; of a latency they are the addresses loaded, and of a line between cores the words
    handed over, 8 bytes each. `dram_rule_bytes` is the least working set that counts as DRAM for these CPUs, an assumed
    one where `caches_known` is false. `caches` is what the caches that these CPUs reach hold in all, in bytes by level:
    `{"L1": 98304, "L2": 4194304}`. `is_size_check` marks one that was planned only to prove the size of another, at
    half of it. `shared` is what the two CPUs of a `pair` have in common at the nearest, one of SHARED, "" where the
    system does not tell.
    """

    target: str
    path: str
    engine: str
    threads: Count
    working_set_bytes: Count
    bytes_per_call: Count
    payload_bytes_per_call: Count
    traffic_bytes_per_call: Count | None = None
    cpus: tuple[int, ...] = ()
    variant: Mapping[str, str | int] = field(default_factory=dict)
    dram_rule_bytes: Count | None = None
    caches_known: bool = True
    caches: Mapping[str, Count] = field(default_factory=dict)
    is_size_check: bool = False
    shared: str = ""

    @property
    def is_latency(self) -> bool:
        """Whether it measures the time of a load, or of a line from core to core, and no rate."""
        return self.path in TIMES

    @property
    def pair(self) -> tuple[int, int] | None:
        """The two CPUs that a cache line goes between, the lower number first; None for any other case."""
        if self.path != BETWEEN_CORES or len(self.cpus) != 2:
            return None
        low, high = sorted(self.cpus)
        return low, high

    @property
    def chains(self) -> int:
        """How many chains of loads a latency follows at once: 1 where its variant names no number."""
        count = str(self.variant.get("chains", "")).partition("-")[0]
        return int(count) if re.fullmatch(r"[1-9][0-9]{0,3}", count, re.ASCII) else 1

    @property
    def id(self) -> str:
        """The name by which records are compared: target, path, engine, threads and what else tells it apart."""
        parts = [self.target, self.path, self.engine, str(self.threads)]
        parts += [str(self.variant[key]) for key in VARIANT_KEYS if key in self.variant]
        return "/".join(parts)

    @property
    def kind(self) -> str:
        """What kind of target it has: one of TARGETS."""
        return Target.parse(self.target).kind

    @property
    def devices(self) -> tuple[int, ...]:
        """The numbers of the GPUs of its target: of `device:0`, `pcie:1`, or of several at once, `device:0,1`."""
        return Target.parse(self.target).devices

    @property
    def meets_dram_rule(self) -> bool:
        """Whether a theory of the memory may stand beside this case: the caches are far outgrown."""
        return self.dram_rule_bytes is not None and self.working_set_bytes >= self.dram_rule_bytes


@dataclass(frozen=True)
class Samples:
    """The raw truth: the seconds of each timed block, and how it was timed.

    `start_skew_s` is the largest distance between the first and the last worker's start in any block; `stopped_by`
    is `precision`, `budget`, `interrupted`, `failure` or `unfinished` (the record was saved while it still ran).
    `layouts` is the number of the memory layout that each block ran on, empty where all ran on one.
    """

    seconds: tuple[BlockSeconds, ...]
    calls_per_sample: Count
    start_skew_s: SkewSeconds
    stopped_by: str
    layouts: tuple[Count, ...] = ()


@dataclass(frozen=True)
class Observed:
    """Something that was looked at in every block: the median of what was seen, and the ends of its range.

    `values` is what each timed block showed, in their order; empty where that was not kept.
    """

    median: Seen
    least: Seen
    most: Seen
    values: tuple[Seen, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something to know about a result: a code, what was seen with the limit that it crossed, and what to try."""

    code: str
    text: str
    hint: str


@dataclass(frozen=True)
class Ceiling:
    """A rate that a case cannot exceed: `kind` is what binds, `working` how it comes about, `source` where it is from.

    `kind` is memory, memory_full, platform, instance, fabric, core, cache, socket_link, device or link. `confidence` is
    high (the maker's document), medium (measured by others) or low, which is shown and never concluded from. Where it
    is a range, because the machine does not show which of its CPUs share a way, `least_bytes_per_s` is the lower end.
    """

    kind: str
    bytes_per_s: Rate
    working: str
    source: str
    confidence: Confidence
    least_bytes_per_s: Rate | None = None


@dataclass(frozen=True)
class Result:
    """A case with its samples. `failure` says what the check found wrong; a rate exists only where it is empty.

    `last_block_checked` tells whether all data of the last timed block was checked; where a run was cut short, it was
    all of the first block's and a part of each later one's. `observed` holds what else each block showed:
    `clock_hz` (the core's clock just after it), `load_bytes_per_s` (what the others read and write beside a latency),
    `huge_page_share` and `placed_share` (of the pages: how many are huge, how many lie on the memory node asked for).
    What its threads were to each other just before and just behind it (`core_to_core_ns`, `core_to_core_behind_ns`: how
    long a word takes from one of their cores to another; `effective_cores`, `effective_cores_behind`: what all add in
    registers over what one does alone at its best; `core_share`: what one added alone over its best; `running_share`:
    in how much of the time of these looks the threads had a CPU).
    What disturbed it: `others_cpu_share` (of all CPUs' time: what other processes took), `steal_share` (of the time in
    which CPUs had work: what the hypervisor took), `cpu_wait_share` (of the time of this process's threads: how long
    they could have run and had no CPU), `cpu_pressure_share` (of the time: when any task waited for a CPU) and
    `involuntary_switches`; the middle of these shares is that of all blocks together.
    What the memory controllers counted around it, of everybody's traffic: `controller_read_bytes_per_s` and
    `controller_write_bytes_per_s`, or `controller_both_bytes_per_s`.
    `ceilings` are all that are known, the lowest first; none in records from before they were kept.
    `earlier_s_per_call` is the median time of a call in earlier runs of the same case on the same machine, the newest
    last: how far runs lie apart is not to be seen in one.
    """

    case: Case
    samples: Samples
    failure: str = ""
    theory_bytes_per_s: Rate | None = None
    theory_source: str | None = None
    vendor_bytes_per_s: Rate | None = None
    pinned: bool = True
    last_block_checked: bool = True
    tuning: Mapping[str, Any] = field(default_factory=dict)
    observed: Mapping[str, Observed] = field(default_factory=dict)
    ceilings: tuple[Ceiling, ...] = ()
    earlier_s_per_call: tuple[BlockSeconds, ...] = ()

    @property
    def binding(self) -> Ceiling | None:
        """The lowest ceiling that is not of low confidence, None where there is none."""
        return next((ceiling for ceiling in self.ceilings if ceiling.confidence != LOW), None)

    @property
    def is_verified(self) -> bool:
        """Whether all data was checked and found right."""
        return not self.failure


@dataclass(frozen=True)
class NotRun:
    """A case that was not measured, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Conditions:
    """What the machine was doing before and after, as read: see machine/conditions.py for the names."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """A whole run: the machine, the conditions, every result, and what was left out. `machine` is facts as JSON.

    `memory` tells of the theory: its `spec`, `source`, `sockets`, `bytes_per_s` and `working`, or the `reason` for
    none and a `hint`. `options` are those of the call as data (planning/options.py), empty in records from
    before they were kept; `command` is for people.
    """

    tool_version: str
    taken_at: str
    command: tuple[str, ...]
    machine: Mapping[str, Any]
    conditions: Conditions
    results: tuple[Result, ...]
    not_run: tuple[NotRun, ...]
    memory: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def listed_gpus(self) -> tuple[Mapping[str, Any], ...]:
        """The facts of each GPU and display of the machine; what is none is passed over, as a record holds anything."""
        listed = self.machine.get("gpus")
        return tuple(entry for entry in listed if isinstance(entry, Mapping)) if isinstance(listed, list) else ()

    @property
    def gpus(self) -> dict[int, Mapping[str, Any]]:
        """The facts of each GPU that an engine opened, by its number: those of the machine that have one."""
        return {entry["device"]: entry for entry in self.listed_gpus if type(entry.get("device")) is int}


@dataclass(frozen=True)
class Examination:
    """All findings of a record: those of single results by their id, and those of the whole."""

    by_id: Mapping[str, tuple[Finding, ...]]
    general: tuple[Finding, ...]

    def of(self, case_id: str) -> tuple[Finding, ...]:
        """Return the findings of one result."""
        return self.by_id.get(case_id, ())

    def codes(self) -> frozenset[str]:
        """Return every code that was raised."""
        return frozenset(finding.code for group in (*self.by_id.values(), self.general) for finding in group)
