"""The words and sizes that hold the tool together: what is measured, with what, from where; spelled here alone."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

# What can be measured: the host's memory, a device's (a GPU's) memory, and the link between the two.
HOST: Final = "host"
DEVICE: Final = "device"
PCIE: Final = "pcie"
TARGETS = (HOST, DEVICE, PCIE)
# The host's engines: compiled kernels, and what NumPy code gets.
NATIVE, NUMPY = "native", "numpy"
# Kinds of store: past the caches, or through them.
STREAMING, ORDINARY = STORES = ("streaming", "ordinary")
# Kinds of host memory that a GPU copies from and to.
PINNED, PAGEABLE, WRITE_COMBINED = HOST_MEMORY = ("pinned", "pageable", "write_combined")
# Paths that are no kernels: the time of a load, that of a cache line from core to core, and copies over a link.
LATENCY, BETWEEN_CORES = TIMES = ("latency", "core_to_core")
H2D, D2H, BIDIRECTIONAL = LINK_PATHS = ("h2d", "d2h", "bidirectional")
# The kernels that most people ask for.
TELLING = ("read", "write", "copy", "triad")
# What two CPUs are on at the nearest, the nearest first: in a record, and in words.
SHARED = {
    "core": "the same core",
    "L2": "the same L2",
    "L3": "the same L3",
    "L4": "the same L4",
    "node": "the same NUMA node",
    "socket": "the same socket",
    "machine": "different sockets",
}
# What tells two results of one path apart (keys and values of a variant).
SWEEP_POINT, ZEROS, PAIR = "sweep_point", "zeros", "pair"
# Observed of a block whose device told times that were not to be believed: the host's clock was taken.
BY_HOST_CLOCK = "by_host_clock"
# The smallest page, the line of x86 and most of Arm, which a load that misses brings, and bytes per second in a GB/s.
PAGE_BYTES = 4096
LINE_BYTES = 64
GIGA = 10**9
NS_PER_S = 10**9
# How sure a ceiling is: the maker's document, others' measurement, and what is shown but never concluded from.
Confidence = Literal["high", "medium", "low"]
HIGH: Confidence = "high"
MEDIUM: Confidence = "medium"
LOW: Confidence = "low"
# What a ceiling is: its kind in a record, in a few letters for a column, and in words.
CEILING_WORDS = {
    "memory": ("memory", "the installed memory"),
    "memory_full": ("full", "the memory with every channel filled, at the rated speed"),
    "platform": ("CPU max", "the processor's documented maximum"),
    "instance": ("host", "the memory of the cloud host, which other guests share"),
    "fabric": ("CCD link", "the chiplets' links to the memory"),
    "core": ("core", "the cache lines that the cores keep in flight"),
    "cache": ("cache", "the width of the cache"),
    "socket_link": ("socket", "the link between the sockets"),
    "device": ("GPU", "the GPU's memory"),
    "link": ("link", "the link as negotiated"),
}


def ceiling_words(kind: str) -> tuple[str, str]:
    """Return what a ceiling is in a few letters and in words; a kind of a later version is its own name."""
    return CEILING_WORDS.get(kind, (kind, kind))


# Above these a measurement is wrong; above another, our figure is.
SURE_CEILINGS = frozenset({"memory", "memory_full", "device", "link"})


class Target(NamedTuple):
    """What a case is about: its kind, one of TARGETS, and the numbers of the GPUs that take part, none for the host."""

    kind: str
    devices: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the target as a record has it: `host`, `device:0`, `pcie:0,1`."""
        return f"{self.kind}:{','.join(map(str, self.devices))}" if self.devices else self.kind

    @property
    def words(self) -> str:
        """The target as screens have it: `host`, `device 0`, `devices 0,1`, `link of device 0`."""
        if not self.devices:
            return self.kind
        devices = f"device{'s' * (len(self.devices) > 1)} {','.join(map(str, self.devices))}"
        return f"link of {devices}" if self.kind == PCIE else devices

    @staticmethod
    def parse(text: str) -> Target:
        """Return the target that a record has; of numbers that are none nothing is kept."""
        kind, _, numbers = text.partition(":")
        return Target(kind, tuple(int(number) for number in numbers.split(",") if number.isdecimal()))


# What the memory of random reads lies in.
HUGE_PAGES, SMALL_PAGES = "huge", "small"
