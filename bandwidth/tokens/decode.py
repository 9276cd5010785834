"""How fast a model decodes in a place: what the bandwidth allows at most, and what is to be expected of it.

    seconds a step = sum over places of bytes read there / bandwidth there

Layers that are split over devices take turns; only tensor parallelism has them read at once. A step writes one token of
each sequence of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bandwidth.catalog.decoding import DeviceFit, HostFit
from bandwidth.tokens.model import Decoding, LanguageModel

Split = Literal["layers", "tensor"]
# An end of the range is never above the ceiling, nor below a hundredth of it: beyond what was fitted it says little.
LEAST_SHARE = 0.01


@dataclass(frozen=True)
class Host:
    """What is known of the processor that decodes: threads, sockets and its maker; None: not known."""

    threads: int | None = None
    sockets: int = 1
    maker: str = ""


@dataclass(frozen=True)
class Place:
    """A memory that holds weights, with all that is to be known of it.

    `bytes_per_s` is the ceiling's, of one of `count` devices; `slowest` and `fastest_bytes_per_s` what it is known to
    reach (the same where it was measured). `device_fit` says how a GPU decodes, None for a processor. `part` is the
    share of it that is this machine's, of a virtual GPU.
    """

    name: str
    bytes_per_s: float
    slowest_bytes_per_s: float
    fastest_bytes_per_s: float
    source: str
    capacity_bytes: int | None = None
    count: int = 1
    split: Split = "layers"
    device_fit: DeviceFit | None = None
    host: Host = Host()
    part: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def is_device(self) -> bool:
        """Whether a GPU decodes there."""
        return self.device_fit is not None

    @property
    def all_capacity_bytes(self) -> int | None:
        """What all of its devices hold, None where that is not known."""
        return None if self.capacity_bytes is None else self.capacity_bytes * self.count


@dataclass(frozen=True)
class Load:
    """A place and the share of the model's bytes that it holds and reads."""

    place: Place
    share: float = 1.0


@dataclass(frozen=True)
class Rate:
    """Tokens a second of all sequences together: the ceiling and the expected range."""

    ceiling: float
    expected: tuple[float, float]


def step_s(model: LanguageModel, decoding: Decoding, load: Load) -> float:
    """Return the least seconds in which a place reads its share of a step."""
    at_once = load.place.count if load.place.split == "tensor" else 1
    return model.step_bytes(decoding) * load.share / (load.place.bytes_per_s * at_once)


def rate_of(model: LanguageModel, decoding: Decoding, loads: Sequence[Load], fit: HostFit) -> Rate:
    """Return the ceiling and the expected range of a model in places that take turns."""
    ceiling = decoding.batch / sum(step_s(model, decoding, load) for load in loads)
    slow = sum(_expected_s(model, decoding, load, fit)[0] for load in loads)
    fast = sum(_expected_s(model, decoding, load, fit)[1] for load in loads)
    return Rate(ceiling, (decoding.batch / slow, min(ceiling, decoding.batch / fast)))


def _expected_s(model: LanguageModel, decoding: Decoding, load: Load, fit: HostFit) -> tuple[float, float]:
    """Return the longest and the shortest time of a step that are to be expected."""
    place, size = load.place, model.step_bytes(decoding) * load.share
    if place.device_fit is not None:
        return _device_s(model, size, load, place.device_fit)
    low, high = _host_shares(size, place, fit)
    return size / (place.slowest_bytes_per_s * low), size / (place.fastest_bytes_per_s * high)


def _device_s(model: LanguageModel, size: float, load: Load, fit: DeviceFit) -> tuple[float, float]:
    place = load.place
    at_once = place.count if place.split == "tensor" else 1
    layers = (model.layers or 0) * load.share
    slow = layers * fit.slow_s_per_layer + size / (place.slowest_bytes_per_s * at_once * fit.slow_share)
    fast = layers * fit.fast_s_per_layer + size / (place.fastest_bytes_per_s * at_once * fit.fast_share)
    return slow / place.part, fast


def _host_shares(size_bytes: float, place: Place, fit: HostFit) -> tuple[float, float]:
    """Return which shares of its read rate decoding gets; with unknown threads, the widest of the usual numbers."""
    host = place.host
    numbers = fit.usual_threads if host.threads is None else (host.threads,)
    ends = [
        tuple(
            fit.share(end, threads, host.sockets, host.maker, size_bytes, place.fastest_bytes_per_s)
            for end in ("low", "high")
        )
        for threads in numbers
    ]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return max(LEAST_SHARE, min(low, 1.0)), max(LEAST_SHARE, min(high, 1.0))


def fits(model: LanguageModel, decoding: Decoding, load: Load) -> bool | None:
    """Return whether a place holds its share of weights and cache, None where its size is not known."""
    held = load.place.all_capacity_bytes
    return None if held is None else needed_bytes(model, decoding) * load.share <= held


def needed_bytes(model: LanguageModel, decoding: Decoding) -> float:
    """Return the bytes that have to fit: all weights and the cache of all positions."""
    return model.weight_bytes + model.cache_bytes(decoding)


def best_threads(place: Place, size_bytes: float, fit: HostFit) -> int:
    """Return the number of threads past which a processor is expected to gain nothing."""
    shares = {
        threads: math.sqrt(
            math.prod(
                fit.share(end, threads, place.host.sockets, place.host.maker, size_bytes, place.fastest_bytes_per_s)
                for end in ("low", "high")
            )
        )
        for threads in fit.usual_threads
    }
    return max(shares, key=lambda threads: shares[threads])
