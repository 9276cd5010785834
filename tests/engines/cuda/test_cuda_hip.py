"""AMD's way from end to end: the engine and the command with the real CuPy for ROCm, on a stand-in of HIP.

It proves the protocol and no GPU. CuPy for ROCm is installed for it in an environment of its own: `pytest -m slow`.
"""

from __future__ import annotations

import json

import pytest
from gpu_cases import EVERY, link_case
from hip_cases import CALLS, FAULTS, NO_GRAPH, timed_call
from real_rocm import INSTALL_S, rocm

from bandwidth.cli.app import run
from bandwidth.results.files import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * INSTALL_S)]
# What is queued runs when something waits for it, or at once: all that is right holds either way.
ORDERS = {"at the latest": "0", "at the earliest": "1"}
BY_HOST = {link_case(path, "pageable").id for path in ("h2d", "d2h")}
MEASURE = ("-W", "error", "-m", "bandwidth", "measure", "device", "--engine", "hip", "--size", "1MiB")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return rocm(tmp_path_factory.mktemp("hip"))


@pytest.fixture(scope="module")
def part(machine):
    """What a part of `hip_cases` says; nothing may stand on its standard error."""
    made = {}

    def of(name, **variables):
        key = (name, *variables.items())
        if key not in made:
            done = machine.run("-W", "error", "-m", "hip_cases", name, **variables)
            assert (done.returncode, done.stderr) == (0, "")
            made[key] = json.loads(done.stdout)
        return made[key]

    return of


# --- the engine


def test_each_device_is_what_hips_properties_say(part):
    first, second = part("facts")
    assert (first["name"], first["api"], first["address"]) == ("Stand-in of HIP", "HIP 7.0", "0000:03:00.0")
    assert (second["number"], second["address"]) == (1, "0000:83:00.0")
    known = ("multiprocessors", "memory_width_bits", "l2_bytes", "has_ecc", "total_bytes")
    assert [first[name] for name in known] == [4, 8192, 4 * 1024**2, True, 2 * 1024**3]
    assert first["told"]["architecture"] == "gfx942"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.id)
def test_every_case_is_right(part, case, order):
    blocks = part("cases", HIP_STAND_IN_EAGER=ORDERS[order])[case.id]
    assert len(blocks) == len(CALLS)
    assert all(block["is_timed"] for block in blocks)
    assert [block["wrong"] for block in blocks] == [["", ""]] * len(CALLS)
    # The first block brings the kernels to the device, and is not counted.
    assert [block["timed_firsts"] for block in blocks[1:]] == [0, 0]
    assert (blocks[-1]["graphs"] > 0) == (case.id not in BY_HOST and not case.is_latency)


@pytest.mark.parametrize(
    ("case", "fault"),
    [(case, fault) for case in EVERY for fault in (FAULTS if timed_call(case).startswith("hip") else FAULTS[:1])],
    ids=lambda value: value if isinstance(value, str) else value.id,
)
def test_what_is_planted_is_seen(part, case, fault):
    of_few, of_graphs = part("faults")[f"{case.id} {fault}"]
    assert of_few
    assert of_graphs
    if fault == "flip":
        assert of_few.removeprefix("device 0: ").startswith("1 of ")


@pytest.mark.parametrize("fault", NO_GRAPH)
def test_what_hip_makes_no_graph_of_is_queued_one_by_one(part, fault):
    wrong, graphs = part("no_graph")[fault]
    assert wrong == ""
    assert graphs == (1 if "Launch" in fault else 0)


def test_what_hip_refuses_is_the_reason(part):
    said = part("refusals")
    assert said["too large"] == ("device 0 has too little memory: 8.1 GiB needed, 1.9 GiB free; use a smaller --size")
    assert said["no memory"] == "device 0 has too little memory; use a smaller --size"
    assert said["no host memory"].startswith("the system refused 192 KiB of page-locked host memory; ")
    assert said["no kernel"].startswith("device 0 failed (hipErrorNotFound: ")
    assert said["no kernel"].endswith("; check `rocm-smi`; if the GPU works, report this")


