"""The likely cause of a slow machine: by what differs in its configuration, else by the pattern of its results."""

from __future__ import annotations

import pytest
from simulated_fleet import FAULTS, Fault, Spread, all_paths, full_machine, simulated_machines, write_fleet

from bandwidth.fleet import judge
from bandwidth.fleet.causes import cause_of
from bandwidth.fleet.judging import Flagged, Oddity
from bandwidth.fleet.reading import read_machines


def flagged_of(fault):
    """Return the one machine that is flagged in a fleet of which nothing else is known."""
    machines = simulated_machines(5, 1, Spread(0.001), lambda number: fault if number == 3 else None)
    (found,) = judge(machines).flagged
    return found


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault("a module", 0.9, full_machine), "the memory: one thread is as fast as elsewhere."),
        (Fault("all of it", 0.85), "the whole machine is slower, even with one thread"),
        (Fault("link", 0.0625, lambda case: all_paths(case, "pcie:0")), "its link has about 1/16 of the others' speed"),
        (Fault("link", 0.52, lambda case: all_paths(case, "pcie:0")), "its link has about 1/2 of the others' speed"),
        (Fault("way to it", 0.7, lambda case: all_paths(case, "pcie:0")), "its link, or the host's memory"),
        (Fault("GPU", 0.7, lambda case: all_paths(case, "device:0")), "the GPU itself: its clocks"),
    ],
)
def test_the_pattern_tells_where_nothing_differs(fault, cause):
    assert cause_of(flagged_of(fault)).startswith(f"Likely cause: {cause}")


def test_planted_faults_of_the_configuration_are_named(tmp_path):
    faults = dict(zip((2, 5, 8), FAULTS[:3], strict=True))
    write_fleet(tmp_path, 12, 1, Spread(0.001), faults.get)
    machines, _ = read_machines([str(tmp_path)], None)
    causes = {one.machine.hostname: cause_of(one) for one in judge(machines).flagged}
    assert {name: text.split(": ")[1].split(",")[0] for name, text in causes.items()} == {
        "n00002": "it has 11 memory modules",
        "n00005": "its memory runs at 2400 MT/s",
        "n00008": "its link ran at Gen1",
    }


@pytest.mark.parametrize(
    ("name", "value", "usual", "is_cause"),
    [
        ("modules", "11", "12", True),
        ("modules", "24", "12", False),
        ("memory", "960 MiB", "1 GiB", True),
        ("memory", "1 TiB", "384 GiB", False),
        ("governor", "powersave", "performance", True),
        ("kernel", "6.8.0", "6.1.0", True),
    ],
)
def test_more_of_something_slows_nothing(name, value, usual, is_cause):
    found = flagged_of(FAULTS[3])
    odd = Flagged(found.machine, "host", 0.85, 9.0, found.deviations, (Oddity(name, value, usual),))
    assert (value in cause_of(odd)) is is_cause


def test_wrong_data_is_its_own_cause():
    found = flagged_of(FAULTS[3])
    wrong = Flagged(found.machine, "host", None, None, (), (), ("host/copy/native/1",))
    assert cause_of(wrong).startswith("Cause: its data was wrong")
