"""What a user may ask of a measurement, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from bandwidth.machine.facts import Facts

TARGETS = ("host", "device", "pcie")
ALL_TARGETS = "all"
ALL_THREADS = "all"
DEFAULT_BUDGET_S = 15.0
# Samples beyond those that an interval needs are taken within the budget. To give every case those, the run may be
# planned to take this multiple of it (filling gigabytes for the first time can take seconds), and no block starts after
# the hard stop, whatever was planned.
PLANNED_STOP = 1.25
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
