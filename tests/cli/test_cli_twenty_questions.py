"""What users ask, and that the first screen of 24 rows answers it: by a command line, or of a machine that is not here.

The questions are those of reviewers, administrators and students who tried the tool, in their order and numbers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from gpu_machine import link_result, seen, two_h200s
from screens import Run, host
from simulated_machine import Machine

from bandwidth.findings import examine
from bandwidth.report import render
from bandwidth.report.screen.default import screen_document
from bandwidth.results import Record
from bandwidth.results.files import save

ROWS, COLUMNS = 24, 80
CAPTURED = Path(__file__).parents[1] / "machine" / "captured"
KERNELS = {"kernels": ("read", "write", "copy", "triad")}


def first_rows(text: str) -> str:
    """Return the first screen as one line: an answer may be wrapped."""
    lines = text.splitlines()
    assert max(map(len, lines)) <= COLUMNS or len(lines) == 1
    return " ".join(" ".join(lines[:ROWS]).split())


def first_screen(record: Record) -> str:
    """Return the first rows that `measure` prints of a record."""
    return first_rows(render(screen_document(record, examine(record)), "table", COLUMNS))


def measured(name: str, core: float, memory: float, options=KERNELS, **facts) -> str:
    return first_screen(Run(host(name, **facts), core, memory).record(**options))


# --- by a command line alone


@pytest.mark.parametrize(
    ("number", "arguments", "answers"),
    [
        (2, ["theory", "DDR4-2933 x4", "--explain"], ["(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.67 MB/s"]),
        (3, ["theory", "DDR4-2933", "--explain"], ["2933.33 MT/s x 64 bit", "1466.67 MHz x 2"]),
        (3, ["theory", "DDR4-3200MHz"], ["3200 MHz is taken as MT/s", "the clock is half of that"]),
        (3, ["explain", "mhz"], ["1466.67 MHz and makes 2933.33 megatransfers per second (MT/s)"]),
        (4, ["theory", "DDR4-2933 x4", "--unit", "GiB/s"], ["peak GiB/s", "87.42"]),
        (4, ["explain", "gib/s"], ["1 GB/s is 10^9 bytes per second", "--unit GiB/s uses 2^30"]),
        (8, ["theory", "DDR5-6000 4x32-bit"], ["DDR5-6000 x2 6000 MT/s x 64 bit x 2 96.00"]),
        (8, ["explain", "quad channel"], ['"4 x 32-bit" on a desktop is dual channel, 128 bits in total']),
        (9, ["explain", "gen1"], ["Gen1 at idle is normal", "only a link that stays low under load is reported"]),
        (10, ["explain", "riser"], ["x8 instead of x16: the slot may have 8 lanes", "The slowest hop"]),
        (11, ["theory", "PCIe 4.0 x16", "--explain"], ["= 31.51 GB/s per direction", "about 25.99 (writes) to 26.37"]),
        (11, ["explain", "lanes"], ["25 to 27 GB/s of 31.5"]),
        (12, ["explain", "pageable"], ["half of the pinned rate or less is normal"]),
        (13, ["explain", "one direction"], ["each row names its direction", "Both at once reach less than twice"]),
        (14, ["explain", "knee"], ["The knee is the fewest threads that reach 95 % of the best rate"]),
        (15, ["explain", "remote"], ["the memory of another node is reached over a link with less bandwidth"]),
        (17, ["explain", "copy"], ["A copy of 1 GB reads 1 GB and writes 1 GB", "STREAM and BabelStream count both"]),
        (17, ["explain", "write-allocate"], ["A copy then moves three bytes over the memory bus for every two"]),
        (18, ["explain", "one thread"], ["Bandwidth = lines in flight x line size / latency"]),
        (19, ["tokens", "8B:Q4_K_M", "RTX 5090"], ["tokens/s at most", "yes, of 32 GB 329", "read per token"]),
        (19, ["tokens", "70B:Q4_K_M", "RTX 5090"], ["NO, of 32 GB", "layers fit (--gpu-layers"]),
        (20, ["explain", "container"], ["A container sees the processor of the host but may be limited to some CPUs"]),
        ("GPU", ["offload", "--host", "DDR4-2933 x4", "--device", "H200", "--size", "1GB"], ["The GPU pays from"]),
    ],
)
def test_a_command_answers_on_its_first_screen(run, number, arguments, answers):
    ran = run(*arguments)
    assert (ran.code, ran.err) == (0, "")
    shown = first_rows(ran.out)
    assert [answer for answer in answers if answer not in shown] == []


def test_5_how_many_channels_and_how_sure(run):
    shown = first_rows(run("system", "--dmi", str(CAPTURED / "ryzen_7950x_two_of_four.txt")).out)
    assert "Memory channels with a module: 2 of 2, from ryzen_7950x_two_of_four.txt, slot names (derived)" in shown


def test_6_a_lost_module_beside_this_machines_baseline(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, machine, memory in (("sound", "EPYC with 96", 370e9), ("today", "the same with 11", 300e9)):
        record = Run(host(machine), 25e9, memory).record(**KERNELS)
        save(record, examine(record), Path(f"{name}.json"))
    ran = run("check", "today.json", "--baseline", "sound.json")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("FAILED: today.json: ")
    assert "11 of 12 memory channels hold a module" in ran.out


# --- by what `measure` prints


def test_1_why_the_measured_rate_is_below_the_theory():
    shown = measured("Xeon with two", 12e9, 400e9)
    assert "measured, all cores 400.00 65 % 70-85 %" in shown
    assert "65.1 % of peak is below normal for Sapphire Rapids: 70 to 85 %, 430.08 GB/s or more" in shown
    assert "Check first: a module on every channel" in shown


def test_2_the_formula_of_the_peak():
    assert "Theory: 4800 MT/s x 8 B x 12 = 460.80 GB/s, from captured" in measured("EPYC with 96", 25e9, 370e9)


def test_6_and_7_empty_channels_and_slow_modules():
    shown = measured("the same with 11", 25e9, 300e9)
    assert "11 of 12 memory channels hold a module: 387.20 of 422.40 GB/s are possible" in shown
    assert "DDR5-4800 runs at 4400 MT/s: at the rated speed the peak is 422.40 GB/s" in shown


def test_9_10_12_and_13_the_link_of_a_gpu(make_record, make_case, make_result):
    whole = two_h200s(make_record, make_case, make_result)
    table = tuple(one for one in whole.results if not {"sweep_point", "peer"} & set(one.case.variant))
    shown = first_screen(replace(whole, results=table))
    assert "Link: PCIe 5.0 x16 under load, PCIe 1.0 x16 idle, at most PCIe 5.0 x16." in shown
    assert "link to GPU, pinned 63.02 55.30" in shown
    assert "link from GPU, pinned 63.02 55.10" in shown
    assert "link to GPU, pageable 63.02 11.00" in shown
    assert "(BW035)" not in shown


def test_10_a_link_that_stays_low_under_load(make_record, make_case, make_result):
    whole = two_h200s(make_record, make_case, make_result)
    low = seen(link_generation=5.0, link_width=8.0)
    slow = [link_result(make_case, make_result, path, 27.0, observed=low) for path in ("h2d", "d2h")]
    shown = first_screen(replace(whole, results=tuple(slow)))
    assert "Link: PCIe 5.0 x8 under load, PCIe 1.0 x16 idle, at most PCIe 5.0 x16" in shown
    assert "Device 0: under load its link ran at width 8 of 16. Check the slot, the riser" in shown


def test_14_more_threads_that_gain_nothing():
    shown = measured("EPYC with 96", 25e9, 370e9, {"sweep": "threads"})
    assert shown.startswith("read, native: 16 of 96 threads reach 370.00 GB/s; more gain less than 5.0 %.")


def test_15_the_memory_of_another_socket():
    shown = first_screen(Machine().record(numa=True, kernels=("read",)))
    assert "Between nodes, GB/s: read, native, 16 threads" in shown
    assert "0 97.50 58.50" in shown


def test_16_a_result_above_the_peak():
    shown = measured("EPYC with 96", 25e9, 500e9)
    assert "measured, all cores 500.00 INVALID" in shown
    assert "a correct measurement cannot exceed 100 %" in shown
    assert "a cache held the data" in shown


def test_18_one_core_all_cores_and_the_theory():
    shown = measured("EPYC with 96", 25e9, 370e9)
    assert "theory 460.80 100 %" in shown
    assert "measured, all cores 370.00 80 %" in shown
    assert "measured, one core 25.00 5.4 %" in shown


def test_20_a_container_with_limits():
    limits = {"container": "docker", "cpu_quota": 1.5, "memory_limit_bytes": 4 * 2**30}
    shown = measured("virtual EPYC", 30e9, 58e9, **limits)
    assert shown.startswith("AMD EPYC, 2 cores, virtual machine, container (docker), memory limit 4 GiB")
    assert "A CPU quota limits this process to the time of 1.5 of its 2 CPUs" in shown
    assert "The memory's peak is unknown" in shown
