"""The model: work that only reads its data, on the host and, with the way there and back, on a device.

    host    passes x (call + bytes / host)
    device  link latency + bytes / link + passes x (launch + bytes / device) + the result's way back

A link that is faster than the host's memory moves what that gives and takes. Nothing here knows where a figure came
from (sources.py) or how it is printed. An infinite rate is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from bandwidth.errors import BandwidthError

# Beyond any data or patience: what is not faster there is never faster.
MOST = 2**80
# Sums of floats differ in their last digits: what gains less than this gains nothing.
EQUAL = 1e-12


@dataclass(frozen=True)
class CacheRate:
    """A cache of the host that serves data of at most `size_bytes` at `bytes_per_s`."""

    name: str
    size_bytes: int
    bytes_per_s: float


@dataclass(frozen=True)
class Workload:
    """What is to be done with the data, but for its size and passes.

    The result has `result_bytes` and `result_share` of the data's size. With `overlap` the first pass runs on what has
    arrived and the result leaves during the last one; `resident` data is on the device already. The data is divided
    among `devices`, each with a link of its own, or all on one with `shared_link`. Raises BandwidthError.
    """

    result_bytes: int = 0
    result_share: float = 0.0
    overlap: bool = False
    resident: bool = False
    devices: int = 1
    shared_link: bool = False

    def __post_init__(self) -> None:
        """Raise BandwidthError for a number that makes no sense."""
        if self.devices < 1:
            raise BandwidthError(f"{self.devices} is not a valid number of devices", "use 1 or more")
        if self.result_bytes < 0 or not 0 <= self.result_share < math.inf:
            raise BandwidthError("the size of the result is negative", "use 0 or more")

    @property
    def has_result(self) -> bool:
        """Whether a result comes back that is worth counting."""
        return bool(self.result_bytes or self.result_share)

    def result_size(self, size_bytes: float) -> float:
        """Return the bytes of the result of so much data."""
        return self.result_bytes + self.result_share * size_bytes


@dataclass(frozen=True)
class Model:
    """The rates in bytes per second, the latencies of a call in seconds, and the work. Raises BandwidthError.

    `host_latency_s` is a call's on the host, `launch_latency_s` on the device, `link_latency_s` of a transfer.
    """

    host_bytes_per_s: float
    link_bytes_per_s: float
    device_bytes_per_s: float
    link_back_bytes_per_s: float
    host_latency_s: float = 0.0
    launch_latency_s: float = 0.0
    link_latency_s: float = 0.0
    caches: tuple[CacheRate, ...] = ()
    work: Workload = field(default_factory=Workload)

    def __post_init__(self) -> None:
        """Raise BandwidthError for a rate that is not above zero or a latency below; order the caches."""
        rates = (self.host_bytes_per_s, self.link_bytes_per_s, self.device_bytes_per_s, self.link_back_bytes_per_s)
        if not all(rate > 0 for rate in rates):
            raise BandwidthError("a bandwidth is not above zero", "use rates such as 90GB/s")
        if not all(0 <= s < math.inf for s in (self.host_latency_s, self.launch_latency_s, self.link_latency_s)):
            raise BandwidthError("a latency is not a valid time", "use 0 or more seconds")
        object.__setattr__(self, "caches", _useful(self.caches, self.host_bytes_per_s))

    def host_rate(self, size_bytes: float) -> float:
        """Return the host's rate for so much data: of the first cache that holds all of it, else of the memory."""
        held = (cache.bytes_per_s for cache in self.caches if size_bytes <= cache.size_bytes)
        return next(held, self.host_bytes_per_s)

    def host_s(self, size_bytes: int, passes: int) -> float:
        """Return the seconds of the work on the host."""
        _check(size_bytes, passes)
        return passes * self._host_pass_s(size_bytes)

    def device_s(self, size_bytes: int, passes: int) -> float:
        """Return the seconds of the work on the device, with all ways."""
        _check(size_bytes, passes)
        result = self.work.result_size(size_bytes)
        transfers = (not self.work.resident) + (result > 0)
        busy = self._busy_s(size_bytes, result, passes)
        return transfers * self.link_latency_s + passes * self.launch_latency_s + busy

    def speedup(self, size_bytes: int, passes: int) -> float:
        """Return how many times as fast the device is."""
        return self.host_s(size_bytes, passes) / self.device_s(size_bytes, passes)

    def large_speedup(self, passes: int) -> float:
        """Return what the speed-up tends to as the data grows: latencies and a result of fixed size no longer count."""
        _check(1, passes)
        return passes / self.host_bytes_per_s / self._busy_s(1, self.work.result_share, passes)

    def long_speedup(self, size_bytes: int) -> float:
        """Return what the speed-up tends to as the passes become more: the way there and back no longer counts."""
        _check(size_bytes, 1)
        return self._host_pass_s(size_bytes) / self._device_pass_s(size_bytes)

    @property
    def ratio(self) -> float:
        """The bandwidth of all devices over the host's: no speed-up of large data is above it."""
        return self._devices_rate / self.host_bytes_per_s

    def is_faster(self, size_bytes: int, passes: int) -> bool:
        """Return whether the device is faster."""
        return self.device_s(size_bytes, passes) < self.host_s(size_bytes, passes)

    def break_even_passes(self, size_bytes: int) -> int | None:
        """Return the fewest passes with which the device is faster, None where none are enough.

        Beyond them it stays faster: each pass gains the same, and the first and last no more than others.
        """
        _check(size_bytes, 1)
        if self.long_speedup(size_bytes) <= 1 + EQUAL:
            return None
        return _first(lambda passes: self.is_faster(size_bytes, passes), 1)

    def break_even_bytes(self, passes: int) -> int | None:
        """Return the least size from which on the device is faster at every size, None where there is none.

        Between the caches' sizes the host's lead is a convex function of the size (a device's time is a sum of the
        larger of straight lines), so in each part that ends with the device ahead it changes hands at most once.
        """
        if self.large_speedup(passes) <= 1 + EQUAL:
            return None
        starts = [1, *(cache.size_bytes + 1 for cache in self.caches)]
        for start, end in zip(reversed(starts), [None, *(low - 1 for low in reversed(starts[1:]))], strict=True):
            if end is not None and not self.is_faster(end, passes):
                return end + 1
            if not self.is_faster(start, passes):
                return _first(lambda size: self.is_faster(size, passes), start, end)
        return 1

    @property
    def _devices_rate(self) -> float:
        return self.device_bytes_per_s * self.work.devices

    @property
    def links(self) -> int:
        """How many links the data takes at once."""
        return 1 if self.work.shared_link else self.work.devices

    @property
    def is_memory_narrower(self) -> bool:
        """Whether the host's memory is slower than all links together, so that it limits the way there."""
        return self.host_bytes_per_s < self.link_bytes_per_s * self.links

    def _moved_bytes_per_s(self, link_bytes_per_s: float) -> float:
        """Return the rate of a move in one direction over all links."""
        return min(link_bytes_per_s * self.links, self.host_bytes_per_s)

    def _host_pass_s(self, size_bytes: float) -> float:
        return self.host_latency_s + size_bytes / self.host_rate(size_bytes)

    def _device_pass_s(self, size_bytes: float) -> float:
        return self.launch_latency_s + size_bytes / self._devices_rate

    def _busy_s(self, size_bytes: float, result_bytes: float, passes: int) -> float:
        """Return the seconds of moving and working, latencies apart."""
        into = 0.0 if self.work.resident else size_bytes / self._moved_bytes_per_s(self.link_bytes_per_s)
        out = result_bytes / self._moved_bytes_per_s(self.link_back_bytes_per_s)
        once = size_bytes / self._devices_rate
        if not self.work.overlap:
            return into + passes * once + out
        if passes == 1:
            return max(into, once, out)
        return max(into, once) + (passes - 2) * once + max(once, out)


