"""What a record holds is planned once more: the same cases, chosen by id, through the planner that made them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gpu_machine import Driver, stand_in
from measuring_support import hybrid_topology, small_topology, two_socket_topology

from bandwidth.analysis.plain_results import plain_results
from bandwidth.errors import BandwidthError, HardwareError, UnstableError
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.reader import CapturedReader
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.preparation import prepare, prepare_again
from bandwidth.planning.saved import options_to_json
from bandwidth.results import Conditions, Record, Result, Samples

MIB = 1024**2
SAMPLES = Samples((0.02,) * 6, 1, 0.0, "precision")


@pytest.fixture
def machine(monkeypatch):
    """Put a machine in the place of this one: its layout, its GPUs, and how much memory is free."""

    def put(topology=None, count=0, available_bytes=2**40):
        facts = Facts({"memory_available_bytes": Fact(available_bytes, "a test", "read")})
        monkeypatch.setattr("bandwidth.planning.preparation.collect", lambda reader, nvml: facts)
        monkeypatch.setattr(
            "bandwidth.planning.preparation.read_topology", lambda reader: topology or small_topology(4)
        )
        if count:
            stand_in(monkeypatch, count)

    return put


def planned(**options):
    return prepare(MeasureOptions(**options), CapturedReader({}), Driver(4))


def recorded(**options):
    """The record of a call whose every block took the same time."""
    preparation = planned(**options)
    results = tuple(Result(one.case, SAMPLES) for plan in preparation.plans for one in plan.cases)
    saved = options_to_json(preparation.options)
    return Record("0.1.0", "2026", ("bandwidth",), {}, Conditions({}, {}), results, (), options=saved)


def again(record, target, ids=None):
    """What was to be planned again, as cases by id, and the preparation."""
    wanted = {one.case.id: one.case for one in plain_results(record) if one.case.target.partition(":")[0] == target}
    return wanted, prepare_again(record, target, ids or wanted, 15.0, CapturedReader({}), Driver(4))


def cases_of(preparation):
    return {one.case.id: one.case for one in preparation.plans[0].cases}


HOSTS = [small_topology(4), small_topology(1, None), hybrid_topology(8, 16), two_socket_topology(8, 4, 2)]
OF_HOST = [
    {},
    {"kernels": ("copy", "read"), "engines": ("numpy",), "size_bytes": 64 * MIB},
    {"threads": ("1",), "stores": ("ordinary",)},
    {"cpus": (0,)},
    {"sweep": "threads"},
    {"zeros": True},
    {"mixes": ("2:1",), "target": "all"},
    {"memory": "DDR5-4800 x12", "memory_source": "--memory"},
]


@pytest.mark.parametrize("is_old", [False, True], ids=["options", "no options"])
@pytest.mark.parametrize("options", OF_HOST, ids=str)
@pytest.mark.parametrize("topology", HOSTS, ids=lambda topology: f"{len(topology.cores)} cores")
def test_every_plain_result_of_a_host_is_planned_again_as_it_was(machine, topology, options, is_old):
    machine(topology)
    record = recorded(**{"target": "host", **options})
    wanted, found = again(replace(record, options={}) if is_old else record, "host")
    assert cases_of(found) == wanted
    assert found.plans[0].not_run == ()
    assert found.plans[0].budget_s == 15.0


OF_GPUS = [
    {"target": "all"},
    {"target": "all", "kernels": ("copy", "memcpy", "h2d"), "engines": ("numpy", "cuda"), "threads": ("1",)},
    {"target": "all", "devices": ("all",)},
    {"target": "device", "devices": ("1",), "size_bytes": 96 * MIB},
    {"target": "pcie", "devices": ("0", "1"), "host_memory": ("pinned", "pageable", "write_combined")},
]


@pytest.mark.parametrize("is_old", [False, True], ids=["options", "no options"])
@pytest.mark.parametrize("options", OF_GPUS, ids=str)
def test_every_result_of_gpus_is_planned_again_as_it_was(machine, options, is_old):
    machine(count=2)
    record = recorded(**options)
    for target in {one.case.target.partition(":")[0] for one in record.results}:
        wanted, found = again(replace(record, options={}) if is_old else record, target)
        assert cases_of(found) == wanted
        assert found.plans[0].not_run == ()


def test_only_the_ids_that_are_asked_for_are_planned(machine):
    machine()
    _, found = again(recorded(target="host"), "host", {"host/read/numpy/1"})
    assert list(cases_of(found)) == ["host/read/numpy/1"]


def test_what_no_longer_fits_or_is_gone_is_said(machine):
    machine(count=2)
    host, device = recorded(target="host", size_bytes=512 * MIB), recorded(target="device", devices=("1",))
    machine(small_topology(4), available_bytes=256 * MIB)
    with pytest.raises(UnstableError, match="cannot be measured on this machine: --size 512 MiB needs 1 GiB of memory"):
        again(host, "host")
    machine(count=1)
    with pytest.raises(HardwareError, match="device 1"):
        again(device, "device")
    with pytest.raises(BandwidthError, match="option kernels has an invalid value"):
        again(replace(host, options={"target": "host", "kernels": 3}), "host")
