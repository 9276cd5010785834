"""The CUDA engine's own code, run on a stand-in for CuPy: honest work passes, planted faults do not."""

from __future__ import annotations

import dataclasses
import errno
import gc
import importlib.util
import os
import sys

import pytest
from cupy_stand_in import LOAD_S, CompileException, CUDARuntimeError, Operation, OutOfMemoryError, StandIn
from gpu_cases import ARRAY, EVERY, PAYLOAD, device_case, link_case, peer_case

from bandwidth import own_process
from bandwidth.ceilings.gpu import gpu_peak_bytes_per_s
from bandwidth.engines.cuda import timing as cuda_timing
from bandwidth.engines.cuda.device import KEEP_IN_MEMORY, devices
from bandwidth.engines.cuda.driver import CudaDriver
from bandwidth.engines.cuda.source import SHAPES
from bandwidth.engines.devices import verification
from bandwidth.engines.devices.engine import DeviceEngine
from bandwidth.engines.devices.requirements import PATHS, needed_bytes
from bandwidth.engines.devices.surface import KEPT_FREE_BYTES
from bandwidth.engines.registry import ENGINES
from bandwidth.errors import BandwidthError, HardwareError


def engine_of(module, *cases, **seams):
    engine = DeviceEngine(CudaDriver(module), clock=module.clock, seed=5, **seams)
    engine.refused = engine.prepare(cases, 1e6)
    return engine


