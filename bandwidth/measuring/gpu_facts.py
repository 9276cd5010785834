"""What a plan needs to know of a GPU, whoever made it: its engine says so."""

from __future__ import annotations

from dataclasses import dataclass

_TRANSFERS_PER_CLOCK = 2  # the driver's clock counts as if all memory moved data twice a clock


@dataclass(frozen=True)
class GpuFacts:
    """What a plan needs to know of a GPU. `address` is its PCI address as sysfs writes it.

    Zero stands for what the driver does not tell. `has_host_link` tells that the GPU shares the page tables of the
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

    @property
    def peak_bytes_per_s(self) -> float | None:
        """The memory's peak by the driver's attributes, None where it does not tell them."""
        product = _TRANSFERS_PER_CLOCK * self.memory_clock_khz * 1000 * self.memory_width_bits / 8
        return product or None

    @property
    def peak_working(self) -> str:
        """How the peak is worked out, with its numbers."""
        clock = f"{self.memory_clock_khz / 1000:g}"
        return f"{_TRANSFERS_PER_CLOCK} x {clock} MHz x {self.memory_width_bits} bit / 8"


def numbers_of(target: str) -> tuple[int, ...]:
    """Return the devices of a target: `device:0`, `pcie:1`, or several at once, `device:0,1`; none of the host's."""
    return tuple(int(number) for number in target.partition(":")[2].split(",") if number.isdecimal())