def test_a_lost_device_is_said_and_leaves_no_trace(part):
    raised, checked = part("lost")
    assert raised.startswith("device 0 was lost during the measurement (hipErrorLaunchFailure: ")
    assert raised.endswith("; see `rocm-smi` and the kernel's log; try again")
    assert checked == f"it could not be checked: {raised}"


# --- the command


def test_the_memory_of_two_devices_in_a_table_a_record_and_a_report(machine, tmp_path):
    path = tmp_path / "record.json"
    asked = ("--kernel", "triad,memcpy", "--device", "all", "--all", "--budget", "8s", "--save", str(path))
    done = machine.run(*MEASURE, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Device 0: Stand-in of HIP, HIP 7.0" in done.stdout
    assert "Devices 0, 1 at once" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    record = load(path)
    ids = {result.case.id for result in record.results}
    assert {"device:0/triad/hip/1", "device:1/memcpy/hip/1", "device:0,1/triad/hip/1"} <= ids
    assert all(result.is_verified for result in record.results)
    assert [gpu["architecture"] for gpu in record.gpus.values()] == ["gfx942", "gfx942"]
    assert run(["report", str(path), "-o", str(tmp_path / "report.md")]) == 0
    assert "Stand-in of HIP" in (tmp_path / "report.md").read_text("utf-8")


def test_the_link_of_a_device_both_kinds_of_memory_both_ways(machine, tmp_path):
    path = tmp_path / "record.json"
    arguments = [*MEASURE, "--budget", "4s", "--save", str(path)]
    arguments[arguments.index("device")] = "pcie"
    done = machine.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert {result.case.id for result in load(path).results} == {
        *(f"pcie:0/{way}/hip/1/pinned" for way in ("h2d", "d2h", "bidirectional")),
        *(f"pcie:0/{way}/hip/1/pageable" for way in ("h2d", "d2h")),
    }
    assert all(result.is_verified for result in load(path).results)


def test_a_wrong_word_takes_the_rate_away(machine):
    done = machine.run(
        *MEASURE, "--kernel", "memcpy", "--budget", "1s", "--all", HIP_STAND_IN_FAULTS="hipMemcpyAsync:0:flip"
    )
    assert done.returncode == 1
    assert "INVALID" in done.stdout
    assert done.stderr.startswith("bandwidth: verification failed: memcpy, device 0; see BW006 above")


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"HIP_STAND_IN_DEVICES": "0"}, 3, "ROCm reports no GPU; install AMD's driver, "),
        ({"LD_LIBRARY_PATH": ""}, 3, "ROCm's libraries are not found (libamdhip64.so.7: cannot open "),
        ({"HIP_STAND_IN_MIB": "128"}, 1, "device 0 has only 64 MiB of free memory; "),
        (
            {"HIP_STAND_IN_FAULTS": "hipEventSynchronize:1:719"},
            1,
            "nothing could be measured; device 0 was lost during",
        ),
        ({"HIP_STAND_IN_FAULTS": "hipEventSynchronize:1:999"}, 1, "nothing could be measured; device 0 failed (hipEr"),
        ({"HIP_STAND_IN_FAULTS": "hipMalloc:0:2"}, 1, "nothing could be measured; device 0 has too little memory"),
    ],
    ids=["no device", "no ROCm", "full", "lost", "unknown", "no memory"],
)
def test_what_ends_the_command_is_one_line(machine, variables, code, said):
    done = machine.run(*MEASURE, "--kernel", "memcpy", "--budget", "1s", **variables)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert done.stderr.startswith(f"bandwidth: {said}")


@pytest.mark.parametrize("is_root_there", [True, False])
def test_without_hipcc_copies_are_measured_and_kernels_say_what_lacks(machine, tmp_path, is_root_there):
    root = {"ROCM_HOME": str(tmp_path)} if is_root_there else {}
    asked = ("--kernel", "triad,memcpy", "--budget", "1s", "--json")
    done = machine.run(*MEASURE, *asked, PATH=str(tmp_path), **root)
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert [result["path"] for result in record["results"]] == ["memcpy"]
    assert [one["reason"] for one in record["not_run"]] == [
        "ROCm's compiler (hiprtc, hipcc) is not found; "
        "install ROCm's hiprtc and hipcc, and add hipcc's folder (/opt/rocm/bin) to PATH"
    ]
