"""What a plan needs to know of a GPU, whoever made it: its engine says so."""

from __future__ import annotations

from dataclasses import dataclass


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
