"""The OpenCL engine on a real device: every path right, on two devices too, and what is planted wrong is found."""

from __future__ import annotations

import pytest
from real_opencl import pocl

from bandwidth.engines.devices.engine import DeviceEngine
from bandwidth.engines.devices.requirements import PATHS
from bandwidth.engines.opencl import device as cl_device
from bandwidth.engines.opencl import discovery, driver
from bandwidth.engines.opencl.driver import ClDriver
from bandwidth.errors import BandwidthError
from bandwidth.kernels import KERNELS
from bandwidth.results import Case

ARRAY = 96 * 1024 + 48  # no whole number of tiles, of lines or of pages
PAYLOAD = 40 * 4096 + 16
CALLS = (1, 3, 300)  # of which the last are too many to be held back by a gate


@pytest.fixture(scope="module")
def cl():
    return pocl()


def device_case(path="copy", array_bytes=ARRAY, target="device:0"):
    arrays = KERNELS[path].arrays if path in KERNELS else {"memcpy": 2}.get(path, 1)
    if path == "latency":
        return Case(target, path, "opencl", 1, 128 * 65, 512, 512)
    total = array_bytes * arrays * (target.count(",") + 1)
    return Case(target, path, "opencl", 1, total, total, total // arrays)


def link_case(path="h2d", host_memory="pinned", target="pcie:0"):
    total = PAYLOAD * (2 if path == "bidirectional" else 1) * (target.count(",") + 1)
    return Case(target, path, "opencl", 1, total, total, total, variant={"host_memory": host_memory})


MEMORY = [device_case(path) for path in (*PATHS, "memcpy", "memset", "latency")]
LINKS = [
    *(link_case(path) for path in ("h2d", "d2h", "bidirectional")),
    *(link_case(path, "pageable") for path in ("h2d", "d2h")),
]
TOGETHER = [device_case("triad", target="device:0,1"), link_case("bidirectional", target="pcie:0,1")]


@pytest.fixture
def engine_of(cl, monkeypatch):
    """Return engines on PoCL that do not warm it up first: tests/engines/cuda holds that they do."""
    monkeypatch.setattr("bandwidth.engines.devices.engine.WARM_UP_S", 0.0)
    made = []

    def make(*cases):
        engine = DeviceEngine(ClDriver(cl, is_asked=True), seed=5)
        made.append(engine)
        engine.refused = engine.prepare(cases, 1e6)
        return engine

    yield make
    for engine in made:
        engine.close()


def is_right(engine, case, calls):
    """Whether a block has a time and passes both checks."""
    block = engine.run_block(case, calls)
    return block.seconds > 0 and [engine.verify(case, whole=whole) for whole in (False, True)] == ["", ""]


@pytest.mark.parametrize("element_bytes", [8, 4])
def test_every_path_is_right_with_double_and_with_single_precision(engine_of, element_bytes, monkeypatch):
    monkeypatch.setattr(discovery, "element_bytes", lambda device: element_bytes)
    cases = [*MEMORY, *LINKS, *(TOGETHER if element_bytes == 8 else ())]
    engine = engine_of(*cases)
    assert engine.refused == {}
    assert engine.compile_s > 0
    assert [(case.id, calls) for case in cases for calls in CALLS if not is_right(engine, case, calls)] == []


def test_a_device_whose_groups_are_of_one_is_right(engine_of, monkeypatch):
    asked = discovery.asked_number
    known = {"max_work_group_size": 1}
    monkeypatch.setattr(discovery, "asked_number", lambda device, name: known.get(name) or asked(device, name))
    cases = [device_case(path) for path in ("triad", "read")]
    engine = engine_of(*cases)
    assert all(is_right(engine, case, 2) for case in cases)
    assert {shape.threads for shape in engine._devices[0].abilities.shapes(KERNELS["triad"])} == {1}


def test_gpu_shapes_are_right_too(engine_of, monkeypatch):
    monkeypatch.setattr(discovery, "is_processor", lambda module, device: False)
    cases = [device_case(path) for path in ("triad", "read", "dot")]
    engine = engine_of(*cases)
    assert engine.refused == {}
    for case in cases:
        engine.run_block(case, 1)
        for shape in engine._devices[0].abilities.shapes(KERNELS[case.path]):
            engine._tunings[case.id] = type(engine._tunings[case.id])(shape, {})
            assert is_right(engine, case, 3), shape.name


def test_arrays_that_do_not_fit_in_one_piece_have_one_each(engine_of, monkeypatch):
    monkeypatch.setattr(discovery, "largest_bytes", lambda *_, **__: ARRAY + 1024)
    large, cases = device_case("copy", 4 * ARRAY // 16 * 16), [device_case("triad"), device_case("dot"), LINKS[0]]
    engine = engine_of(*cases[:2], large)
    assert engine.refused == {
        large.id: "device 0 takes no array of 384.2 KiB, at most 97.0 KiB; use a smaller --size"
    } or list(engine.refused) == [large.id]
    assert len({id(span.holder) for span in engine._devices[0].spans((ARRAY,) * 3)}) == 3
    assert all(is_right(engine, case, 2) for case in cases[:2])


def test_a_part_of_a_buffer_lives_as_long_as_it_may_be_a_kernels_argument(engine_of):
    """Intel's runtime refuses a kernel whose argument was freed after it was set; others read what is there then."""
    engine = engine_of(device_case("triad"))
    device = engine._devices[0]
    parts = device.spans((ARRAY,) * 3)[1:]
    assert [device._argument(part) is device._argument(part) for part in parts] == [True, True]
    device.reserve([(ARRAY,) * 4])
    assert device._regions == {}


# --- planted faults


def left_out(launch):
    """A launch whose last 16 bytes are left out."""

    def fault(name, groups, threads, *arguments, path=""):
        is_pass = bool(path) and name.startswith(f"{path}_")
        launch(name, groups, threads, *arguments[:-1], arguments[-1] - is_pass, path=path)

    return fault


def never(launch):
    """A launch of passes that does nothing."""

    def fault(name, groups, threads, *arguments, path=""):
        if not (path and name.startswith(f"{path}_")):
            launch(name, groups, threads, *arguments, path=path)

    return fault


def once_only(launch):
    """A launch of passes that happens the first time alone."""
    seen = []

    def fault(name, groups, threads, *arguments, path=""):
        is_pass = bool(path) and name.startswith(f"{path}_")
        if not is_pass or not seen:
            launch(name, groups, threads, *arguments, path=path)
        seen.extend([name] if is_pass else [])

    return fault


def another_seed(launch):
    """Data of another seed."""

    def fault(name, groups, threads, *arguments, path=""):
        launch(name, groups, threads, *arguments[:-1], arguments[-1] + 7 * (name == "fill"), path=path)

    return fault


FAULTS = [
    *((path, fault) for path in ("triad", "copy", "read", "dot") for fault in (left_out, never)),
    *((path, once_only) for path in ("read", "dot")),
    *((path, another_seed) for path in ("triad", "read")),
]


@pytest.mark.parametrize("element_bytes", [8, 4])
def test_a_planted_fault_of_a_kernel_is_found(engine_of, element_bytes, monkeypatch):
    monkeypatch.setattr(discovery, "element_bytes", lambda device: element_bytes)
    cases = {path: device_case(path) for path in ("triad", "copy", "read", "dot")}
    engine, unseen = engine_of(*cases.values()), []
    device = engine._devices[0]
    for path, fault in FAULTS:
        assert is_right(engine, cases[path], 2)
        with monkeypatch.context() as patch:
            patch.setattr(device, "launch", fault(device.launch), raising=False)
            engine.run_block(cases[path], 2)
        unseen += [(path, fault.__name__)] if engine.verify(cases[path], whole=True) == "" else []
    assert unseen == []


@pytest.mark.parametrize("case", [*LINKS, device_case("memcpy"), device_case("memset")], ids=lambda case: case.id)
@pytest.mark.parametrize("kind", ["short", "none"])
def test_a_planted_fault_of_a_copy_is_found(engine_of, case, kind, monkeypatch):
    engine = engine_of(case)
    assert is_right(engine, case, 2)
    copy, set_bytes = cl_device.Line.copy, cl_device.Line.set_bytes
    size = ARRAY if case.target.startswith("device") else PAYLOAD

    def bad_copy(line, target, source):
        if source.size_bytes != size:
            copy(line, target, source)
        elif kind == "short":
            copy(line, target.part(0, size - 16), source.part(0, size - 16))

    def bad_set(line, span, value):
        if span.size_bytes != size or value == 0xA5:
            set_bytes(line, span, value)
        elif kind == "short":
            set_bytes(line, span.part(0, size - 16), value)

    monkeypatch.setattr(cl_device.Line, "copy", bad_copy)
    monkeypatch.setattr(cl_device.Line, "set_bytes", bad_set)
    engine.run_block(case, 2)
    monkeypatch.undo()
    assert "words have a wrong value" in engine.verify(case, whole=True)


# --- what fails


def broken_source(monkeypatch, path, by):
    made = cl_device.module_source
    monkeypatch.setattr(
        cl_device,
        "module_source",
        lambda kernel, *rest: (
            by(made(kernel, *rest)) if (kernel.name if kernel else "") == path else made(kernel, *rest)
        ),
    )


def test_a_kernel_that_does_not_compile_takes_no_other_with_it(engine_of, monkeypatch):
    broken_source(monkeypatch, "dot", lambda text: text + "\n__kernel void more(__global nothing* a) {}\n")
    cases = [device_case("dot"), device_case("triad")]
    engine = engine_of(*cases)
    assert list(engine.refused) == [cases[0].id]
    assert "a kernel does not compile: " in engine.refused[cases[0].id]
    assert "unknown type name 'nothing'" in engine.refused[cases[0].id]
    assert is_right(engine, cases[1], 2)


def test_without_a_compiler_copies_are_filled_and_checked_by_the_host(engine_of, monkeypatch):
    broken_source(monkeypatch, "", lambda text: "error")
    cases = [device_case("memcpy"), device_case("memset"), *LINKS, device_case("triad")]
    engine = engine_of(*cases)
    assert list(engine.refused) == [cases[-1].id]
    assert all(is_right(engine, case, 3) for case in cases[:-1])


def test_a_device_that_is_lost_ends_the_case_and_no_more(cl, engine_of, monkeypatch):
    case = device_case("memcpy")
    engine = engine_of(case)
    assert is_right(engine, case, 1)
    lost = cl.LogicError(cl._cl._ErrorRecord(msg="", code=-36, routine="clFinish"))

    def finish(line):
        raise lost

    with monkeypatch.context() as patch:
        patch.setattr(cl_device.Line, "finish", finish)
        with pytest.raises(BandwidthError, match=r"device 0 was lost during the measurement .*INVALID_COMMAND_QUEUE"):
            engine.run_block(case, 1)
        assert engine.verify(case, whole=True).startswith(
            "it could not be checked: device 0 was lost during the measurement"
        )


def test_a_device_that_tells_no_times_is_timed_by_the_host(engine_of, monkeypatch):
    monkeypatch.setattr(driver, "_own_times", lambda events: None)
    cases = [device_case("memcpy"), link_case("bidirectional")]
    engine = engine_of(*cases)
    assert [dict(engine.run_block(case, 2).observed) for case in cases] == [{"by_host_clock": 1.0}] * 2
    assert all(is_right(engine, case, 2) for case in cases)


def test_memory_that_is_refused_is_one_line(engine_of, monkeypatch):
    free = discovery.devices(is_asked=True)[0].free_bytes
    case, good = device_case("copy", free // 16 * 16, "device:0"), device_case("memcpy", target="device:1")
    monkeypatch.setattr(discovery, "largest_bytes", lambda *_, **__: None)
    engine = engine_of(case, good)
    assert list(engine.refused) == [case.id]
    assert engine.refused[case.id].startswith("device 0 has too little memory: ")
    assert is_right(engine, good, 1)


def test_memory_that_the_runtime_has_not_when_it_is_first_written_is_one_line(cl, engine_of, monkeypatch):
    set_bytes = cl_device.Line.set_bytes

    def written(line, span, value):
        if span.size_bytes > 2 * ARRAY:
            raise cl.MemoryError(cl._cl._ErrorRecord(msg="", code=-4, routine="clEnqueueFillBuffer"))
        set_bytes(line, span, value)

    monkeypatch.setattr(cl_device.Line, "set_bytes", written)
    case = device_case("triad")
    assert engine_of(case).refused == {case.id: "device 0 has too little memory; use a smaller --size"}


def test_nothing_is_copied_between_devices_and_a_kind_of_memory_may_lack(engine_of):
    variant = {"peer": 1, "peer_access": "off"}
    peer = Case("device:0", "peer", "opencl", 1, PAYLOAD, PAYLOAD, PAYLOAD, variant=variant)
    combined = link_case("h2d", "write_combined")
    assert engine_of(peer, combined).refused == {
        peer.id: "this engine does not copy between devices; it measures the link of each to the host",
        combined.id: "device 0 cannot copy from write-combined memory",
    }
