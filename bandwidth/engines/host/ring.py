"""A word that goes round some threads, from core to core: each waits for it in a place of its own, and sends it on."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from bandwidth.engines.host.native_code.kernel_arguments import APART_BYTES, Barrier, KernelArguments
from bandwidth.kernels import ELEMENT_BYTES


class Ring:
    """Some threads by their numbers, and the places through which a word goes round them, `rounds` times in a pass.

    Each place has a cache line of its own, or, from `one_line_at` on, all share that one line.
    """

    def __init__(self, threads: Sequence[int], rounds: int, one_line_at: int | None = None) -> None:
        self.threads = tuple(threads)
        self.rounds = rounds
        self.barrier = Barrier()
        self._memory = ctypes.create_string_buffer((len(threads) + 1) * APART_BYTES)
        own = -(-ctypes.addressof(self._memory) // APART_BYTES) * APART_BYTES
        self._begin, self._apart_bytes = (own, APART_BYTES) if one_line_at is None else (one_line_at, ELEMENT_BYTES)

    def arguments(self, passes: int, limit_ns: int) -> list[KernelArguments]:
        """Return what its threads are told, in their order; the places are set back.

        They make so many passes, fewer where these take longer than the limit.
        """
        self.barrier.open()
        count = len(self.threads)
        ctypes.memset(self._begin, 0, count * self._apart_bytes)
        return [
            self.barrier.arguments(
                threads=count,
                source_0=self._place(number),
                destination=self._place((number + 1) % count),
                source_1=int(number == 0),
                elements=self.rounds,
                calls=passes,
                interval_ns=limit_ns,
            )
            for number in range(count)
        ]

    def fault(self, argument_sets: Sequence[KernelArguments]) -> str:
        """Return what is wrong with the counts that the word left in its places, "" where they are as told."""
        for number, arguments in enumerate(argument_sets):
            sent = ctypes.c_uint64.from_address(self._place((number + 1) % len(self.threads))).value
            least, most = arguments.made * self.rounds, arguments.calls * self.rounds
            # A thread that ended at the limit may have sent the word on in a pass that it did not end.
            if not least <= sent <= min(least + self.rounds, most):
                return f"thread {number} passed the value on {sent:,} times, but recorded {least:,} of {most:,}"
        return ""

    def _place(self, number: int) -> int:
        return self._begin + number * self._apart_bytes


def fastest_ns(argument_sets: Sequence[KernelArguments], rounds: int) -> float | None:
    """Return how long one hop took in the fastest pass, None where no pass but the first came to its end."""
    fastest = min((one.fastest_ns for one in argument_sets if one.fastest_ns), default=0)
    return fastest / (rounds * len(argument_sets)) if fastest else None