@pytest.fixture(autouse=True)
def hooks(monkeypatch):
    """Python's hooks for errors, which a lost device changes for good, as before."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.id)
def test_honest_work_passes_both_checks_in_every_block(case):
    engine = engine_of(StandIn(devices=2), case)
    assert engine.refused == {}
    for calls in (1, 2, 3, 140):
        block = engine.run_block(case, calls)
        assert block.seconds > 0
        assert [engine.verify(case, whole=whole) for whole in (False, True)] == ["", ""]
    engine.close()


def test_all_cases_share_the_memory_of_a_device():
    module = StandIn(devices=2)
    engine = engine_of(module, *EVERY)
    assert engine.refused == {}
    for case in EVERY * 2:
        engine.run_block(case, 2)
        assert engine.verify(case, whole=True) == "", case.id
    engine.close()
    assert module.memories == []


# --- planted faults


def is_timed(operation, case):
    """Whether an operation is of the kind that is timed in a case."""
    if case.path in PATHS:
        return operation.name.startswith(f"{case.path}_")
    if case.path == "latency":
        return operation.name == "chase"
    if case.path == "memset":
        return operation.name == "memsetAsync" and operation.arguments[2] == ARRAY
    return operation.name.startswith("memcpy") and operation.arguments[-2 if "Peer" not in operation.name else -1] == (
        PAYLOAD if case.path != "memcpy" else ARRAY
    )


def shortened(operation):
    """The operation without the last 16 bytes of what it has to do."""
    *given, last = operation.arguments
    if operation.name.split("_")[0] in PATHS:
        return dataclasses.replace(operation, arguments=(*given, type(last)(int(last) - 1)))
    if operation.name == "chase":
        *where, calls, out = operation.arguments
        return dataclasses.replace(operation, arguments=(*where, type(calls)(int(calls) - 1), out))
    position = {"memsetAsync": 2, "memcpyPeerAsync": 4}.get(operation.name, 2)
    changed = list(operation.arguments)
    changed[position] -= 16
    return dataclasses.replace(operation, arguments=tuple(changed))


def after_first_block(module, engine, case, fault, calls=3):
    """Run an honest block, then one with a fault; return what the checks of the second say."""
    engine.run_block(case, calls)
    assert engine.verify(case, whole=True) == ""
    module.fault = fault
    engine.run_block(case, calls)
    module.fault = lambda operation: operation
    return engine.verify(case, whole=True)


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.id)
def test_the_last_16_bytes_that_are_left_out_are_seen(case):
    module = StandIn(devices=2)
    engine = engine_of(module, case)

    def fault(operation):
        return shortened(operation) if is_timed(operation, case) else operation

    assert after_first_block(module, engine, case, fault) != ""


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.id)
def test_an_engine_that_works_once_and_then_does_nothing_is_seen(case):
    module = StandIn(devices=2)
    engine = engine_of(module, case)
    assert after_first_block(module, engine, case, lambda o: None if is_timed(o, case) else o) != ""


@pytest.mark.parametrize("path", ["read", "dot"])
@pytest.mark.parametrize("calls", [2, 3, 64, 140])
def test_a_number_that_is_not_made_anew_in_every_pass_is_seen(path, calls):
    case, module = device_case(path), StandIn()
    engine = engine_of(module, case)
    seen = []

    def once(operation):
        seen.append(operation)
        return operation if sum(is_timed(o, case) for o in seen) <= 1 or not is_timed(operation, case) else None

    assert "the result of the passes is wrong" in after_first_block(module, engine, case, once, calls)


@pytest.mark.parametrize(
    "case",
    [device_case("copy"), device_case("triad"), device_case("read"), link_case("d2h"), peer_case()],
    ids=lambda c: c.id,
)
def test_data_of_another_seed_is_seen(case):
    module = StandIn(devices=2)
    engine = engine_of(module, case)

    def other(operation):
        if operation.name != "fill":
            return operation
        *given, seed = operation.arguments
        return dataclasses.replace(operation, arguments=(*given, type(seed)(int(seed) + 7)))

    assert after_first_block(module, engine, case, other) != ""


@pytest.mark.parametrize("role", ["h2d", "d2h"])
def test_of_both_directions_each_is_checked(role):
    case, module = link_case("bidirectional"), StandIn()
    engine = engine_of(module, case)
    kind = {"h2d": 1, "d2h": 2}[role]

    def never(operation):
        return None if is_timed(operation, case) and operation.arguments[3] == kind else operation

    assert after_first_block(module, engine, case, never).startswith("device 0: ")


@pytest.mark.parametrize("byte", [0, PAYLOAD // 2, PAYLOAD - 1])
def test_a_single_wrong_byte_that_the_host_received_is_seen(byte):
    case, module = link_case("d2h"), StandIn()
    engine = engine_of(module, case)

    def flip(operation):
        if not is_timed(operation, case):
            return operation

        def act(target, source, size, kind):
            operation.act(target, source, size, kind)
            module.bytes_at(-1, target, size)[byte] ^= 1

        return dataclasses.replace(operation, act=act)

    assert f"the first is word {byte // 8:,}" in after_first_block(module, engine, case, flip)


# --- without a compiler: the copies are measured all the same

NO_COMPILER = {"RawModule": RuntimeError("Failed to find CUDA headers. Install them")}
COPIES = [case for case in EVERY if case.path not in PATHS and not case.is_latency]


@pytest.fixture
def short_period(monkeypatch):
    """Numbers that repeat so soon that every array holds many periods."""
    monkeypatch.setattr(verification, "PERIOD_WORDS", 1021)


@pytest.mark.parametrize("case", COPIES, ids=lambda case: case.id)
def test_without_a_compiler_copies_are_filled_and_checked_by_the_host(case, short_period):
    engine = engine_of(StandIn(devices=2, raises=NO_COMPILER), case)
    assert engine.refused == {}
    for calls in (1, 2, 140):
        assert engine.run_block(case, calls).seconds > 0
        assert [engine.verify(case, whole=whole) for whole in (False, True)] == ["", ""]
    engine.close()


@pytest.mark.parametrize("case", COPIES, ids=lambda case: case.id)
@pytest.mark.parametrize("fault", ["shortened", "none"])
def test_without_a_compiler_faults_are_seen_too(case, fault, short_period):
    module = StandIn(devices=2, raises=NO_COMPILER)
    engine = engine_of(module, case)
    change = shortened if fault == "shortened" else lambda operation: None
    wrong = after_first_block(module, engine, case, lambda o: change(o) if is_timed(o, case) else o)
    assert "words have a wrong value" in wrong


@pytest.mark.parametrize("array_bytes", [16, 8160, 8176, 3 * 8168 + 8, 2 * 1024**2 + 48])
def test_the_host_finds_each_wrong_word_and_names_the_first(array_bytes, short_period):
    case, module = device_case("memcpy", array_bytes), StandIn(raises=NO_COMPILER)
    engine = engine_of(module, case)
    for word in {0, array_bytes // 16, array_bytes // 8 - 1}:

        def flip(operation, word=word):
            if operation.name != "memcpyAsync" or operation.arguments[2:] != (array_bytes, 3):
                return operation

            def act(target, source, size, kind):
                operation.act(target, source, size, kind)
                module.bytes_at(0, target, size)[8 * word + 5] ^= 1

            return dataclasses.replace(operation, act=act)

        wrong = after_first_block(module, engine, case, flip)
        words_of_its_period = min(1021, array_bytes // 8 - word // 1021 * 1021)
        assert wrong.startswith(f"1 of {words_of_its_period:,} words have a wrong value")
        assert wrong.endswith(f"the first is word {word:,}")


def test_data_that_lands_whole_pages_away_is_seen_by_the_host():
    case, module = device_case("memcpy", 32 * 1024**2), StandIn(raises=NO_COMPILER)
    engine = engine_of(module, case)

    def moved(operation):
        if operation.name != "memcpyAsync" or operation.arguments[2:] != (32 * 1024**2, 3):
            return operation
        target, source, size, kind = operation.arguments
        return dataclasses.replace(operation, arguments=(target, source + 4096, size - 4096, kind))

    assert after_first_block(module, engine, case, moved, calls=1) != ""
    assert engine.verify(case, whole=False) != ""


def test_without_a_compiler_kernels_are_refused_with_what_to_install():
    cases = [device_case(path) for path in (*PATHS, "latency", "memcpy")]
    engine = engine_of(StandIn(raises=NO_COMPILER), *cases)
    assert set(engine.refused) == {case.id for case in cases[:-1]}
    assert set(engine.refused.values()) == {
        "CUDA's compiler (NVRTC) or its headers are not found; "
        "pip install 'cuda-toolkit[cudart,nvrtc]' of CuPy's CUDA version"
    }


def test_a_kernel_that_does_not_compile_takes_no_other_with_it():
    module = StandIn()
    compiled = module.RawModule

    def fails_for_dot(code, options):
        if "dot_4" in code:
            raise CompileException("dot.cu(3): error: expected a ;")
        return compiled(code, options)

    module.RawModule = fails_for_dot
    cases = [device_case(path) for path in ("dot", "triad", "latency")]
    engine = engine_of(module, *cases)
    assert list(engine.refused) == [cases[0].id]
    assert "does not compile: dot.cu(3): error" in engine.refused[cases[0].id]
    for case in cases[1:]:
        engine.run_block(case, 1)
        assert engine.verify(case, whole=True) == ""


class _NoRoom:
    """A CuPy that cannot write what it compiles, unless it keeps it in memory."""

    def __init__(self, module, *, ever):
        self.module, self.ever = module, ever

    def __call__(self, code, options):
        compiled = type(self.module).RawModule(self.module, code, options)
        found = compiled.get_function

        def get_function(name):
            if not self.ever or os.environ.get(KEEP_IN_MEMORY) != "1":
                raise PermissionError(errno.EACCES, "Permission denied", "/root/.cupy/kernel_cache/x")
            return found(name)

        compiled.get_function = get_function
        return compiled


@pytest.mark.parametrize("ever", [True, False])
def test_code_that_cannot_be_written_is_kept_in_memory(ever, monkeypatch):
    monkeypatch.setenv(KEEP_IN_MEMORY, "0")
    module = StandIn()
    module.RawModule = _NoRoom(module, ever=ever)
    cases = [device_case("triad"), device_case("memcpy")]
    engine = engine_of(module, *cases)
    assert os.environ[KEEP_IN_MEMORY] == "1"
    if not ever:
        assert engine.refused.pop(cases[0].id) == (
            "CuPy cannot write its compiler cache: [Errno 13] Permission denied: '/root/.cupy/kernel_cache/x'; "
            "set CUPY_CACHE_DIR to a folder that can be written"
        )
    assert engine.refused == {}
    for case in cases if ever else cases[1:]:
        engine.run_block(case, 1)
        assert engine.verify(case, whole=True) == ""


def test_without_hipcc_nothing_is_kept_in_memory_instead(monkeypatch):
    monkeypatch.setenv(KEEP_IN_MEMORY, "0")
    module = StandIn(is_hip=True, raises={"RawModule": FileNotFoundError(errno.ENOENT, "No such file", "hipcc")})
    cases = [device_case("triad"), device_case("memcpy")]
    engine = engine_of(module, *cases)
    assert {case_id: reason.split(";")[0] for case_id, reason in engine.refused.items()} == {
        cases[0].id: "ROCm's compiler (hiprtc, hipcc) is not found"
    }
    assert os.environ[KEEP_IN_MEMORY] == "0"


# --- time


@pytest.mark.parametrize("is_hip", [False, True])
@pytest.mark.parametrize("calls", [1, 5, 32, 33, 100, 250])
def test_the_seconds_of_a_block_are_those_of_its_calls_alone(calls, is_hip):
    case = device_case("memcpy")
    module = StandIn(cost=lambda operation: 0.25 if is_timed(operation, case) else 0.75, is_hip=is_hip)
    engine = engine_of(module, case)
    assert engine.run_block(case, calls).seconds == pytest.approx(0.25 * calls)


@pytest.mark.parametrize("calls", [2, 140])
@pytest.mark.parametrize("access", ["on", "off"])
@pytest.mark.parametrize("refused", ["not_captured", "not_instantiated"])
def test_copies_that_cannot_be_part_of_a_graph_are_queued_one_by_one(calls, access, refused):
    case = peer_case("bidirectional", access)
    module = StandIn(
        devices=2,
        cost=lambda o: 0.25 if is_timed(o, case) else 0.125,
        **{refused: frozenset({"memcpyPeerAsync"})},
    )
    engine = engine_of(module, case)
    assert engine.run_block(case, calls).seconds == pytest.approx(0.25 * calls)
    assert engine.verify(case, whole=True) == ""


def test_a_device_that_is_lost_while_a_graph_is_made_is_told():
    case, module = device_case("memcpy"), StandIn()
    engine = engine_of(module, case)
    begin, seen = cuda_timing.MOST_DIRECT_CALLS, []
    stream = engine._devices[0].queue.stream
    stream.end_capture = lambda: seen.append(1) or (_ for _ in ()).throw(CUDARuntimeError(719))
    with pytest.raises(BandwidthError, match="device 0 was lost during the measurement"):
        engine.run_block(case, begin + 1)
    assert seen == [1]


def test_pageable_memory_is_timed_by_the_hosts_clock():
    case = link_case("h2d", "pageable")
    module = StandIn(cost=lambda operation: 0.5 if is_timed(operation, case) else 0.125)
    engine = engine_of(module, case)
    assert engine.run_block(case, 3).seconds == pytest.approx(1.5)


def test_both_directions_have_one_time_and_each_its_own_rate():
    case = link_case("bidirectional")
    module = StandIn(cost=lambda o: {1: 0.5, 2: 0.25}[o.arguments[3]] if is_timed(o, case) else 0.125)
    engine = engine_of(module, case)
    block = engine.run_block(case, 4)
    assert block.seconds == pytest.approx(2.0)
    assert block.observed == pytest.approx({"h2d_bytes_per_s": PAYLOAD * 2, "d2h_bytes_per_s": PAYLOAD * 4})


def test_several_devices_have_the_time_of_the_slowest():
    case = device_case("copy", target="device:0,1")
    module = StandIn(devices=2, cost=lambda o: (0.5, 0.75)[o.device] if is_timed(o, case) else 0.125)
    engine = engine_of(module, case)
    assert engine.run_block(case, 4).seconds == pytest.approx(3.0, abs=0.3)


def test_the_time_of_a_load_comes_with_the_clock():
    case = device_case("latency")
    module = StandIn(cost=lambda o: 0.001 if o.name == "chase" else 0.2)
    engine = engine_of(module, case)
    block = engine.run_block(case, 3)
    assert block.seconds == pytest.approx(0.001)
    assert block.observed == pytest.approx({"clock_hz": 1.5e9})


@pytest.mark.parametrize("best", [SHAPES[1], SHAPES[-2]])
def test_the_best_shape_is_found_and_kept(best):
    def cost(operation: Operation) -> float:
        if operation.name == "fill":
            return 0.2
        shape = (operation.name, operation.threads, operation.grid)
        pairs = (4 * 1024**2) // 16
        wanted = (f"triad_{best.unroll}", best.threads, best.blocks(pairs, 4))
        return 0.5e-3 if shape == wanted else 1e-3

    case, module = device_case("triad", 4 * 1024**2), StandIn(cost=cost)
    engine = engine_of(module, case)
    tuning = engine.run_block(case, 1).tuning
    assert (tuning["threads"], tuning["unroll"], tuning["blocks_per_sm"]) == (
        best.threads,
        best.unroll,
        best.blocks_per_sm,
    )
    # What is one launch for so little memory was tried once.
    assert set(tuning["tried_s"]) < {shape.name for shape in SHAPES}
    assert tuning["tried_s"][best.name] == min(tuning["tried_s"].values())
    assert max(tuning["tried_s"].values()) < LOAD_S  # what a first launch takes is in none
    assert engine.run_block(case, 1).tuning == tuning


def test_a_device_is_warmed_up_before_its_first_block_and_after_a_pause():
    case, module = device_case("write"), StandIn()
    engine = engine_of(module, case)
    warm_s = []
    for pause_s in (0, 0.1, 5):
        module.host_s += pause_s
        module.log.clear()
        engine.run_block(case, 1)
        # A write has no sources to fill; the results are cleared without a value.
        warm_s.append(sum(module.cost(o) for o in module.log if o.name == "memsetAsync" and o.arguments[1] == 0xA5))
    assert warm_s == [pytest.approx(0.3, abs=0.002), 0, pytest.approx(0.3, abs=0.002)]


def test_several_devices_are_warmed_up_at_once():
    case, module = device_case("write", target="device:0,1,2"), StandIn(devices=3)
    engine = engine_of(module, case)
    begin = module.host_s
    engine._wake([engine._devices[number] for number in range(3)])
    assert module.host_s - begin == pytest.approx(0.3, abs=0.002)
    assert {operation.device for operation in module.log[-3:]} == {0, 1, 2}


# --- AMD's GPUs by HIP, in the same words


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.id)
def test_by_hip_a_graph_is_brought_by_a_launch_and_all_is_right(case):
    module = StandIn(devices=2, is_hip=True)
    engine = engine_of(module, case)
    assert engine.refused == {}
    engine.run_block(case, 140)
    assert engine.verify(case, whole=True) == ""


def test_by_hip_the_properties_tell_what_a_device_is():
    module = StandIn(devices=2, is_hip=True, versions=(70_051_831, 70_051_831))
    for gpu in devices(module):
        assert (gpu.api, gpu_peak_bytes_per_s(gpu)) == ("HIP 7.0", None)
        assert (gpu.multiprocessors, gpu.memory_width_bits, gpu.l2_bytes, gpu.has_ecc) == (4, 8192, 4 * 1024**2, True)
        assert gpu.told == {"architecture": "gfx942", "hip_driver_version": "7.0", "hip_runtime_version": "7.0"}
    assert engine_of(module, device_case())._devices[0].abilities.multiprocessors == 4


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (100, "ROCm reports no GPU; install AMD's driver, pass /dev/kfd and /dev/dri to the container, check HIP_VIS"),
        (35, "ROCm reports no GPU"),
        (
            46,
            "the GPU is in use by another process (exclusive mode), or is unavailable; `rocm-smi` lists the",
        ),
    ],
)
def test_errors_by_hip_are_in_amds_words(code, said):
    with pytest.raises(BandwidthError) as raised:
        devices(StandIn(is_hip=True, raises={"getDeviceCount": CUDARuntimeError(code)}))
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(("wheel", "lacking"), [("rocm-7.0", ["cuda"]), ("13.x", ["hip"]), (None, ["cuda", "hip"])])
def test_the_installed_cupy_tells_which_engine_it_is(wheel, lacking, tmp_path, monkeypatch):
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "_wheel.json").write_text(f'{{"cuda": "{wheel}", "packaging": "pip"}}')
    spec = importlib.util.spec_from_loader("cupy", None)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec if wheel else None)
    assert [name for name in ("cuda", "hip") if ENGINES[name].lacks()] == lacking


# --- the link under load


def test_the_link_is_looked_at_while_copies_are_under_way():
    module, looks = StandIn(), []

    def telemetry(device):
        stream = module.streams[1000]
        looks.append((device, stream.seconds - module.host_s > 0.039))
        return {"link_generation": 5.0, "link_width": 16.0}

    case = link_case("h2d")
    engine = engine_of(module, case, telemetry=telemetry)
    for _ in range(2):
        observed = engine.run_block(case, 1).observed
        assert engine.verify(case, whole=True) == ""
        assert observed == {"link_generation": 5.0, "link_width": 16.0}
    assert looks == [(0, True)]


@pytest.mark.parametrize("path", ["triad", "memcpy", "latency"])
def test_a_device_is_looked_at_while_its_first_block_is_under_way(path):
    module, looks = StandIn(), []

    def telemetry(device):
        looks.append((device, module.streams[1000].seconds > module.host_s))
        return {"memory_clock_mhz": 3201.0, "throttled": 0.0, "link_generation": 1.0}

    case = device_case(path)
    engine = engine_of(module, case, telemetry=telemetry)
    for _ in range(2):
        observed = engine.run_block(case, 1).observed
        assert observed["memory_clock_mhz"] == 3201
        assert ("clock_hz" in observed) == (path == "latency")
        assert "link_generation" not in observed  # nothing goes over the link just then
    assert looks == [(0, True)]


# --- what cannot be measured


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (device_case("mix"), "GPUs have no kernel mix"),
        (device_case("copy", 24), "24 bytes are not a multiple of 16 of at least 16"),
        (link_case("d2h", "write_combined"), "write-combined memory is for copies to the device"),
        (link_case("bidirectional", "pageable"), "one way and one device at a time"),
        (link_case("h2d", "huge"), "there is no kind of host memory huge"),
        (device_case("copy", target="device:1"), "device 1 does not exist; only device 0 exists"),
        (peer_case(), "device 1 does not exist"),
        (dataclasses.replace(peer_case(), target="device:1"), "a device cannot be its own peer"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.id,
)
def test_a_case_that_cannot_be_measured_is_refused_and_the_others_go_on(case, reason):
    good = device_case("add")
    engine = engine_of(StandIn(), case, good)
    assert list(engine.refused) == [case.id]
    assert reason in engine.refused[case.id]
    assert engine.run_block(good, 1).seconds > 0


def test_no_way_between_devices_is_a_reason():
    engine = engine_of(StandIn(devices=2, can_access=False), peer_case(), peer_case(access="off"))
    assert engine.refused == {peer_case().id: "the driver offers no direct access between devices 0 and 1"}


def test_too_large_cases_say_what_is_free():
    engine = engine_of(StandIn(free_bytes=1024**3), device_case("copy", 600 * 1024**2))
    (reason,) = engine.refused.values()
    assert reason == "device 0 has too little memory: 1.2 GiB needed, 1016 MiB free; use a smaller --size"


def test_what_a_plan_leaves_free_is_enough_for_streams_and_code():
    free_bytes = KEPT_FREE_BYTES + 64 * 1024**2
    case = device_case("memset", 64 * 1024**2 - 512)
    assert needed_bytes(case) + KEPT_FREE_BYTES == free_bytes
    assert engine_of(StandIn(free_bytes=free_bytes), case).refused == {}


@pytest.mark.parametrize("kind", ["pinned", "write_combined"])
def test_page_locked_memory_that_the_system_refuses_is_the_hosts(kind):
    case, good = link_case("h2d", kind), device_case("memcpy")
    engine = engine_of(StandIn(raises={"PinnedMemory": CUDARuntimeError(2)}), case, good)
    assert engine.refused == {
        case.id: "the system refused 192 KiB of page-locked host memory; "
        "use a smaller --size; containers and WSL limit page-locked memory"
    }


def test_memory_that_is_refused_all_the_same_is_a_reason():
    engine = engine_of(StandIn(raises={"Memory": OutOfMemoryError()}), device_case())
    assert list(engine.refused.values()) == ["device 0 has too little memory; use a smaller --size"]


@pytest.mark.parametrize("integrated", [0, 1])
def test_a_gpu_in_the_processor_has_the_hosts_memory(integrated):
    module = StandIn()
    properties = module.cuda.runtime.getDeviceProperties(0) | {"integrated": integrated}
    module.cuda.runtime.getDeviceProperties = lambda _: properties
    (found,) = devices(module)
    assert found.is_unified is bool(integrated)


def test_a_device_that_is_lost_ends_the_case_and_no_more():
    case, module = device_case(), StandIn()
    engine = engine_of(module, case)
    engine.run_block(case, 1)
    module.raises["synchronize"] = CUDARuntimeError(719)
    with pytest.raises(BandwidthError, match="device 0 was lost during the measurement"):
        engine.run_block(case, 1)
    assert engine.verify(case, whole=True).startswith("it could not be checked: device 0 was lost")
    engine.close()


def test_what_is_freed_on_a_lost_device_is_silent(monkeypatch):
    seen = []
    monkeypatch.setattr(own_process, "_claimed", [True])
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_type))
    case, module = device_case(), StandIn()
    engine = engine_of(module, case)
    engine.run_block(case, 1)
    module.raises |= dict.fromkeys(("synchronize", "eventDestroy", "free"), CUDARuntimeError(719))
    assert failure_of(engine, case).startswith("device 0 was lost during the measurement")
    engine.close()
    gc.collect()
    assert seen == []
    module.raises["free"] = ZeroDivisionError()
    module.cuda.PinnedMemory(16)
    assert seen == [ZeroDivisionError]
    module.raises.clear()


def failure_of(engine, case):
    """What a block raises, of which nothing is kept."""
    try:
        engine.run_block(case, 1)
    except BandwidthError as error:
        return str(error)
    return ""


# --- the facts


def test_the_facts_of_every_device():
    from bandwidth.machine.reader import CapturedReader

    reader = CapturedReader({"/sys/bus/pci/devices/0000:02:00.0/numa_node": "1\n"})
    first, second = devices(StandIn(devices=2), reader)
    assert (second.number, second.name, second.address, second.numa_node) == (1, "Stand-in", "0000:02:00.0", 1)
    assert first.numa_node is None
    assert gpu_peak_bytes_per_s(first) == 2 * 3_201_000_000 * 6144 / 8
    assert first.api == "CUDA 12.9"
    assert first.told == {
        "compute_capability": "9.0",
        "cuda_driver_version": "12.8",
        "cuda_runtime_version": "12.9",
    }
    assert gpu_peak_bytes_per_s(dataclasses.replace(first, memory_clock_khz=0)) is None


def test_an_attribute_that_the_driver_does_not_know_is_zero():
    (facts,) = devices(StandIn(raises={"deviceGetAttribute": CUDARuntimeError(1)}))
    assert gpu_peak_bytes_per_s(facts) is None


def test_only_the_devices_that_are_meant_are_opened():
    module, case = StandIn(devices=4), device_case("triad", target="device:2")
    devices(module, numbers=[2])
    engine = engine_of(module, case, link_case("bidirectional", target="pcie:2"))
    engine.run_block(case, 2)
    assert engine.verify(case, whole=True) == ""
    engine.close()
    assert module.opened == {2}


def test_a_device_that_does_not_exist():
    module = StandIn(devices=2)
    assert [gpu.number for gpu in devices(module, numbers=[1])] == [1]
    with pytest.raises(HardwareError, match="device 2 does not exist; devices 0 to 1 exist"):
        devices(module, numbers=[0, 2])


def test_cupy_that_is_not_there_is_what_lacks(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert ENGINES["cuda"].lacks().startswith("CuPy, which drives the GPU, is not installed: pip install")
