"""What decoding gets of a memory's bandwidth (specs/decoding.toml): on GPUs by their memory, on processors by a fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from bandwidth.catalog.entries import read_entries
from bandwidth.catalog.plain_entries import Constraint

DECODING_FILE = "decoding.toml"
HOST_DECODING_FILE = "decoding_host.toml"
MOST_SOCKETS = 8  # no more were fitted; a virtual machine may show one for each CPU
_Positive = Annotated[float, Constraint(gt=0, allow_inf_nan=False)]
_Share = Annotated[float, Constraint(gt=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class DeviceFit:
    """How GPUs with one kind of memory decode: a time for each layer, and a share of the peak; see the file."""

    name: str
    fast_s_per_layer: _Positive
    fast_share: _Share
    slow_s_per_layer: _Positive
    slow_share: _Share
    source: str


@dataclass(frozen=True)
class HostEnd:
    """One end of the share of its read rate that a processor decodes with: a sum whose exponential is the share.

    Doublings are of threads, of sockets, of the bytes that a step reads over 4 GB, and of the read rate a thread over
    8 GB/s.
    """

    name: str
    base: float
    per_doubling_of_threads: float
    more_past_32_threads: float
    more_past_128_threads: float
    per_doubling_of_sockets: float
    per_doubling_of_bytes: float
    per_doubling_of_rate_a_thread: float
    amd: float
    arm: float
    source: str


@dataclass(frozen=True)
class HostFit:
    """Both ends of a processor's share."""

    low: HostEnd
    high: HostEnd
    usual_threads: tuple[int, ...] = field(default=(4, 8, 16, 32, 64))

    def share(
        self,
        end: Literal["low", "high"] | str,
        threads: int,
        sockets: int,
        maker: str,
        size_bytes: float,
        read_bytes_per_s: float,
    ) -> float:
        """Return an end of the share of the read rate, for so many threads that read so many bytes a step."""
        fit = self.low if end == "low" else self.high
        doublings = math.log2(threads)
        return math.exp(
            fit.base
            + fit.per_doubling_of_threads * doublings
            + fit.more_past_32_threads * max(0.0, doublings - 5)
            + fit.more_past_128_threads * max(0.0, doublings - 7)
            + fit.per_doubling_of_sockets * math.log2(min(sockets, MOST_SOCKETS))
            + fit.per_doubling_of_bytes * math.log2(size_bytes / 4e9)
            + fit.per_doubling_of_rate_a_thread * math.log2(read_bytes_per_s / threads / 8e9)
            + {"AMD": fit.amd, "Arm": fit.arm}.get(maker, 0.0)
        )


def read_device_fits(folder: Path) -> dict[str, DeviceFit]:
    """Return the fit of each kind of memory. Raises BandwidthError as `read_entries`."""
    return {fit.name: fit for fit in read_entries(folder / DECODING_FILE, DeviceFit)}


def read_host_fit(folder: Path) -> HostFit:
    """Return the fit of processors. Raises BandwidthError as `read_entries`."""
    ends = {end.name: end for end in read_entries(folder / HOST_DECODING_FILE, HostEnd)}
    return HostFit(ends["low"], ends["high"])
