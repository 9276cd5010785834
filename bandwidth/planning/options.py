"""What a user may ask of a measurement, as plain data: declared once, called from Python, kept in a record.

All of it follows from the fields of `MeasureOptions`: a new option is one field there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from bandwidth.errors import UsageError
from bandwidth.kernels import MIXES
from bandwidth.machine.facts import Facts
from bandwidth.planning.option import (
    CpuNumbers,
    Names,
    Numbers,
    counts,
    cpu_numbers,
    declares_options,
    duration,
    ends,
    option,
    options_of,
    ratios,
    several,
    size,
    takes_several,
    word,
    words,
)
from bandwidth.units import format_size
from bandwidth.vocabulary import DEVICE, HOST, HOST_MEMORY, LINK_PATHS, PCIE, STORES, TARGETS

if TYPE_CHECKING:
    from bandwidth.ceilings.memory import GivenMemory


TARGET = "target"
# What people call the targets.
TARGET_ALIASES = {"gpu": DEVICE, "cpu": HOST, "link": PCIE, "memory": HOST, "ram": HOST}
ALL_TARGETS = "all"
TARGET_WORDS = (*TARGETS, *TARGET_ALIASES, ALL_TARGETS)
ALL_KERNELS = "all"
KERNEL_SETS = {"stream": ("copy", "scale", "add", "triad")}
ALL_DEVICES = "all"
ALL_THREADS = "all"
SIZE_SWEEP, THREAD_SWEEP = "size", "threads"
SWEEPS = (SIZE_SWEEP, THREAD_SWEEP)
# The budget of the table, and of each study that is asked for instead: sweeps and matrices have more cases.
DEFAULT_BUDGET_S = 15.0
STUDY_BUDGET_S = 60.0
# How the reason begins of a case that was not measured for want of time.
OUT_OF_BUDGET = "the budget of"
LONGEST_NUMBER = 4
# Samples beyond those that an interval needs are taken within the budget. To give every case those, the run may be
# planned to take this multiple of it (filling gigabytes for the first time can take seconds), and no block starts after
# the hard stop, whatever was planned.
PLANNED_STOP = 1.2
HARD_STOP = 4 / 3

# The parts of --help that options stand in.
STUDY, GPU = "Instead of the table", "GPUs"


def kernel_words(option: str, text: str) -> tuple[str, ...] | None:
    """Return kernels, `stream` for STREAM's four; None, as where none is named, for `all`."""
    names = words(option, text)
    if ALL_KERNELS in names:
        return None
    return tuple(dict.fromkeys(kernel for name in names for kernel in KERNEL_SETS.get(name, (name,))))


def kernel_names() -> tuple[str, ...]:
    """Return every name that --kernel takes: the sets of kernels, and all that any engine has."""
    from bandwidth.engines.registry import ENGINES  # with what engines know of machines, which a start has no time for

    kernels = (kernel for entry in ENGINES.values() for kernel in entry.kernels)
    return (*KERNEL_SETS, ALL_KERNELS, *dict.fromkeys((*kernels, *LINK_PATHS)))


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines."""
    from bandwidth.engines.registry import ENGINES

    return tuple(ENGINES)


@dataclass(frozen=True)
class StudyOptions:
    """What is asked for in place of the table; `sweep_range` is in bytes or threads, as the sweep is."""

    sweep: str | None
    sweep_range: tuple[int, int] | None
    latency: bool
    chains: bool
    numa: bool
    mixes: tuple[str, ...] | None
    zeros: bool
    full: bool = False
    random: bool = False
    core_to_core: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any."""
        rates = (self.sweep, self.numa, self.mixes, self.zeros, self.full, self.random)
        return any(map(bool, (*rates, self.latency, self.chains, self.core_to_core)))


