"""What a plan needs to know of a GPU, whoever made it: its engine says so."""

from __future__ import annotations

from dataclasses import dataclass

_TRANSFERS_PER_CLOCK = 2  # the driver's clock counts as if all memory moved data twice a clock


@dataclass(frozen=True)
class GpuFacts:
    """What a plan needs to know of a GPU. `address` is its PCI address as sysfs writes it.

    Zero stands for what the driver does not tell. Where `is_opened` is false it was only asked what it is, and all of
    its memory counts as free. `has_host_link` tells that the GPU shares the page tables of the
    host, as behind NVLink-C2C: its link is not PCIe.
    """

    number: int
    name: str
    address: str
    memory_clock_khz: int
    memory_width_bits: int
    l2_bytes: int
    multiprocessors: int
    free_bytes: int
    total_bytes: int
    has_ecc: bool
    has_host_link: bool
    compute_capability: str
    driver_version: str
    runtime_version: str
    numa_node: int | None = None
    is_opened: bool = True

    @property
    def peak_bytes_per_s(self) -> float | None:
        """The memory's peak by the driver's attributes, None where it does not tell them."""
        return attribute_peak_bytes_per_s(self.memory_clock_khz, self.memory_width_bits) or None

    @property
    def peak_working(self) -> str:
        """How the peak is worked out, with its numbers."""
        return attribute_peak_working(self.memory_clock_khz, self.memory_width_bits)


def attribute_peak_bytes_per_s(memory_clock_khz: int, memory_width_bits: int) -> float:
    """Return the peak of a memory in bytes per second by the clock and the width that NVIDIA's driver tells."""
    return _TRANSFERS_PER_CLOCK * memory_clock_khz * 1000 * memory_width_bits / 8


def attribute_peak_working(memory_clock_khz: int, memory_width_bits: int) -> str:
    """Return how that peak is worked out, with its numbers."""
    return f"{_TRANSFERS_PER_CLOCK} x {memory_clock_khz / 1000:g} MHz x {memory_width_bits} bit / 8"
