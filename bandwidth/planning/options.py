"""What a user may ask of a measurement, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bandwidth.ceilings.host import GivenMemory
from bandwidth.errors import UsageError
from bandwidth.kernels import MIXES, STORES
from bandwidth.machine.facts import Facts
from bandwidth.units import format_size

HOST, DEVICE, PCIE = TARGETS = ("host", "device", "pcie")
ALL_TARGETS = "all"
ALL_DEVICES = "all"
# Kinds of host memory that a GPU copies from and to.
PINNED, PAGEABLE, WRITE_COMBINED = HOST_MEMORY = ("pinned", "pageable", "write_combined")
# Copies between host and GPU.
LINK_PATHS = ("h2d", "d2h", "bidirectional")
ALL_THREADS = "all"
SIZE_SWEEP, THREAD_SWEEP = "size", "threads"
SWEEPS = (SIZE_SWEEP, THREAD_SWEEP)
# The budget of the table, and of each study that is asked for instead: sweeps and matrices have more cases.
DEFAULT_BUDGET_S = 15.0
STUDY_BUDGET_S = 60.0
LONGEST_NUMBER = 4
# Samples beyond those that an interval needs are taken within the budget. To give every case those, the run may be
# planned to take this multiple of it (filling gigabytes for the first time can take seconds), and no block starts after
# the hard stop, whatever was planned.
PLANNED_STOP = 1.2
HARD_STOP = 4 / 3

# What a field says of itself, read by measuring/saved_options.py: the option's name, and whether it changes what is
# measured; the others change how long that may take, or which theory stands beside it.
OPTION, CHANGES_CASES = "option", "changes_cases"


def _option(name: str, default: Any = None, *, changes_cases: bool = True) -> Any:
    return field(default=default, metadata={OPTION: name, CHANGES_CASES: changes_cases})


@dataclass(frozen=True)
class MeasureOptions:
    """Options of `measure`; None stands for the default, which depends on the machine.

    `threads` holds numbers or `all`; `size_bytes` is the whole working set of a case; `memory` is a SPEC per socket,
    `sockets` how many have it; `saved_facts` are the modules that another user could see. The studies take the place
    of the table: `sweep` over `size` or `threads`, within `sweep_range` (bytes or threads), `numa`, `latency`, `mixes`
    (ratios of reads to writes) and `zeros`. `devices` are numbers of GPUs or `all`, `host_memory` the kinds of memory
    that they copy from and to.
    """

    target: str = ALL_TARGETS
    kernels: tuple[str, ...] | None = _option("--kernel")
    engines: tuple[str, ...] | None = _option("--engine")
    stores: tuple[str, ...] | None = _option("--stores")
    threads: tuple[str, ...] | None = _option("--threads")
    cpus: tuple[int, ...] | None = _option("--cpus")
    size_bytes: int | None = _option("--size")
    budget_s: float | None = _option("--budget", changes_cases=False)
    sweep: str | None = _option("--sweep")
    sweep_range: tuple[int, int] | None = _option("--range")
    numa: bool = _option("--numa", default=False)
    latency: bool = _option("--latency", default=False)
    mixes: tuple[str, ...] | None = _option("--mix")
    zeros: bool = _option("--zeros", default=False)
    devices: tuple[str, ...] | None = _option("--device")
    host_memory: tuple[str, ...] | None = _option("--host-memory")
    memory: str | None = _option("--memory", changes_cases=False)
    sockets: int | None = _option("--sockets", changes_cases=False)
    # Not saved: who said it stands in the record's theory, and the modules among the machine's facts.
    memory_source: str = "--memory"
    saved_facts: Facts | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError for a value that no machine could serve; the rest is for the plan to say."""
        for option, values in (
            ("--kernel", self.kernels),
            ("--engine", self.engines),
            ("--stores", self.stores),
            ("--threads", self.threads),
            ("--mix", self.mixes),
            ("--device", self.devices),
            ("--host-memory", self.host_memory),
        ):
            if values is not None and not values:
                raise UsageError(f"{option} names nothing", "leave it out for all")
        if self.cpus is not None and not self.cpus:
            raise UsageError("--cpus names no CPU", "leave it out for all")
        if self.budget_s is not None and not (0 < self.budget_s < math.inf):
            raise UsageError(f"--budget {self.budget_s} is no time", "give seconds above zero")
        for option, number in (("--size", self.size_bytes), ("--sockets", self.sockets)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise UsageError(f"{option} {number} is not possible", "give a whole number above zero")
        _check_one_of("--stores", self.stores, STORES)
        _check_one_of("--sweep", None if self.sweep is None else (self.sweep,), SWEEPS)
        _check_one_of("--mix", self.mixes, tuple(MIXES))
        _check_one_of("--host-memory", self.host_memory, HOST_MEMORY)
        for name in self.devices or ():
            if name != ALL_DEVICES and not (name.isascii() and name.isdecimal() and len(name) <= LONGEST_NUMBER):
                raise UsageError(f"--device {name!a} is not a number of a GPU", "give numbers or all, such as 0,1")
        self._check_range()
        self._check_target()

    def _check_target(self) -> None:
        """Raise UsageError for options that the target has no use for."""
        if self.target == HOST:
            self._refuse({"--device": self.devices, "--host-memory": self.host_memory}, "device, pcie and all")
        if self.target in (DEVICE, PCIE):
            given = {"--threads": self.threads, "--cpus": self.cpus, "--stores": self.stores, "--mix": self.mixes}
            self._refuse(given | {"--numa": self.numa, "--zeros": self.zeros}, "host")
            self._refuse({"--sweep threads": self.sweep == THREAD_SWEEP}, "host")
        if self.target == DEVICE:
            self._refuse({"--host-memory": self.host_memory}, "pcie and all")
        if self.target == PCIE:
            self._refuse({"--latency": self.latency}, "host and device: `--sweep size` shows the latency of a link")

    def _refuse(self, given: Mapping[str, object], whose: str) -> None:
        for option, value in given.items():
            if value:
                raise UsageError(f"{option} has no meaning for {self.target}", f"it is of {whose}")

    @property
    def asks_for_gpu(self) -> bool:
        """Whether a GPU is asked for by name, so that it is an error where there is none."""
        return self.target in (DEVICE, PCIE) or self.devices is not None or self.host_memory is not None

    def _check_range(self) -> None:
        if self.sweep_range is None:
            return
        if self.sweep is None:
            raise UsageError("--range is of a sweep", "give --sweep size or --sweep threads too")
        if len(self.sweep_range) != 2 or not all(isinstance(end, int) for end in self.sweep_range):
            raise UsageError(f"--range {self.sweep_range} is not two whole numbers", "give both ends")
        low, high = self.sweep_range
        if not 1 <= low <= high:
            ends = [format_size(end) if self.sweep == SIZE_SWEEP and end > 0 else str(end) for end in (low, high)]
            raise UsageError(f"--range {'-'.join(ends)} is upside down or below 1", "give the smaller end first")

    @property
    def given_memory(self) -> GivenMemory:
        """The memory that the user names."""
        return GivenMemory(self.memory, self.memory_source, self.sockets)

    @property
    def is_study(self) -> bool:
        """Whether something is asked for that takes the place of the table."""
        return bool(self.sweep or self.numa or self.latency or self.mixes or self.zeros)

    @property
    def allowed_s(self) -> float:
        """The time that all measuring may take, in seconds: as given, or what this kind of measurement needs."""
        if self.budget_s is not None:
            return self.budget_s
        studies = sum((self.sweep is not None, self.numa, self.latency))
        tables = 0 if self.is_study and not (self.mixes or self.zeros) else 1
        return studies * STUDY_BUDGET_S + tables * DEFAULT_BUDGET_S


def _check_one_of(option: str, values: tuple[str, ...] | None, known: tuple[str, ...]) -> None:
    unknown = [value for value in values or () if value not in known]
    if unknown:
        raise UsageError(f"{option} {unknown[0]!a} is not known", f"choose from {', '.join(known)}")
