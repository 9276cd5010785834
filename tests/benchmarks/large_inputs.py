"""Inputs far beyond the usual, made anew: how long each command takes, beside the bar that it is held to.

    python tests/benchmarks/large_inputs.py [NAME ...]

A million samples in one result, 5,000 results in one record, a folder of 20,000 devices, and 200,000 SPECs on standard
input. Names: samples, results, devices, lines; all of them where none is given. Exit 1 beyond a bar.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bandwidth.findings import examine
from bandwidth.results import Case, Conditions, Record, Result, Samples
from bandwidth.results.files import save

SAMPLES, RESULTS, DEVICES, LINES = 1_000_000, 5_000, 20_000, 200_000
GIB = 1024**3
BANDWIDTH = (sys.executable, "-m", "bandwidth")


def main() -> int:
    """Print a line for each command; return 1 where one takes longer than its bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *CASES])
    asked = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.names or CASES:
            for command, bar_s, lines in CASES[name](Path(folder)):
                took, first_s, code = _timed(command, lines)
                missed += took > bar_s
                told = " ".join(command).replace(folder + "/", "")
                print(f"{took:7.2f} s of {bar_s:3.0f}  first output {first_s:6.2f} s  exit {code}  {told}", flush=True)
    return 1 if missed else 0


def _timed(command: tuple[str, ...], lines: Path | None) -> tuple[float, float, int]:
    """Return the seconds of a command, those until its first output, and its exit code."""
    start = time.perf_counter()
    source = subprocess.DEVNULL if lines is None else lines.open("rb")
    with subprocess.Popen((*BANDWIDTH, *command), stdin=source, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first_s = time.perf_counter() - start
        while process.stdout.read(1 << 20):
            pass
    return time.perf_counter() - start, first_s, process.returncode


def _record(results: tuple[Result, ...], name: str) -> Record:
    machine = {"hostname": name, "cpu_model": "AMD EPYC 9755 128-Core Processor"}
    return Record(
        "0.1.0", "2026-01-01T00:00:00+00:00", ("bandwidth", "measure"), machine, Conditions({}, {}), results, ()
    )


def _result(count: int, seed: int, threads: int = 2) -> Result:
    draw = random.Random(seed)
    seconds = tuple(draw.gauss(0.02, 0.0002) for _ in range(count))
    size = GIB + seed * 4096
    case = Case("host", "copy", "native", threads, size, size, size // 2, size, dram_rule_bytes=GIB // 4)
    samples = Samples(seconds, 1, 0.0, "precision")
    return Result(case, samples, theory_bytes_per_s=93e9, theory_source="DDR4-2933 x4")


def _saved(record: Record, path: Path) -> str:
    save(record, examine(record), path)
    return str(path)


Timed = tuple[tuple[str, ...], float, Path | None]


def many_samples(folder: Path) -> Iterator[Timed]:
    """Yield what reads a million samples in one result."""
    one, other = (_saved(_record((_result(SAMPLES, n),), f"node{n}"), folder / f"samples{n}.json") for n in (1, 2))
    yield ("compare", one, other), 10, None  # two of them
    yield ("report", one, "-o", str(folder / "samples.md")), 5, None
    yield ("report", one, "-o", str(folder / "samples.html")), 5, None
    yield ("check", one, "--baseline", other), 10, None  # two of them
    yield ("fleet", one), 5, None


def many_results(folder: Path) -> Iterator[Timed]:
    """Yield what reads 5,000 results of one record."""
    paths = ("copy", "read", "write", "add", "dot")
    bare = [_result(12, number, 1 + number // len(paths)) for number in range(RESULTS)]
    results = [replace(one, case=replace(one.case, path=paths[n % len(paths)])) for n, one in enumerate(bare)]
    threads = _saved(_record(tuple(results), "node"), folder / "threads.json")
    alike = [replace(one, case=replace(one.case, threads=2, variant={"load": f"{n}%"})) for n, one in enumerate(bare)]
    distinct = [replace(one, case=replace(one.case, target=f"x{n}")) for n, one in enumerate(bare)]
    loads = _saved(_record(tuple(alike), "node"), folder / "loads.json")
    targets = _saved(_record(tuple(distinct), "node"), folder / "targets.json")
    for path in (threads, loads, targets):
        yield ("report", path, "-o", path.replace(".json", ".md")), 15, None
    yield ("compare", threads, loads), 15, None
    yield ("fleet", threads), 15, None


def many_devices(folder: Path) -> Iterator[Timed]:
    """Yield what reads a folder of 20,000 devices of one's own."""
    own = folder / "specs"
    own.mkdir()
    fields = 'maker = "Acme"\nkind = "gpu"\nsource = "a test"\nmemory = "GDDR6 14Gbps {}-bit"\n'
    tables = (f'["Acme X{n}"]\n{fields.format(64 + n % 64 * 8)}' for n in range(DEVICES))
    (own / "many.toml").write_text("\n".join(tables), "utf-8")
    options = ("--specs", str(own))
    yield ("specs", "list", *options), 5, None
    yield ("theory", "Acme X19999", *options), 5, None
    yield ("specs", "search", "acme", *options), 5, None
    yield ("specs", "show", "Acme X5", *options), 5, None
    yield ("specs", "validate", str(own)), 15, None


def many_lines(folder: Path) -> Iterator[Timed]:
    """Yield `theory -` of 200,000 lines, in each format."""
    path = folder / "lines.txt"
    specs = ("DDR4-2933 x4", "H200", "PCIe 4.0 x16", "ddr5-6400x12", "GDDR6 14Gbps 256-bit", "EPYC 9755")
    path.write_text("".join(f"{specs[n % len(specs)]}\n" for n in range(LINES)), "utf-8")
    for name in ("table", "csv", "json", "markdown", "html", "latex"):
        yield ("theory", "-", "--format", name), 20, path
    different = folder / "different.txt"
    different.write_text("".join(f"DDR4-{1600 + n % 1600} x{1 + n // 1600}\n" for n in range(LINES)), "utf-8")
    yield ("theory", "-"), 20, different


CASES = {"samples": many_samples, "results": many_results, "devices": many_devices, "lines": many_lines}


if __name__ == "__main__":
    sys.exit(main())
