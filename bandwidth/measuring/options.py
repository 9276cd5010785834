"""What a user may ask of a measurement, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bandwidth.errors import UsageError
from bandwidth.machine.facts import Facts

TARGETS = ("host", "device", "pcie")
ALL_TARGETS = "all"
ALL_THREADS = "all"
DEFAULT_BUDGET_S = 15.0
# Samples beyond those that an interval needs are taken within the budget. To give every case those, the run may be
# planned to take this multiple of it (filling gigabytes for the first time can take seconds), and no block starts after
# the hard stop, whatever was planned.
PLANNED_STOP = 1.2
HARD_STOP = 4 / 3


@dataclass(frozen=True)
class MeasureOptions:
    """Options of `measure`; None stands for the default, which depends on the machine.

    `threads` holds numbers or `all`; `size_bytes` is the whole working set of a case; `memory` is a SPEC per socket,
    `sockets` how many have it; `saved_facts` are the modules that another user could see.
    """

    target: str = ALL_TARGETS
    kernels: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    threads: tuple[str, ...] | None = None
    cpus: tuple[int, ...] | None = None
    size_bytes: int | None = None
    budget_s: float = DEFAULT_BUDGET_S
    memory: str | None = None
    memory_source: str = "--memory"
    sockets: int | None = None
    saved_facts: Facts | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError for a value that no machine could serve; the rest is for the plan to say."""
        for option, values in (("--kernel", self.kernels), ("--engine", self.engines), ("--threads", self.threads)):
            if values is not None and not values:
                raise UsageError(f"{option} names nothing", "leave it out for all")
        if self.cpus is not None and not self.cpus:
            raise UsageError("--cpus names no CPU", "leave it out for all")
        if not (0 < self.budget_s < math.inf):
            raise UsageError(f"--budget {self.budget_s} is no time", "give seconds above zero")
        for option, number in (("--size", self.size_bytes), ("--sockets", self.sockets)):
            if number is not None and (not isinstance(number, int) or number < 1):
                raise UsageError(f"{option} {number} is not possible", "give a whole number above zero")
