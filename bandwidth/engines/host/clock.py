"""The clock of a core, seen by how long a chain of instructions of one cycle each takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bandwidth.engines.host.native_code.kernel_arguments import CHAIN_LENGTH, Barrier, KernelArguments
from bandwidth.engines.host.workers import NS_PER_S, Team

# A tenth of a millisecond at 3 GHz: long beside a reading of the time, short beside a block.
CLOCK_CALLS = 5_000
CLOCK_TRIES = 3
# Any numbers with many bits set do: the compiler must not know them.
CLOCK_OPERANDS = (0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03)


def clock_hz(function: Callable[[KernelArguments], None], barrier: Barrier, team: Team) -> float | None:
    """Return the clock of the first worker's core just now in Hz; None where the system stopped it meanwhile.

    The fastest of a few tries: an interrupt can only make one look slower.
    """
    one, other = CLOCK_OPERANDS
    seen = []
    for _ in range(CLOCK_TRIES):
        barrier.open()
        arguments = barrier.arguments(threads=1, source_0=1, source_1=one, destination=other, calls=CLOCK_CALLS)
        team.each([partial(function, arguments)])
        if arguments.made == CLOCK_CALLS and arguments.end_ns > arguments.start_ns:
            seen.append(CLOCK_CALLS * CHAIN_LENGTH / (arguments.end_ns - arguments.start_ns) * NS_PER_S)
    return max(seen, default=None)
