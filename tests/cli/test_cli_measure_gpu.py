"""`bandwidth measure` with GPUs: on the stand-in from end to end, and what it says where there is none."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile

import pytest
from cupy_stand_in import CUDARuntimeError, OutOfMemoryError
from gpu_machine import MIB, Driver, stand_in

from bandwidth.cli.app import run
from bandwidth.engines import registry as engines
from bandwidth.engines.registry import ENGINES
from bandwidth.results.files import load

SMALL = ("--size", "96KiB", "--budget", "3s")
# Where any case of the host is enough: the first has a sample whatever the budget.
QUICK = ("--size", "96KiB", "--budget", "300ms")
pytestmark = pytest.mark.usefixtures("compiled_for_all")


@pytest.fixture(autouse=True)
def own_machine(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("lock")))
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)


@pytest.fixture
def machine(monkeypatch):
    """Put some GPUs and their driver into this machine."""

    def put(count=1, driver=None, **seams):
        monkeypatch.setattr("bandwidth.planning.preparation.SystemNvml", lambda: driver or Driver(count))
        return stand_in(monkeypatch, count, **{"l2_bytes": 1024, **seams})

    return put


def measured(capsys, tmp_path, *arguments, code=0):
    path = tmp_path / "record.json"
    assert run(["measure", "--all", *arguments, "--save", str(path)]) == code
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80
    return load(path), out, err


def refused(capsys, code, *arguments):
    assert run(["measure", *arguments]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("bandwidth: ")
    assert "Traceback" not in err
    assert "internal error" not in err
    return err.removeprefix("bandwidth: ").strip()


# --- the whole of it


def test_the_memory_of_a_device(capsys, tmp_path, machine):
    machine()
    record, out, _ = measured(capsys, tmp_path, "device", *SMALL)
    assert "Device 0: Stand-in, driver 570.86.15, CUDA 12.9" in out
    assert "Host memory of" not in out
    assert "BW010" not in out
    found = {result.case.path: result for result in record.results}
    assert {"triad", "copy", "memcpy", "memset"} <= set(found)
    triad = found["triad"]
    assert triad.is_verified
    assert triad.theory_source == "the driver's attributes: 2 x 0.032 MHz x 6144 bit / 8"
    assert set(triad.tuning) == {"threads", "unroll", "blocks_per_sm", "tried_s"}
    assert triad.observed["memory_clock_mhz"].median == 3201
    (gpu,) = [entry for entry in record.machine["gpus"] if entry.get("device") == 0]
    assert (gpu["cuda_runtime_version"], gpu["max_link_generation"]) == ("12.9", 5)
    for conditions in (record.conditions.before, record.conditions.after):
        assert conditions["gpus"]["0000:01:00.0"]["performance_state"] == "P0"


def test_the_link_of_a_device(capsys, tmp_path, machine):
    driver = Driver(nvmlDeviceGetCurrPcieLinkGeneration=4)
    machine(driver=driver)
    record, out, _ = measured(capsys, tmp_path, "pcie", "--host-memory", "pinned,pageable,write_combined", *SMALL)
    assert "Link of device 0: Stand-in, driver 570.86.15, CUDA 12.9" in out
    words = " ".join(out.split())
    assert "Link: PCIe 4.0 x16 under load, PCIe 4.0 x16 idle, at most PCIe 5.0 x16 (63.02 GB/s)." in words
    assert "After protocol, with 256-byte payloads: about 25.99 (writes) to 26.37 GB/s (reads), at most 29.22" in words
    assert "BW035: device 0: under load its link ran at generation 4 of 5" in " ".join(out.split())
    kinds = {(result.case.path, result.case.variant["host_memory"]) for result in record.results}
    assert ("h2d", "write_combined") in kinds
    sent = next(result for result in record.results if result.case.id == "pcie:0/h2d/cuda/1/pinned")
    assert sent.theory_bytes_per_s == pytest.approx(31.508e9, rel=1e-3)
    assert driver.opened == 0


def test_plain_measure_is_the_host_and_its_gpu_in_one_record(capsys, tmp_path, machine):
    machine()
    arguments = ("--kernel", "copy,memcpy,h2d", "--engine", "numpy,cuda", "--threads", "1", *SMALL)
    record, out, err = measured(capsys, tmp_path, *arguments)
    ids = [result.case.id for result in record.results]
    assert ids[0] == "host/copy/numpy/1"
    assert {"device:0/copy/cuda/1", "device:0/memcpy/cuda/1", "pcie:0/h2d/cuda/1/pinned"} <= set(ids)
    assert out.index("Host memory of") < out.index("Device 0:") < out.index("Link of device 0:")
    assert err == ""


def test_several_devices_each_alone_and_at_once(capsys, tmp_path, machine):
    machine(2)
    _, out, _ = measured(capsys, tmp_path, "device", "--device", "all", "--kernel", "copy,triad", *SMALL)
    assert "Device 1: Stand-in" in out
    assert "Devices 0, 1 at once" in out
    record, out, _ = measured(capsys, tmp_path, "pcie", "--device", "0,1", "--size", "32KiB", "--budget", "8s")
    assert "Between devices, GB/s: one way, direct access on" in out
    assert "Between devices, GB/s: both ways, summed, direct access off" in out
    assert all(result.is_verified for result in record.results)


def test_sweeps_and_latency(capsys, tmp_path, machine):
    machine()
    _, out, _ = measured(capsys, tmp_path, "pcie", "--sweep", "size", "--range", "16KiB-64KiB", "--budget", "3s")
    assert "Fitted: 8 us before the first byte, then" in out
    assert "Device 0: Stand-in" in out
    sweep = ("--sweep", "size", "--latency", "--range", "16KiB-128KiB", "--budget", "5s")
    _, out, _ = measured(capsys, tmp_path, "device", *sweep)
    assert "By size: read, cuda, device 0" in out
    assert "Latency by size: cuda, device 0" in out
    assert "Cycles of the GPU's clock in the same run" in out
    assert "Huge pages" not in out


def test_a_planted_fault_takes_the_number_away(capsys, tmp_path, machine):
    module = machine()

    def last_bytes_left_out(operation):
        if not operation.name.startswith("copy_"):
            return operation
        *given, pairs = operation.arguments
        return dataclasses.replace(operation, arguments=(*given, type(pairs)(int(pairs) - 1)))

    module.fault = last_bytes_left_out
    _, out, err = measured(capsys, tmp_path, "device", "--kernel", "copy,triad", *SMALL, code=1)
    assert "INVALID" in out
    assert "BW006: copy, device 0: verification failed: 2 of 6,144 words have a wrong value" in " ".join(out.split())
    assert "verification failed: copy, device 0" in err


def test_a_plan_of_host_and_gpu(capsys, machine):
    machine()
    assert run(["measure", "--plan", "--json", "--size", "1MiB"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["budget_s"] == 30
    assert {case["target"] for case in plan["cases"]} == {"host", "device:0", "pcie:0"}
    assert run(["measure", "--plan", "--size", "1MiB"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_gpu_that_fails_later_costs_nothing_of_the_host(capsys, tmp_path, machine, monkeypatch):
    machine()

    def fails(*_, **__):
        raise ENGINE_ERROR

    from bandwidth.errors import HardwareError

    ENGINE_ERROR = HardwareError("device 0 was lost", "see the log")  # noqa: N806
    monkeypatch.setattr("bandwidth.engines.cuda.driver.CudaDriver", fails)
    arguments = ("--kernel", "copy", "--engine", "numpy,cuda", "--threads", "1", *QUICK)
    record, _, _ = measured(capsys, tmp_path, *arguments)
    assert [result.case.id for result in record.results] == ["host/copy/numpy/1"]
    assert {skipped.reason for skipped in record.not_run} == {"device 0 was lost; see the log"}


def test_with_all_no_gpu_is_opened_before_the_host_is_measured(capsys, tmp_path, machine, monkeypatch):
    module, seen = machine(2), {}
    make = engines.make_engines

    def watched(names, *rest, **more):
        seen[names] = set(module.opened)
        return make(names, *rest, **more)

    monkeypatch.setattr("bandwidth.measuring.measure.make_engines", watched)
    arguments = ("--kernel", "copy,memset", "--engine", "numpy,cuda", "--threads", "1", "--device", "1", *SMALL)
    record, _, _ = measured(capsys, tmp_path, *arguments)
    assert seen == {("numpy",): set(), ("cuda",): {1}}
    ids = ["host/copy/numpy/1", "device:1/copy/cuda/1", "device:1/memset/cuda/1"]
    assert [result.case.id for result in record.results] == ids
    assert "memory_free_bytes" in record.gpus[1]  # known only of one that was opened


def test_with_all_a_gpu_that_was_asked_for_and_cannot_be_opened_leaves_with_3_and_the_host(capsys, tmp_path, machine):
    machine(raises={"memGetInfo": CUDARuntimeError(46)})
    arguments = ("--device=0", "--kernel", "copy", "--engine", "numpy,cuda", "--threads", "1", *QUICK)
    record, out, err = measured(capsys, tmp_path, *arguments, code=3)
    assert [result.case.id for result in record.results] == ["host/copy/numpy/1"]
    assert "The GPU is not measured: device 0 is in use by another process (exclusive mode)" in " ".join(out.split())
    assert err.startswith("bandwidth: the requested GPU could not be measured")
    for error in ({"getDeviceCount": CUDARuntimeError(100)}, {"deviceGetPCIBusId": CUDARuntimeError(46)}):
        machine(raises=error)
        refused(capsys, 3, "--device=0")


def test_a_study_that_no_gpu_has_is_no_gpu_that_could_not_be_measured(capsys, tmp_path, machine):
    machine()
    arguments = ("--zeros", "--engine", "numpy", "--threads", "1", "--device=0", *QUICK)
    record, _, _ = measured(capsys, tmp_path, *arguments)
    assert {result.case.target for result in record.results} == {"host"}


# --- without a GPU, or with one that cannot be used


ERRORS = [
    (
        {"raises": {"getDeviceCount": CUDARuntimeError(35)}, "versions": (0, 12_090)},
        "no NVIDIA driver is installed; install",
    ),
    (
        {"raises": {"getDeviceCount": CUDARuntimeError(35)}, "versions": (12_080, 13_000)},
        "the NVIDIA driver supports CUDA 12.8, CuPy needs 13.0; update the driver, or install the extra cuda12",
    ),
    (
        {"raises": {"getDeviceCount": CUDARuntimeError(100)}},
        "the driver is loaded and reports no GPU; check CUDA_VISIBLE",
    ),
    (
        {"raises": {"getDeviceCount": CUDARuntimeError(802)}},
        "the GPU is not ready: the NVLink fabric is not initialised",
    ),
    ({"raises": {"getDeviceCount": CUDARuntimeError(803)}}, "the GPU has a driver with parts of different"),
    ({"raises": {"memGetInfo": CUDARuntimeError(46)}}, "device 0 is in use by another process (exclusive mode)"),
]


@pytest.mark.parametrize(("seams", "said"), ERRORS)
@pytest.mark.parametrize("target", ["device", "pcie"])
def test_a_gpu_that_is_asked_for_and_cannot_be_used_leaves_with_3(capsys, machine, target, seams, said):
    machine(**seams)
    assert refused(capsys, 3, target).startswith(said)


@pytest.mark.parametrize(("seams", "said"), ERRORS)
def test_plain_measure_goes_on_with_the_host_and_one_line(capsys, tmp_path, machine, seams, said):
    machine(**seams)
    record, _, err = measured(capsys, tmp_path, "--kernel", "copy", "--threads", "1", *QUICK)
    assert {result.case.target for result in record.results} == {"host"}
    (note,) = [note for note in record.notes if note.startswith("The GPU is not measured: ")]
    assert note.removeprefix("The GPU is not measured: ").startswith(said)
    assert err == ""


def test_a_device_that_does_not_exist(capsys, machine):
    machine(2)
    assert refused(capsys, 3, "device", "--device", "2") == "device 2 does not exist; devices 0 to 1 exist"
    assert refused(capsys, 2, "device", "--device", "one").startswith("--device 'one' is not the number of a GPU")
    assert refused(capsys, 2, "host", "--device", "0").startswith("--device does not apply to host")


def test_a_size_above_the_free_memory(capsys, machine):
    machine(free_bytes=1024 * MIB)
    assert refused(capsys, 2, "device", "--size", "4GiB").startswith("--size 4 GiB: device 0 has 1 GiB of free memory")


def test_a_full_device(capsys, machine):
    machine(free_bytes=300 * MIB)
    assert refused(capsys, 1, "device").startswith("device 0 has only 300 MiB of free memory; stop what uses it")


def test_memory_that_is_refused_all_the_same(capsys, machine):
    machine(raises={"Memory": OutOfMemoryError()})
    assert run(["measure", "device", *SMALL]) == 1
    assert "nothing could be measured; device 0 has too little memory" in capsys.readouterr().err


def test_without_the_compiler_of_kernels_copies_are_measured_all_the_same(capsys, tmp_path, machine):
    machine(raises={"RawModule": RuntimeError("Failed to find CUDA headers.")})
    record, out, _ = measured(capsys, tmp_path, "device", "--kernel", "triad,memcpy,memset", *SMALL)
    assert {result.case.path for result in record.results if result.is_verified} == {"memcpy", "memset"}
    (skipped,) = record.not_run
    assert skipped.id == "device:0/triad/cuda/1"
    assert skipped.reason.startswith("CUDA's compiler (NVRTC) or its headers are not found; pip install 'cuda-toolkit[")
    assert "NVRTC" in out
    record, _, _ = measured(capsys, tmp_path, "pcie", *SMALL)
    assert {result.case.variant["host_memory"] for result in record.results} == {"pinned", "pageable"}
    assert record.not_run == ()
    assert run(["measure", "device", "--kernel", "triad", *SMALL]) == 1
    assert "nothing could be measured; CUDA's compiler (NVRTC)" in capsys.readouterr().err


def test_without_cupy_a_line_says_what_to_install(capsys, tmp_path, monkeypatch):
    lacking = dataclasses.replace(
        ENGINES["cuda"],
        lacks=lambda: "CuPy, which drives the GPU, is not installed: pip install it",
        sign=lambda *_: True,
    )
    monkeypatch.setitem(ENGINES, "cuda", lacking)
    for target in ("device", "pcie", "--device=0"):
        line = refused(capsys, 3, target)
        assert line == "CuPy, which drives the GPU, is not installed; pip install it"
    record, _, _ = measured(capsys, tmp_path, "--kernel", "copy", "--threads", "1", *QUICK)
    assert "The GPU is not measured: CuPy, which drives the GPU, is not installed; pip install it." in record.notes


def test_without_any_sign_of_a_gpu_nothing_is_said_and_cupy_is_not_imported(monkeypatch):
    code = (
        "import sys; from dataclasses import replace; from bandwidth.engines.registry import ENGINES as E;"
        "E.update((n, replace(e, sign=lambda *_: False)) for n, e in list(E.items()));"
        "from bandwidth.cli.app import run; code = run(['measure', '--plan', '--size', '1MiB']);"
        "sys.exit(code or any(name.split('.')[0] == 'cupy' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "GPU" not in done.stdout


def test_engines_that_do_not_fit_the_target(capsys, machine):
    machine()
    assert refused(capsys, 2, "device", "--engine", "numpy").startswith("--engine numpy does not measure device")
    assert refused(capsys, 2, "host", "--engine", "cuda").startswith("--engine cuda does not measure host")
