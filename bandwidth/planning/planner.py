"""The contract of planners, one for each kind of target: preparing and measuring walk over a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bandwidth.machine.facts import Facts
from bandwidth.machine.nvml import Nvml
from bandwidth.machine.reader import Reader
from bandwidth.machine.topology import Topology
from bandwidth.planning.cases import Plan


@dataclass(frozen=True)
class Surroundings:
    """Where a measurement runs: the machine's facts and layout, and who reads them; `nvml` where GPUs may be there."""

    reader: Reader
    facts: Facts
    topology: Topology
    nvml: Nvml | None = None


@dataclass(frozen=True)
class Answer:
    """What a planner says: its plan, None where it takes no part, and a note where the reader would wonder why not."""

    plan: Plan | None = None
    note: str = ""


class Planner(Protocol):
    """Plans for one kind of target. It is made of what was asked and where, and keeps both."""

    def answer(self, others: Sequence[Plan]) -> Answer:
        """Return the plan beside those of other planners, if this kind of target takes part.

        What was not asked for by name becomes a note where it cannot be measured. Raises as `plan` does for the rest.
        """

    def plan(self) -> Plan:
        """Return the plan where nothing else is measured.

        Raises UsageError for options that do not fit the machine, HardwareError without what is to be measured, and
        BandwidthError without the memory for it.
        """

    def opened(self, plan: Plan) -> Plan:
        """Return an own plan as it can run, now that its turn has come; empty, with a note, where it no longer can."""


@dataclass(frozen=True)
class Stage:
    """A plan and who made it. What one stage measures has the machine to itself."""

    planner: Planner
    plan: Plan

    def opened(self) -> Plan:
        """Return the plan as it can run, now that its turn has come."""
        return self.planner.opened(self.plan)
