"""The benchmarks against other tools, run beside programs that print as those do; on a GPU the stand-in for CuPy."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import cupy_stand_in
import pytest
from gpu_machine import stand_in

BENCHMARKS = Path(__file__).parent / "benchmarks"
# What BabelStream prints with --csv: the device and the set-up stand before the table.
BABELSTREAM = """BabelStream
Version: 5.0
Implementation: CUDA
CUDA Driver: 13000
CUDA Device 0: "Stand-in" 4 SMs(9,0) Memory: 3201 MHz x 6144-bit = 4916.74 GB/s PEAK, ECC is ON
Reduction kernel config: 16 groups of (fixed) size 1024
function,num_times,n_elements,sizeof,max_mbytes_per_sec,min_runtime,max_runtime,avg_runtime
Copy,101,1024,8,44,0.0003,0.0005,0.0004
Mul,101,1024,8,44,0.0003,0.0005,0.0004
Add,101,1024,8,44,0.0003,0.0005,0.0008
Triad,101,1024,8,44,0.0003,0.0005,{triad}
Dot,101,1024,8,44,0.0003,0.0005,0.0004
"""


@pytest.fixture
def script(monkeypatch):
    """Import a benchmark; the machine is the stand-in with one GPU of 44 MB/s behind a link of 20."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    stand_in(monkeypatch)
    # 512 MiB go in a moment here.
    monkeypatch.setitem(cupy_stand_in.ATTRIBUTES, 38, 1024)

    def load(name):
        for module in ("pairs", "our_engine", name):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(name)

    return load


@pytest.fixture
def peer(tmp_path):
    """A program that prints this, and its path."""

    def write(text):
        path = tmp_path / "peer"
        path.write_text(f"#!{sys.executable}\nprint({text!r})\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


@pytest.mark.parametrize(("triad", "code"), [("0.0008", 0), ("0.0005", 1)])
def test_babelstream_is_read_and_the_bar_held(script, peer, monkeypatch, capsys, triad, code):
    benchmark = script("gpu_against_babelstream")
    monkeypatch.setattr(benchmark, "CALLS", 2)
    monkeypatch.setattr(sys, "argv", ["x", peer(BABELSTREAM.format(triad=triad)), "--elements", "1024", "--pairs", "6"])
    assert benchmark.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["copy", "triad", "dot", "scale", "add"]
    # 3 x 8 KiB at 44 MB/s take 0.56 ms, and 2 us to start.
    ratio = float(lines[1].partition("ours / BabelStream = ")[2].split()[0])
    assert ratio == pytest.approx(float(triad) / 0.0005605, rel=0.01)


@pytest.mark.parametrize(("gigabytes", "code"), [("0.02", 0), ("0.021", 1)])
def test_nvbandwidth_is_read_and_the_bar_held(script, peer, monkeypatch, capsys, gigabytes, code):
    benchmark = script("gpu_against_nvbandwidth")
    monkeypatch.setattr(benchmark, "SIZE_MIB", 1)
    monkeypatch.setattr(benchmark, "COPIES", 2)
    tests = [
        {"name": name, "status": "Passed", "bandwidth_matrix": [["N/A", gigabytes]], "sum": 1}
        for name in ("host_to_device_memcpy_ce", "device_to_host_memcpy_ce")
    ]
    printed = json.dumps({"nvbandwidth": {"testcases": tests}})
    monkeypatch.setattr(sys, "argv", ["x", peer(printed), "--device", "1", "--pairs", "6"])
    stand_in(monkeypatch, count=2)
    assert benchmark.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["h2d", "d2h"]
    assert all(line.split(": ")[1].startswith("0.02 GB/s; ours / nvbandwidth = ") for line in lines)


# --- google/multichase

needs_taskset = pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset binds the peer to its CPUs")
PINGPONG = """avg latency to communicate a modified line from one core to another
times are in ns

          5
 3:   {time_ns}

"""
MULTILOAD = (
    "Samples\t, Byte/thd\t, ChaseThds\t, ChaseNS\t, ChaseMibs\t, ChDeviate\t, LoadThds\t, LdMaxMibs\t, "
    "LdAvgMibs\t, LdDeviate\t, ChaseArg\t, MemLdArg\n"
    "1     \t, 536870912  \t, 1       \t, {time_ns} \t, 58      \t, 0.000   \t, 1       \t, 25000   \t, "
    "24000   \t, 0.000   \t, chaseload\t, stream-sum\n"
)


@needs_taskset
@pytest.mark.parametrize(("time_ns", "code"), [("93.0", 0), ("100.0", 1)])
def test_pingpong_is_read_and_the_bar_held(script, peer, monkeypatch, capsys, time_ns, code):
    benchmark = script("core_to_core_against_multichase")

    @contextmanager
    def our_case(size_bytes, **options):
        yield SimpleNamespace(nanoseconds=lambda calls: 93.0, case=SimpleNamespace(bytes_per_call=8000), **options)

    monkeypatch.setattr(benchmark, "our_case", our_case)
    cpu = min(os.sched_getaffinity(0))
    path = peer(PINGPONG.format(time_ns=time_ns))
    monkeypatch.setattr(sys, "argv", ["x", path, "--cpus", f"{cpu},{cpu}", "--pairs", "6"])
    assert benchmark.main() == code
    start = f"CPUs {cpu},{cpu}: 93.0 ns a hop; ours / pingpong = {93.0 / float(time_ns):.3f} (n 6, "
    assert capsys.readouterr().out.startswith(start)


@needs_taskset
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="a load has its own CPU")
@pytest.mark.parametrize(("time_ns", "code"), [("200.000", 0), ("220.000", 1)])
def test_multiload_is_read_and_the_bar_held(script, peer, monkeypatch, capsys, time_ns, code):
    benchmark = script("loaded_latency_against_multiload")
    asked = []
    monkeypatch.setattr(benchmark, "_ours", lambda cpus, load: asked.append(load) or (205.0, 25e9))
    monkeypatch.setattr(sys, "argv", ["x", peer(MULTILOAD.format(time_ns=time_ns)), "--pairs", "6"])
    assert benchmark.main() == code
    assert set(asked) == {24000 * 1024**2}  # ours is slowed down to what multiload read
    out = capsys.readouterr().out
    assert out.startswith("205.0 ns beside 25.0 GB/s of load (multiload's 25.2); ours / multiload = ")
    assert float(out.partition("multiload = ")[2].split()[0]) == pytest.approx(205 / float(time_ns), abs=1e-3)


