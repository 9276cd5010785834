"""Which engines, kernels and CPUs: those that are here and allowed, and what is said of the others."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measuring_support import hybrid_topology, small_topology, two_socket_topology

from bandwidth.engines.registry import ENGINES
from bandwidth.errors import UsageError
from bandwidth.machine.facts import Facts
from bandwidth.planning.host import make_plan
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.selection import choose_cpu_sets, choose_engines, choose_kernels, cpus_for, restricted

TOPOLOGY = two_socket_topology()


@pytest.fixture
def without_llvmlite(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "llvmlite" else find(name, *rest)
    )


def test_native_comes_first():
    engines, notes = choose_engines(None)
    assert [engine.name for engine in engines] == ["native", "numpy"]
    assert notes == ()


def test_without_llvmlite_numpy_remains_and_one_line_says_what_is_missing(without_llvmlite):
    engines, notes = choose_engines(None)
    assert [engine.name for engine in engines] == ["numpy"]
    assert notes == (
        "The native kernels (the limit of the memory) are not measured: "
        "llvmlite is not installed: pip install 'membandwidth[native]'.",
    )
    found = make_plan(MeasureOptions(), Facts({}), small_topology(2))
    assert {planned.case.engine for planned in found.cases} == {"numpy"}
    assert found.notes == notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engines": ("native",)}, "--engine native is not available: llvmlite is not installed"),
        ({"engines": ("native", "numpy")}, "--engine native is not available: llvmlite is not installed"),
        ({"stores": ("streaming",)}, "--stores needs the engine native, which is not in use (llvmlite is not"),
        ({"kernels": ("triad",)}, "--kernel 'triad' needs the engine native, which is not in use (llvmlite is not"),
        ({"latency": True}, "--latency needs the native engine; pip install 'membandwidth[native]'"),
        ({"mixes": ("2:1",)}, "--mix needs the native engine; pip install 'membandwidth[native]'"),
    ],
)
def test_without_llvmlite_what_needs_it_is_refused_with_the_way_to_get_it(without_llvmlite, options, message):
    with pytest.raises(UsageError) as caught:
        make_plan(MeasureOptions(**options), Facts({}), small_topology(2))
    assert message in str(caught.value)


def test_without_llvmlite_sweeps_are_numpys(without_llvmlite):
    for study in ({"sweep": "size"}, {"sweep": "threads"}, {"zeros": True}):
        found = make_plan(MeasureOptions(**study), Facts({}), small_topology(2))
        assert {planned.case.engine for planned in found.cases} == {"numpy"}
        assert found.notes[0].startswith("The native kernels")


def test_without_llvmlite_the_matrix_has_no_latencies(without_llvmlite):
    found = make_plan(MeasureOptions(numa=True, latency=True), Facts({}), TOPOLOGY)
    assert {planned.case.path for planned in found.cases} == {"read", "copy"}


def test_kernels_are_in_the_order_of_importance_whatever_was_asked():
    engines = tuple(ENGINES.values())
    assert choose_kernels(("dot", "read", "copy"), engines) == ("copy", "read", "dot")
    assert choose_kernels(None, engines)[:3] == ("copy", "read", "triad")


@given(threads=st.integers(1, 256))
def test_threads_take_each_core_once_before_any_sibling(threads):
    cpus = cpus_for(TOPOLOGY, threads)
    assert len(set(cpus)) == threads
    cores = [cpu % 128 for cpu in cpus]
    assert len(set(cores)) == min(threads, 128)


def test_cpu_sets_are_the_most_threads_first():
    assert [len(cpu_set.cpus) for cpu_set in choose_cpu_sets(("1", "all", "200"), TOPOLOGY)] == [200, 128, 1]
    assert [len(cpu_set.cpus) for cpu_set in choose_cpu_sets(None, TOPOLOGY)] == [128, 1]


def test_counts_that_say_the_same_are_one():
    assert [cpu_set.cpus for cpu_set in choose_cpu_sets(("all", "2", "02"), small_topology(2))] == [(0, 1)]


def test_one_core_has_one_cpu_set():
    assert [cpu_set.cpus for cpu_set in choose_cpu_sets(None, small_topology(1))] == [(0,)]


def test_hybrid_that_may_use_one_kind_only_is_none():
    efficient = restricted(hybrid_topology(), range(16, 32))
    assert [cpu_set.variant for cpu_set in choose_cpu_sets(None, efficient)] == [{}, {}]


def test_a_kind_with_one_core_has_one_cpu_set():
    cpu_sets = choose_cpu_sets(None, hybrid_topology(performance=1, efficiency=4))
    assert [(len(cpu_set.cpus), cpu_set.variant.get("cores")) for cpu_set in cpu_sets] == [
        (5, None),
        (4, "efficiency"),
        (1, None),
        (1, "performance"),
        (1, "efficiency"),
    ]


def test_restriction_drops_cores_without_an_allowed_cpu():
    kept = restricted(TOPOLOGY, (130, 2, 3))
    assert [core.cpus for core in kept.cores] == [(2, 130), (3,)]
    assert kept.cpus_allowed == (2, 3, 130)
    assert restricted(TOPOLOGY, None) is TOPOLOGY
