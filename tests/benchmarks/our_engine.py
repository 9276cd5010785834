"""One case of our engines, ready to be run in turn with something else."""

from __future__ import annotations

import sys
from contextlib import contextmanager

from bandwidth.engines.registry import ENGINES, make_engines
from bandwidth.machine.facts import Facts
from bandwidth.machine.reader import SystemReader
from bandwidth.machine.topology import read_topology
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions


class OurCase:
    """A prepared case: `rate` runs a block of some passes, `nanoseconds` one of so many loads."""

    def __init__(self, engine, case):
        self.engine = engine
        self.case = case

    def rate(self, calls):
        """Return the mean bytes per second of a block, verified."""
        seconds = self.engine.run_block(self.case, calls).seconds
        assert self.engine.verify(self.case, whole=False) == ""
        return self.case.bytes_per_call * calls / seconds

    def calls_for(self, seconds):
        """Return how many passes take about so long."""
        self.rate(1)
        return max(round(self.rate(1) * seconds / self.case.bytes_per_call), 1)

    def nanoseconds(self, calls):
        """Return the time of one load."""
        seconds = self.engine.run_block(self.case, calls).seconds
        assert self.engine.verify(self.case, whole=True) == ""
        return seconds / calls / (self.case.bytes_per_call / 8) * 1e9


@contextmanager
def our_case(size_bytes, *, wanted=lambda _: True, **options):
    """Yield the first case that the options plan, at exactly this working set."""
    topology = read_topology(SystemReader())
    plan = make_plan(MeasureOptions(size_bytes=size_bytes, **options), Facts({}), topology)
    case = next(planned.case for planned in plan.cases if wanted(planned.case))
    (engine,) = make_engines((case.engine,), topology).values()
    try:
        engine.prepare([case], 120.0)
        yield OurCase(engine, case)
    finally:
        engine.close()


@contextmanager
def our_gpu_cases(number, make_cases):
    """Yield the cases that are made of a GPU's facts by what `make_cases` returns for them, ready on that GPU."""
    topology = read_topology(SystemReader())
    found = ENGINES["cuda"].maker().find([number], True)
    (engine,) = make_engines(("cuda",), topology, found).values()
    cases = make_cases(found[0])
    try:
        refused = engine.prepare(cases, 120.0)
        if refused:
            sys.exit("\n".join(f"{name}: {reason}" for name, reason in refused.items()))
        yield [OurCase(engine, case) for case in cases]
    finally:
        engine.close()