@pytest.mark.parametrize(("reach", "code"), [(0.02, 0), (0.0, 1)])
def test_intervals_are_held_against_the_median_of_all_runs_of_one_state(
    script, monkeypatch, capsys, make_record, make_result, reach, code
):
    """Three runs before, six two percent apart, two in another state; what each knows scatters so too."""
    benchmark = script("interval_over_runs")
    levels = (*(0.98, 0.99, 1.0), 0.98, 0.99, 1.0, 1.0, 1.01, 1.02, 0.5, 0.5)

    def record(path, budget, environment):
        number = int(path.stem)
        known = tuple(0.02 * levels[number] * (1 + share * reach) for share in (-1, 0, 1))
        return make_record(make_result(seconds=(0.02 * levels[number],) * 8, earlier_s_per_call=known))

    monkeypatch.setattr(benchmark, "_record", record)
    monkeypatch.setattr(sys, "argv", ["x", "8"])
    assert benchmark.main() == code
    held = 6 if reach else 2
    out = capsys.readouterr().out
    assert f"reported {held} of 6 " in out
    assert "of the run alone 2 (0.0 %)  2 in another state" in out


def test_a_pair_in_which_the_machine_changed_is_left_out(script):
    """A B A B A: where A before and behind B lie apart, the ratio says nothing of A and B."""
    pairs = script("pairs")
    ones, others = iter([1.0, 1.0, 1.0, 2.0, *[2.0] * 9]), iter([0.5, 0.5, 0.1, *[1.0] * 9])
    ratio = pairs.ratio_of_pairs(lambda: next(ones), lambda: next(others), 6)
    assert (ratio.median, ratio.count, ratio.left_out) == (2.0, 6, 1)
    assert str(ratio).endswith("range 2.000 to 2.000, 1 unsteady left out)")


def test_a_machine_that_is_never_steady_ends_in_a_message(script):
    pairs = script("pairs")
    ones = iter([1.0, 2.0] * 20)
    with pytest.raises(SystemExit, match="only 0 of 18 pairs were steady"):
        pairs.ratio_of_pairs(lambda: next(ones), lambda: 1.0, 6)
