"""Engines by name: one object for those that share memory, and what is said where LLVM is missing."""

import importlib.util

import pytest
from measuring_support import small_topology

from bandwidth.engines.registry import ENGINES, make_engines
from bandwidth.errors import BandwidthError


def find_no(name):
    return lambda wanted, *_: None if wanted == name else importlib.util.spec_from_loader(wanted, None)


def test_engines_of_one_family_are_one_object():
    engines = make_engines(["native", "numpy"], small_topology(2))
    try:
        assert list(engines) == ["native", "numpy"]
        assert engines["native"] is engines["numpy"]
    finally:
        engines["native"].close()


def test_engine_runs_only_the_names_it_was_made_for(host_case):
    engine = make_engines(["numpy"], small_topology(2))["numpy"]
    try:
        engine.prepare([host_case("copy", "numpy")], 60.0)
        with pytest.raises(KeyError):
            engine.run_block(host_case("copy", "native"), 1)
    finally:
        engine.close()


def test_numpy_lacks_nothing():
    assert ENGINES["numpy"].lacks() == ""


def test_native_engine_says_how_to_install_what_it_lacks(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", find_no("llvmlite"))
    assert ENGINES["native"].lacks() == "llvmlite is not installed: pip install 'membandwidth[native]'"
    monkeypatch.setattr(importlib.util, "find_spec", find_no("nothing"))
    assert ENGINES["native"].lacks() == ""


@pytest.mark.parametrize("place", ["this_processor", "Library"])
def test_processor_without_code_refuses_native_cases_and_leaves_numpys(
    place, host_case, latency_case, host_engine, monkeypatch
):
    def refuse(*_):
        raise BandwidthError("LLVM's package makes no code for this processor", "the NumPy rows remain")

    from bandwidth.engines.host import latency as native_latency
    from bandwidth.engines.host.native_code import compiled

    monkeypatch.setattr(compiled, place, refuse)
    monkeypatch.setattr(native_latency, place, refuse)
    native = [host_case("copy"), host_case("read"), latency_case()]
    numpy = host_case("copy", "numpy")
    engine = host_engine(*native, numpy)
    reason = "LLVM's package makes no code for this processor; the NumPy rows remain"
    assert engine.refused == dict.fromkeys((case.id for case in native), reason)
    engine.run_block(numpy, 1)
    assert engine.verify(numpy, whole=True) == ""


def test_llvm_that_fails_to_start_is_one_clear_error(monkeypatch):
    llvm = pytest.importorskip("llvmlite.binding")
    from bandwidth.engines.host.native_code.compiled import Library, this_processor

    def fail(*_, **__):
        raise RuntimeError("No available targets are compatible with triple")

    processor = this_processor()
    monkeypatch.setattr(llvm, "create_mcjit_compiler", fail)
    with pytest.raises(BandwidthError, match="the kernels cannot be compiled here; --engine numpy can be measured"):
        Library((), processor)
    monkeypatch.setattr(llvm, "get_host_cpu_features", fail)
    with pytest.raises(BandwidthError, match="makes no code for this processor"):
        this_processor()
