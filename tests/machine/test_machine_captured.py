"""The memory of real machines: some with their exact SPEC, and 900 where they lie beside the checkout."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from captured_tables import SHARED_MACHINES, memory_of, read_machines

from bandwidth.theory import peak

CAPTURED = read_machines(Path(__file__).parent / "captured" / "machines.jsonl")
GIGA = 1e9
TOLERANCE = 0.016  # makers cut 21.33 to 21
RIGHT_SHARE, WRONG_SHARE = 0.97, 0.005


@pytest.mark.parametrize("machine", CAPTURED, ids=lambda machine: f"{machine['kind']}-{machine['id']}")
def test_a_captured_machine(machine):
    memory = memory_of(machine)
    assert memory.spec == machine["spec"], memory.reason
    assert (memory.reason != "") or machine["kind"] in ("sound", "K5", "K9")
    if memory.spec is None:
        assert memory.reason
        assert "--memory" in memory.hint


def test_the_captured_machines_are_of_every_kind():
    assert set(Counter(machine["kind"] for machine in CAPTURED)) == {"K2", "K3", "K5", "K6", "K9", "sound"}


def verdict(machine):
    """right, wrong, refused; "answered" where nothing can be known, "lost" where a sound answer was."""
    memory, right = memory_of(machine), machine["right_gbps"]
    if memory.spec is None:
        assert memory.reason
        return "refused"
    if right is None:
        return "answered"
    return "right" if abs(peak(memory.spec).bytes_per_s / GIGA - right) <= TOLERANCE * right else "wrong"


@pytest.mark.skipif(not SHARED_MACHINES.is_file(), reason="the sample of 900 machines does not lie beside the checkout")
def test_the_sample_of_real_machines():
    kinds, certain = defaultdict(Counter), Counter()
    for machine in read_machines(SHARED_MACHINES):
        found = verdict(machine)
        if machine["right_gbps"] is None:
            assert found == "refused", machine["id"]
        elif machine["certain"]:
            kinds[machine["kind"]][found] += 1
            certain[found] += 1
    assert certain.total() > 800
    assert certain["right"] >= RIGHT_SHARE * certain.total(), kinds
    assert certain["wrong"] < WRONG_SHARE * certain.total(), kinds
    assert set(kinds["sound"]) == {"right"}, kinds