@declares_options
class CallOptions:
    """The options of a call of `measure`; None stands for the default, which depends on the machine.

    `threads` holds numbers or `all`; `size_bytes` is the whole working set of a case; `memory` is a SPEC per socket,
    `sockets` how many have it. The studies take the place of the table: `sweep` over `size` or `threads`, within
    `sweep_range` (bytes or threads), `numa`, `latency`, `chains`, `core_to_core`, `mixes` (ratios of reads to writes),
    `zeros` and `random`; `full` is the table with the most telling of them. `devices` are numbers of GPUs or `all`,
    `host_memory` the kinds of memory that they copy from and to. With `retune` the shapes of the native kernels are
    tried anew, whatever earlier runs have found; with `counters` what the memory controllers count is read around each
    block.
    """

    target: str = ALL_TARGETS
    _: KW_ONLY
    kernels: Names = option(
        "--kernel",
        "Kernels, such as copy,read; stream: the four of STREAM; default: all.",
        metavar="K,..",
        parse=kernel_words,
        offered=kernel_names,
    )
    engines: Names = option(
        "--engine",
        "Engines by name; default: all installed for the host, the best for a GPU.",
        metavar="E,..",
        parse=words,
        offered=engine_names,
    )
    stores: Names = option(
        "--stores",
        "Stores of the native engine: streaming, ordinary; default: both.",
        metavar="S,..",
        parse=words,
        known=STORES,
        of=HOST,
    )
    threads: Numbers = option(
        "--threads",
        "Thread counts; all: one per core; default: 1,all.",
        metavar="N,..",
        parse=counts,
        offered=("1", ALL_THREADS),
        of=HOST,
    )
    cpus: CpuNumbers = option("--cpus", "CPUs to run on, such as 0-3,8.", metavar="LIST", parse=cpu_numbers, of=HOST)
    size_bytes: int | None = option(
        "--size", "Working set of a case: all arrays of all threads together.", metavar="SIZE", parse=size
    )
    budget_s: float | None = option(
        "--budget",
        "Time limit of the measurement; default: 15s, 60s for each study.",
        metavar="TIME",
        parse=duration,
        changes_cases=False,
    )
    retune: bool = option(
        "--retune",
        "Tune the native kernels again for this machine.",
        default=False,
        of=HOST,
        changes_cases=False,
    )
    counters: bool = option(
        "--counters",
        "Read the memory controllers' counters too, where permitted.",
        default=False,
        of=HOST,
        changes_cases=False,
    )
    sweep: str | None = option(
        "--sweep",
        "Bandwidth over working set or over thread count.",
        metavar="size|threads",
        parse=word,
        panel=STUDY,
        known=SWEEPS,
    )
    sweep_range: tuple[int, int] | None = option(
        "--range", "Range of the sweep: 4KiB-64MiB, 1-16.", metavar="LOW-HIGH", parse=ends, panel=STUDY
    )
    latency: bool = option("--latency", "Latency of a load, idle and under load.", default=False, panel=STUDY)
    chains: bool = option(
        "--chains", "Loads that a core keeps in flight: 1 to 32 chains.", default=False, panel=STUDY, of=HOST
    )
    core_to_core: bool = option(
        "--core-to-core", "Latency of a cache line between all pairs of CPUs.", default=False, panel=STUDY, of=HOST
    )
    numa: bool = option(
        "--numa", "Bandwidth from each NUMA node to each node's memory.", default=False, panel=STUDY, of=HOST
    )
    mixes: Names = option(
        "--mix",
        "Ratio of reads to writes: 1:0, 3:1, 2:1, 1:1, or all.",
        metavar="R:W,..",
        parse=ratios,
        panel=STUDY,
        known=tuple(MIXES),
        offered=(*MIXES, "all"),
        of=HOST,
    )
    zeros: bool = option(
        "--zeros", "Compare writing zeros with writing other data.", default=False, panel=STUDY, of=HOST
    )
    random: bool = option(
        "--random", "Random cache lines, in huge pages and in small pages.", default=False, panel=STUDY, of=HOST
    )
    full: bool = option(
        "--full",
        "The table, mixes, latency and NUMA on one screen; about a minute.",
        default=False,
        panel=STUDY,
        of=HOST,
    )
    devices: Numbers = option(
        "--device",
        "GPUs by number; default: 0.",
        metavar="N,..|all",
        parse=words,
        panel=GPU,
        offered=("0", ALL_DEVICES),
        of=DEVICE,
    )
    host_memory: Names = option(
        "--host-memory",
        "Host memory that a GPU copies: pinned, pageable, write_combined.",
        metavar="M,..",
        parse=words,
        panel=GPU,
        known=HOST_MEMORY,
        of=PCIE,
    )
    memory: str | None = option("--memory", changes_cases=False)
    sockets: int | None = option("--sockets", changes_cases=False)


