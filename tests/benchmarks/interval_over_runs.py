"""Whether the interval that a run reports holds the median of many runs: whole `bandwidth measure` processes in a row.

    python tests/benchmarks/interval_over_runs.py [RUNS] [--budget 8s] [--known]

Each run is a process with memory of its own, and knows the ones before it by the cache folder: a new one (with the
kernels' shapes of the user's), and three runs come before those that count, as only then the interval is from run to
run; or, with --known, the user's own, in which earlier runs stand and to which these are added. A case's runs are those
in the state of the machine that most of them were in: a hypervisor that moves the CPUs doubles a rate.
The bar: nine of ten runs of each case. Exit 1 below it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bandwidth.cache_files import cache_folder
from bandwidth.results import summarise
from bandwidth.results.files import load
from bandwidth.statistics import CLUSTERS_RATIO, FEWEST_REPEATS, median

BAR = 0.9
MEASURE = ["-m", "bandwidth", "measure", "host", "--kernel", "read,copy,triad", "--engine", "native", "--quiet"]


def main() -> int:
    """Print how many of its runs' intervals hold the median of each case; return 1 where one misses the bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="?", type=int, default=20)
    parser.add_argument("--budget", default="8s")
    parser.add_argument("--known", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ if asked.known else {**os.environ, "XDG_CACHE_HOME": _cache_in(Path(folder))}
        before = 0 if asked.known else FEWEST_REPEATS
        paths = [Path(folder, f"{number}.json") for number in range(before + asked.runs)]
        records = [_record(path, asked.budget, environment) for path in paths][before:]
    return int(sum(_line(case_id, summaries) for case_id, summaries in _by_case(records).items()) > 0)


def _cache_in(folder):
    """Return a cache folder with the shapes of the user's and without the earlier runs."""
    own = cache_folder()
    if own is not None and own.is_dir():
        shutil.copytree(own, folder / "bandwidth", ignore=shutil.ignore_patterns("earlier-runs-*"))
    return str(folder)


def _record(path, budget, environment):
    command = [sys.executable, *MEASURE, "--budget", budget, "--save", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stderr)
    return load(path)


def _by_case(records):
    """Return the figures of each case in all records, in their order."""
    cases = {}
    for record in records:
        for result in record.results:
            if summarise(result).reported is not None and not result.case.is_latency:
                cases.setdefault(result.case.id, []).append(summarise(result))
    return cases


def _line(case_id, summaries):
    """Print a case's line; return whether it misses the bar."""
    usual = median([one.median_bytes_per_s for one in summaries])
    found = [one for one in summaries if 1 / CLUSTERS_RATIO < one.median_bytes_per_s / usual < CLUSTERS_RATIO]
    middle = median([one.median_bytes_per_s for one in found])
    of_run, reported = (sum(end.low <= middle <= end.high for end in ends) for ends in _intervals(found))
    reach, alone = (100 * median([value for value in values if value is not None]) for values in _reaches(found))
    print(
        f"{case_id:40} {middle / 1e9:7.2f} GB/s  reported {reported} of {len(found)} (reach {reach:.1f} %)  "
        f"of the run alone {of_run} ({alone:.1f} %)  {len(summaries) - len(found)} in another state",
        flush=True,
    )
    return reported < BAR * len(found)


def _intervals(found):
    return [one.ci95 for one in found], [one.reported for one in found]


def _reaches(found):
    return [one.reach for one in found], [one.half_width for one in found]


if __name__ == "__main__":
    sys.exit(main())
