"""Lists of CPUs as the kernel and the user write them: `0-3,8,10-11`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bandwidth.errors import BandwidthError

# Linux is built for at most 8,192 CPUs; the bound keeps `0-99999999999` from filling the memory.
HIGHEST_CPU = 65_535
_LONGEST_SHOWN = 60
_RANGE = re.compile(r"\s*([0-9]{1,20})\s*(?:-\s*([0-9]{1,20})\s*)?", re.ASCII)
_HINT = "write it as 0-3,8,10-11"


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list, in order and each once. Raises BandwidthError, also for an empty list."""
    shown = repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")
    ranges = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise BandwidthError(f"{shown} is not a list of CPUs", _HINT)
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise BandwidthError(f"{shown} is not a list of CPUs: {first}-{last} runs backwards", _HINT)
        if last > HIGHEST_CPU:
            raise BandwidthError(f"{shown} is not a list of CPUs: {last} is above {HIGHEST_CPU}", _HINT)
        ranges.append((first, last))
    return _expanded(ranges)


def format_cpu_list(cpus: Iterable[int]) -> str:
    """Return CPUs as the kernel writes them, `0-3,8`; an empty text for none."""
    ranges: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def numbers_of(text: str | None) -> tuple[int, ...]:
    """Return the CPUs, or nodes, of a list that the kernel wrote; none where it is empty or anything else."""
    if text is None or not text.strip():
        return ()
    try:
        return parse_cpu_list(text)
    except BandwidthError:
        return ()


def _expanded(ranges: list[tuple[int, int]]) -> tuple[int, ...]:
    """Return the numbers of overlapping ranges; each number is visited once, however often it is named."""
    cpus: list[int] = []
    reached = -1
    for first, last in sorted(ranges):
        cpus.extend(range(max(first, reached + 1), last + 1))
        reached = max(reached, last)
    return tuple(cpus)
