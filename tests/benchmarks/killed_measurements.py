"""Measurements that are killed at random moments, on a full disk, under a file limit, without their folder: what is
measured must be in its file, or on standard output with one line that says so. Run by hand, as root for a full disk:

    python tests/benchmarks/killed_measurements.py [RUNS] [SEED]

It prints how each kind ended, and leaves with 1 where something was lost or told badly.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

SHORT = ("measure", "host", "--budget", "2s", "--size", "64MiB", "--kernel", "copy", "--engine", "numpy")
SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGKILL")
# How a result may be asked for: a record saved, a record as the output, a table as the output.
WAYS = {"save": ("--save", "run.json"), "json": ("--json", "-o", "run.json"), "table": ("-o", "run.txt")}
SURROUNDINGS = ("sound", "full", "limit", "removed")
LATE_SHARE = 0.8  # the others get their signal while the program still starts, or just after
LONGEST_S = 60
BUSY = "another measurement runs"
# Undoes what a shell does for what it starts in the background: it would ignore Ctrl-C. Bytecode that a limit cuts
# short would be taken for whole by whoever is started next.
START = (
    "import signal, sys; sys.dont_write_bytecode = True; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from bandwidth.__main__ import main; main()"
)


@dataclass
class Ended:
    """How a run ended: what it printed, what its file held before the signal and at the end."""

    code: int
    out: str
    err: str
    was_saved: bool
    file: str


def full_disk(folder: Path) -> None:
    """Mount a file system of 64 KiB and fill it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)  # noqa: S607 - root's own
    (folder / "filling").write_bytes(b"x" * 65536)


def run(folder: Path, way: str, surrounding: str, number: int | None, moment_s: float, *, is_late: bool) -> Ended:
    """Run one measurement; `number` is the signal that it gets after `moment_s`, None for none.

    `is_late`: the time runs from where it measures.
    """
    path = folder / WAYS[way][-1]
    command = [sys.executable, "-c", START, *SHORT, *WAYS[way][:-1], str(path)]

    def limited() -> None:
        if surrounding == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limited
    ) as process:
        if is_late or surrounding == "removed":
            wait_until_it_measures(process)
        if surrounding == "removed":
            shutil.rmtree(folder)
        time.sleep(moment_s)
        was_saved = path.exists()
        if number is not None:
            process.send_signal(number)
        out, err = process.communicate(timeout=LONGEST_S)
    return Ended(process.returncode, out, err, was_saved, path.read_text("utf-8") if path.exists() else "")


def wait_until_it_measures(process: subprocess.Popen[str]) -> None:
    """Wait until NumPy is loaded: what can be checked first is checked by then."""
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "numpy" not in maps.read_text("utf-8", "replace"):
        time.sleep(0.01)


def is_result(text: str, way: str) -> bool:
    """Return whether a text ends in a whole record with samples, or is a table with a rate."""
    if way == "table":
        return "median GB/s" in text
    try:
        content = json.loads(text[text.index("{\n") :])
    except ValueError:
        return False
    return any(result["samples_s"] for result in content["results"])


def verdict(ended: Ended, way: str, number: int | None) -> str:
    """Return how a run ended in a word or two; what begins with LOST or BAD must not be."""
    lines = ended.err.splitlines()
    if "Traceback" in ended.err or "internal error" in ended.err or len(lines) > 1:
        return f"BAD LINES {lines}"
    if ended.file and not is_result(ended.file, way) and "not_run" not in ended.file and "Not run" not in ended.file:
        return "BAD FILE"
    in_file, printed = is_result(ended.file, way), is_result(ended.out, way)
    if number == signal.SIGKILL and ended.code == -signal.SIGKILL:
        return "LOST: it was saved" if ended.was_saved and not in_file else f"killed, saved: {in_file}"
    if in_file:
        return "in the file"
    if printed and lines and "standard output" in lines[0]:
        return "on standard output, said"
    if ended.code < 0 or (ended.code == 130 and "kept" not in ended.err and not ended.was_saved):
        return "ended before a sample"
    return f"LOST: {ended.code} {ended.err}"


def one(surrounding: str, way: str, name: str, moment_s: float, *, is_late: bool) -> str:
    """Run one measurement in a folder of its own and return its verdict."""
    number = getattr(signal, name, None)
    folder = Path(tempfile.mkdtemp(prefix="bandwidth-killed-"))
    try:
        if surrounding == "full":
            full_disk(folder)
        while BUSY in (ended := run(folder, way, surrounding, number, moment_s, is_late=is_late)).err:
            time.sleep(1)
        return verdict(ended, way, number)
    finally:
        if surrounding == "full":
            subprocess.run(["umount", folder], check=True)  # noqa: S607
        shutil.rmtree(folder, ignore_errors=True)


def main(runs: int, seed: int) -> int:
    """Run, print a count of each kind, and return the exit code."""
    choose = random.Random(seed)
    surroundings = [each for each in SURROUNDINGS if each != "full" or os.geteuid() == 0]
    counts: Counter[tuple[str, str, str]] = Counter()
    for _ in range(runs):
        surrounding, way = choose.choice(surroundings), choose.choice(list(WAYS))
        name = choose.choice((*SIGNALS, "none") if surrounding != "sound" else SIGNALS)
        ended = one(surrounding, way, name, choose.uniform(0.1, 3.0), is_late=choose.random() < LATE_SHARE)
        counts[surrounding, name, ended] += 1
        if ended.startswith(("LOST", "BAD")):
            print(surrounding, way, name, ended, file=sys.stderr)
    for kind, count in sorted(counts.items()):
        print(f"{count:4} {', '.join(kind)}")
    return int(any(kind[2].startswith(("LOST", "BAD")) for kind in counts))


if __name__ == "__main__":
    sys.exit(main(*(int(number) for number in (sys.argv[1:] + ["100", "1"][len(sys.argv) - 1 :]))))
