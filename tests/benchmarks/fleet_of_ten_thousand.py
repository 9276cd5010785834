"""A fleet of 10,000 simulated machines: the time and memory to judge it, what is found and who is wrongly accused.

    python tests/benchmarks/fleet_of_ten_thousand.py [FOLDER]

It writes 0.6 GB of records to a folder of its own (in FOLDER, else the temporary one) and removes them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from simulated_fleet import Fault, Spread, name_of, planted, simulated_machines, write_fleet

from bandwidth.fleet import judge

COUNTS = (100, 1_000, 10_000)
FAULTY_SHARE = 0.01
# Judged in memory: enough that one accusation in a thousand shows as fifty.
MACHINES = 10_000
FLEETS = 5


def main() -> None:
    for is_common in (False, True):
        for percent in (4, 8, 10, 12, 50):
            tell_recall(percent, Spread(is_common=is_common))
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    for count in COUNTS:
        with tempfile.TemporaryDirectory(prefix="bandwidth-fleet-", dir=parent) as folder:
            tell_scale(Path(folder), count)


def tell_recall(percent: int, spread: Spread) -> None:
    """Plant one fault in 1 % of the machines, in every path of the host's, and count."""
    fault = Fault(f"{percent} %", 1 - percent / 100)
    fault_of = partial(planted, share=FAULTY_SHARE, faults=(fault,))
    faulty = {name_of(number) for number in range(MACHINES) if fault_of(number) is not None}
    found = accused = 0
    for seed in range(FLEETS):
        fleet = judge(simulated_machines(MACHINES, seed, spread, fault_of))
        flagged = {one.machine.hostname for one in fleet.flagged}
        found, accused = found + len(flagged & faulty), accused + len(flagged - faulty)
    planted_count, sound = FLEETS * len(faulty), FLEETS * (MACHINES - len(faulty))
    kind = "common to all paths" if spread.is_common else "independent"
    print(
        f"spread {spread.sigma:.1%} {kind}, fault {percent} %: found {found} of {planted_count} "
        f"({found / planted_count:.3f}); wrongly accused {accused} of {sound:,} "
        f"({1000 * accused / sound:.2f} a thousand)"
    )


def tell_scale(folder: Path, count: int) -> None:
    write_fleet(folder, count, 1, Spread())
    size = sum(path.stat().st_size for path in folder.iterdir())
    command = [sys.executable, "-m", "bandwidth", "fleet", str(folder), "--json"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=output, cwd=folder.parent)
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        output.seek(0)
        found = json.load(output)
    faulty = {name_of(number): fault.name for number in range(count) if (fault := planted(number)) is not None}
    flagged = {one["hostname"] for one in found["flagged"]}
    kinds = Counter(name for host, name in faulty.items() if host in flagged)
    explained = Counter(faulty.get(one["hostname"]) for one in found["flagged"] if one["differs"])
    print(
        f"{count:,} records, {size / 1e6:.0f} MB: {seconds:.2f} s ({usage.ru_utime + usage.ru_stime:.2f} s of CPU), "
        f"{usage.ru_maxrss / 1024:.0f} MiB at most; found {len(flagged & set(faulty))} of {len(faulty)} {dict(kinds)}, "
        f"explained {dict(explained)}, wrongly accused {len(flagged - set(faulty))}"
    )


if __name__ == "__main__":
    main()
