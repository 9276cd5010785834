"""What devices have in common whose kernels are compiled from the common source: memory, filling, checking, passes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from numpy.typing import NDArray

from bandwidth.engines.devices.surface import PAIR_BYTES, Abilities, Checked, Pool, Shape, Span
from bandwidth.engines.devices.verification import HostVerification, KernelVerification, Verification
from bandwidth.errors import BandwidthError
from bandwidth.kernels import ELEMENT_BYTES, Kernel

LINEAR_THREADS = 256
LINEAR_BLOCKS = 8  # for each multiprocessor: 2048 threads


class CodedDevice(ABC):
    """A device whose kernels are compiled. See `Device`.

    A maker has to add `active`, `load`, `launch`, `take` and what is read back: results lie where it wants them.
    """

    number: int
    abilities: Abilities
    queue: Any
    result: Span
    linear_threads = LINEAR_THREADS

    def __init__(self, number: int) -> None:
        self.number = number
        self.pool: Pool
        self.uncompiled: dict[str, str] = {}
        self.verification: Verification = KernelVerification()

    @abstractmethod
    def active(self) -> AbstractContextManager[None]:
        """Make it the current device."""

    @abstractmethod
    def load(self, path: str) -> None:
        """Compile and load the kernels of a path, "" for what all need."""

    @abstractmethod
    def launch(self, name: str, groups: int, threads: int, *arguments: Span | int | float, path: str = "") -> None:
        """Queue a kernel: integers go as 64-bit words, floats as elements."""

    @abstractmethod
    def take(self, size_bytes: int) -> Span:
        """Return memory of its own."""

    @abstractmethod
    def clear_check(self) -> Span:
        """Queue the clearing of a check's result, and return where that is."""

    @abstractmethod
    def check_result(self) -> tuple[int, int]:
        """Wait, and return how many words a check found wrong, and the first of them."""

    # --- code and memory

    def compile(self, paths: tuple[str, ...]) -> None:
        """Make the code. What cannot be compiled is told by `why_not`; without what fills and checks the host does."""
        self._try("")
        if self.why_not(""):
            self.verification = HostVerification()
            return
        for path in paths:
            self._try(path)

    def _try(self, path: str) -> None:
        try:
            with self.active():
                self.load(path)
        except BandwidthError as error:  # the copies need none of it
            self.uncompiled[path] = str(error)

    def why_not(self, path: str) -> str:
        """Return why the kernels of a path, "" for those that all need, could not be compiled; "" if they were."""
        return self.uncompiled.get("") or self.uncompiled.get(path, "")

    def reserve(self, layouts: Sequence[Sequence[int]]) -> None:
        """Take the memory that all cases share. Raises BandwidthError where there is not enough."""
        with self.active():
            self.pool.reserve(layouts)

    def spans(self, sizes: Sequence[int]) -> list[Span]:
        """Return arrays of these sizes in the shared memory."""
        return self.pool.spans(sizes)

    @property
    def memory(self) -> Span:
        """The shared memory, or as much of it as is in one piece."""
        return self.pool.first

    # --- kernels; the device is active

    def over(self, name: str, count: int, *arguments: Span | int | float, path: str = "") -> None:
        """Queue a kernel that strides over `count` things, with as many threads as are under way at once."""
        groups = min(-(-count // self.linear_threads), LINEAR_BLOCKS * self.abilities.multiprocessors)
        self.launch(name, groups, self.linear_threads, *arguments, path=path)

    def fill(self, span: Span, seed: int, first: int = 0) -> None:
        """Queue the filling of some memory with the numbers of a seed, from word `first` of its array on."""
        self.verification.fill(self, span, seed, first)

    def fill_by_kernel(self, span: Span, seed: int, first: int) -> None:
        """Queue the kernel that fills."""
        pairs = span.size_bytes // PAIR_BYTES
        self.over("fill", pairs, span, pairs, first, seed)

    def wrong_words(self, checked: Checked, *, whole: bool) -> str:
        """Wait, and return what is wrong with words in memory, of which not all are looked at if not `whole`; or ""."""
        return self.verification.wrong_words(self, checked, whole=whole)

    def count_wrong(self, checked: Checked) -> tuple[int, int]:
        """Wait, and return how many words a check finds wrong, and the first of them."""
        count, out = checked.size_bytes // ELEMENT_BYTES, self.clear_check()
        given = (checked.first, checked.seed, float(checked.scalar))
        self.over(f"check_{checked.name}", count, checked.span, count, *given, out, path=checked.path)
        return self.check_result()

    def run(self, kernel: Kernel, shape: Shape, sources: Sequence[Span], target: Span | None, scalar: float) -> None:
        """Queue a pass; one that reduces has no target, and adds its number to those of the passes before."""
        pairs = (target or sources[0]).size_bytes // PAIR_BYTES
        groups = shape.blocks(pairs, self.abilities.multiprocessors)
        spans, name = (*sources, self.result if target is None else target), f"{kernel.name}_{shape.ending}"
        self.launch(name, groups, shape.threads, *spans, float(scalar), pairs, path=kernel.name)

    def link(self, nodes: Span, order: Span, count: int) -> None:
        """Queue the writing of a cycle that leads through `count` nodes in an order."""
        self.over("link", count, nodes, order, count)

    def chase(self, nodes: Span, offset: int, calls: int) -> None:
        """Queue the loads of so many calls, each from where the one before says; the first from a byte on."""
        self.launch("chase", 1, 1, nodes, offset, calls, self.result)

    @abstractmethod
    def copy_in(self, span: Span, array: NDArray[Any]) -> None:
        """Wait for the work before, copy an array into memory of the device, and wait."""

    @abstractmethod
    def copy_out(self, array: NDArray[Any], span: Span) -> None:
        """Wait for the work before, and copy memory of the device into an array."""
