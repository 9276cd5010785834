"""`bandwidth theory DDR4-2933 --channels 4` against importing its libraries, whole processes in turn.

    python tests/benchmarks/theory_start_time.py [PAIRS]

The bar: a median ratio of at most 1.5. Exit 1 above it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from pairs import ratio_of_pairs

BAR = 1.5
LIBRARIES = [sys.executable, "-c", "import typer, pydantic, tabulate"]
THEORY = [str(Path(sys.executable).with_name("bandwidth")), "theory", "DDR4-2933", "--channels", "4"]


def main() -> int:
    """Print the ratio; return 1 where it misses the bar."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    ratio = ratio_of_pairs(lambda: _seconds(THEORY), lambda: _seconds(LIBRARIES), pairs)
    print(f"bandwidth theory / importing its libraries = {ratio}")
    return int(ratio.median > BAR)


def _seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
