"""Whole ceilings of machines that are not here, from facts as they are captured, through planner and functions.

The golden file holds all ceilings of the cases that say most; BANDWIDTH_WRITE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from simulated_hosts import MACHINES, Simulated

from bandwidth.catalog import current_catalog
from bandwidth.ceilings.bounds import Seen, SeenLatency
from bandwidth.ceilings.of_results import ceilings_of
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions

GOLDEN = Path(__file__).parents[1] / "data" / "ceilings.txt"
SEEN = Seen(4e9, {(None, None, None): SeenLatency(100.0, is_pure=True)})


def cases(machine: Simulated, facts: Facts):
    """The cases that say most: the table's by all and one, a point of each level, and of the matrix a remote pair."""
    table = make_plan(
        MeasureOptions(target="host", kernels=("read", "write", "copy"), engines=("native",)), facts, machine.topology
    )
    yield from (one for one in table.cases if not one.case.is_size_check and _says_much(one.case))
    sweep = MeasureOptions(target="host", sweep="size", threads=("1",), kernels=("read", "copy"), engines=("native",))
    points = make_plan(sweep, facts, machine.topology)
    yield from (one for one in points.cases if one.case.variant["sweep_point"] in machine.sweep_sizes)
    if machine.topology.sockets > 1:
        matrix = make_plan(MeasureOptions(target="host", numa=True, engines=("native",)), facts, machine.topology)
        last = machine.topology.nodes[-1]
        nodes = ((0, 0), (0, last))
        yield from (one for one in matrix.cases if _nodes_of(one.case) in nodes and one.case.path == "read")


def _says_much(case):
    """Whether a case is none of those that differ little from another."""
    return case.path == "read" or (
        "cores" not in case.variant and (case.path, case.variant["stores"]) != ("write", "ordinary")
    )


def _nodes_of(case):
    return case.variant.get("cpu_node"), case.variant.get("memory_node")


def told(machine: Simulated) -> str:
    """All ceilings of a machine's cases, one a line."""
    facts, lines = machine.facts(), [f"# {machine.name}: {machine.cpu}"]
    theory = make_plan(MeasureOptions(target="host", kernels=("read",)), facts, machine.topology).theory
    for planned in cases(machine, facts):
        found = ceilings_of(planned.case, facts, current_catalog(), machine.topology, theory, seen=SEEN)
        assert [one.bytes_per_s for one in found] == sorted(one.bytes_per_s for one in found)
        memory = [one for one in found if one.kind == "memory"]
        assert bool(memory) == (planned.theory_bytes_per_s is not None)
        lines.append(f"{planned.case.id}, {planned.case.threads} threads" if not found else planned.case.id)
        lines += [
            f"  {one.kind:<11} {one.bytes_per_s / 1e9:9.2f} GB/s  {one.confidence:<6}  {one.working}" for one in found
        ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def text() -> str:
    return "\n".join(told(machine) for machine in MACHINES)


def test_the_ceilings_of_simulated_machines_are_those_of_the_golden_file(text):
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")
