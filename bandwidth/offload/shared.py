"""Memory that a GPU shares with its processor: nothing is moved, and what each of them reaches of it counts.

The catalog says of which devices that is so, and a record of the GPUs that were measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from bandwidth.catalog import current_catalog
from bandwidth.catalog.model import Device
from bandwidth.offload.figures import SourcedFigure
from bandwidth.plain_text import one_line
from bandwidth.results import Record, Result
from bandwidth.theory import Peak
from bandwidth.units import format_rate


@dataclass(frozen=True)
class SharedMemory:
    """A memory that CPU and GPU share: `who` does, and its peak, None where it is that of whatever processor.

    `owner` is the device that was named. `is_fitted` tells that who built or owns the computer chose its modules, so
    that a SPEC of the host's memory says more than the catalog. `way` is the link over which the GPU reaches the
    memory, None where the two are one chip.
    """

    owner: str
    who: str
    peak: Peak | None = None
    is_fitted: bool = True
    way: Peak | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the GPU's way to the memory."""
        if self.way is None:
            return ()
        return (f"The GPU reaches the memory over {_unowned(self.way)}, {format_rate(self.way.bytes_per_s)} GB/s.",)

    def is_of(self, host: Peak) -> bool:
        """Return whether a host's SPEC may be of this memory, and not of another machine's."""
        if self.peak is None or host.bytes_per_s == self.peak.bytes_per_s:
            return True
        return self.is_fitted and not host.device

    def of_gpu(self, memory: SourcedFigure) -> SourcedFigure:
        """Return what the GPU has of the memory at most: its way may be narrower."""
        if self.way is None or self.way.bytes_per_s >= memory.value:
            return memory
        return SourcedFigure(self.way.bytes_per_s, "theory", self.way.name)


def shared_memory(found: tuple[Peak, ...]) -> SharedMemory | None:
    """Return the memory of a device, given by its peaks, that is its processor's too; None for one of its own."""
    device = _device(found[0])
    if device is None or not device.is_memory_shared:
        return None
    way = next((peak for peak in found if peak.kind == "link"), None)
    is_processor = device.kind == "cpu"
    who = f"{device.name} and its graphics" if is_processor else f"CPU and GPU of {device.name}"
    return SharedMemory(device.name, who, found[0], is_fitted=is_processor, way=way)


def of_its_processor(graphics: str) -> SharedMemory:
    """Return the memory of graphics that have none of their own, in a processor that is not named."""
    return SharedMemory(graphics, f"{graphics} and its processor")


def shared_in_record(record: Record, result: Result) -> str:
    """Return who shares the memory of the GPU that was measured where it is the host's, empty where it is not."""
    gpus = [record.gpus.get(number, {}) for number in result.case.devices]
    names = (one_line(gpu.get("name") or "the GPU") for gpu in gpus if gpu.get("unified_memory") is True)
    return next((f"{name} and its processor" for name in names), "")


def _device(peak: Peak) -> Device | None:
    return current_catalog().device(peak.query) if peak.device else None


def _unowned(link: Peak) -> str:
    """Return a link's name without the device's that it is of."""
    return link.name.removeprefix(f"{link.device}, ")