def _useful(caches: tuple[CacheRate, ...], memory_bytes_per_s: float) -> tuple[CacheRate, ...]:
    """Return the caches that are faster than what is larger, the smallest first; noise alone makes one slower."""
    kept: list[CacheRate] = []
    for cache in sorted(caches, key=lambda cache: -cache.size_bytes):
        if cache.bytes_per_s > (kept[-1].bytes_per_s if kept else memory_bytes_per_s) and cache.size_bytes > 0:
            kept.append(cache)
    return tuple(reversed(kept))


def _first(holds: Callable[[int], bool], low: int, high: int | None = None) -> int | None:
    """Return the first number from `low` on for which something holds that holds for all beyond it; None beyond MOST.

    `high`, where it is given, is a number for which it is known to hold.
    """
    if holds(low):
        return low
    end = high or 2 * low
    while high is None and not holds(end):
        low, end = end, 2 * end
        if end > MOST:
            return None
    while end - low > 1:
        middle = (low + end) // 2
        low, end = (low, middle) if holds(middle) else (middle, end)
    return end


def _check(size_bytes: int, passes: int) -> None:
    """Raise BandwidthError for no data or no pass."""
    if size_bytes < 1:
        raise BandwidthError(f"{size_bytes} bytes is not a size", "use a size above zero, such as 47MB")
    if passes < 1:
        raise BandwidthError(f"{passes} is not a valid number of passes", "use 1 pass or more")