@declares_options
class MeasureOptions(CallOptions):
    """The options of a call, and what the command line knows of them beside: who named the memory, and saved facts.

    Neither is saved: who said it stands in the record's theory, and the modules among the machine's facts.
    """

    memory_source: str = "--memory"
    saved_facts: Facts | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Keep values as their fields do. Raises UsageError for one that no machine could serve; plans say the rest."""
        for one, told in options_of(MeasureOptions):
            value = several(one, getattr(self, one.name))
            object.__setattr__(self, one.name, value)
            if takes_several(one) and value is not None and not value:
                what = "no CPU" if one.name == "cpus" else "nothing"
                raise UsageError(f"{told.name} names {what}", "omit it for all")
        if self.budget_s is not None and not (0 < self.budget_s < math.inf):
            raise UsageError(f"--budget {self.budget_s} is not a duration", "use a time above zero, such as 15s")
        for name, number in (("--size", self.size_bytes), ("--sockets", self.sockets)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise UsageError(f"{name} {number} is out of range", "use a whole number above zero")
        self._check_known()
        for name in self.devices or ():
            if name != ALL_DEVICES and not (name.isascii() and name.isdecimal() and len(name) <= LONGEST_NUMBER):
                raise UsageError(f"--device {name!a} is not the number of a GPU", "use numbers or all, such as 0,1")
        self._check_range()
        self._check_target()

    def _check_known(self) -> None:
        """Raise UsageError for a name that is none of those that its option takes."""
        for one, told in options_of(MeasureOptions):
            value = getattr(self, one.name)
            if not told.known or value is None:
                continue
            unknown = [name for name in (value if takes_several(one) else (value,)) if name not in told.known]
            if unknown:
                raise UsageError(f"{told.name} {unknown[0]!a} is not known", f"choose from {', '.join(told.known)}")

    def _check_target(self) -> None:
        """Raise UsageError for options that the target has no use for."""
        if self.target == HOST:
            self._refuse(self._given_of(DEVICE, PCIE), "device, pcie and all")
        if self.target in (DEVICE, PCIE):
            self._refuse(self._given_of(HOST), "host")
            self._refuse({"--sweep threads": self.sweep == THREAD_SWEEP}, "host")
        if self.target == DEVICE:
            self._refuse(self._given_of(PCIE), "pcie and all")
        if self.target == PCIE:
            self._refuse({"--latency": self.latency}, "host and device: `--sweep size` shows the latency of a link")

    def _given_of(self, *targets: str) -> dict[str, object]:
        """Return the options that have a meaning for these kinds of target alone, with their values."""
        return {told.name: getattr(self, one.name) for one, told in options_of(MeasureOptions) if told.of in targets}

    def _refuse(self, given: Mapping[str, object], whose: str) -> None:
        for name, value in given.items():
            if value:
                raise UsageError(f"{name} does not apply to {self.target}", f"it applies to {whose}")

    @property
    def asks_for_gpu(self) -> bool:
        """Whether a GPU is asked for by name, so that it is an error where there is none."""
        return self.target in (DEVICE, PCIE) or self.devices is not None or self.host_memory is not None

    def _check_range(self) -> None:
        if self.sweep_range is None:
            return
        if self.sweep is None:
            raise UsageError("--range needs a sweep", "add --sweep size or --sweep threads")
        if len(self.sweep_range) != 2 or not all(isinstance(end, int) for end in self.sweep_range):
            raise UsageError(f"--range {self.sweep_range} is not two whole numbers", "state both ends")
        low, high = self.sweep_range
        if not 1 <= low <= high:
            ends = [format_size(end) if self.sweep == SIZE_SWEEP and end > 0 else str(end) for end in (low, high)]
            raise UsageError(f"--range {'-'.join(ends)} is reversed or below 1", "state the smaller end first")

    @property
    def given_memory(self) -> GivenMemory:
        """The memory that the user names."""
        from bandwidth.ceilings.memory import GivenMemory  # with the catalog, which the command line starts without

        return GivenMemory(self.memory, self.memory_source, self.sockets)

    @property
    def studies(self) -> StudyOptions:
        """What is asked for in place of the table."""
        return StudyOptions(
            self.sweep,
            self.sweep_range,
            self.latency,
            self.chains,
            self.numa,
            self.mixes,
            self.zeros,
            self.full,
            self.random,
            self.core_to_core,
        )

    @property
    def is_study(self) -> bool:
        """Whether something is asked for that takes the place of the table."""
        return bool(self.studies)

    @property
    def allowed_s(self) -> float:
        """The time that all measuring may take, in seconds: as given, or what this kind of measurement needs."""
        if self.budget_s is not None:
            return self.budget_s
        studies = sum((self.sweep is not None, self.numa, self.latency, self.chains, self.core_to_core, self.full))
        tables = 0 if self.is_study and not (self.mixes or self.zeros or self.random) else 1
        return studies * STUDY_BUDGET_S + tables * DEFAULT_BUDGET_S
