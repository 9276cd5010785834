"""Host memory as NumPy code reaches it: each kernel is one NumPy call that makes no temporary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from operator import xor
from typing import TypeAlias

import numpy as np

from bandwidth.engines.host.memory import Doubles
from bandwidth.engines.host.runner import Work
from bandwidth.engines.host.workers import Stamp, Team
from bandwidth.kernels import KERNELS, Kernel
from bandwidth.results import Case

Operation: TypeAlias = Callable[[Sequence[Doubles], Doubles, float], object]


def operation(kernel: Kernel) -> Operation:
    """Return the one NumPy call of a kernel, as its row names it: a ufunc takes the sources, then the scalar."""
    if kernel.numpy == "copyto":
        return lambda sources, destination, _: np.copyto(destination, sources[0])
    if kernel.numpy == "fill":
        return lambda _, destination, scalar: destination.fill(scalar)
    ufunc: np.ufunc = getattr(np, kernel.numpy)
    if kernel.reduces:
        return lambda sources, _, __: ufunc.reduce(sources[0].view(np.uint64) if kernel.words else sources[0])
    scalars = ufunc.nin - kernel.reads
    return lambda sources, destination, scalar: ufunc(*sources, *[scalar] * scalars, out=destination)


OPERATIONS: dict[str, Operation] = {kernel.name: operation(kernel) for kernel in KERNELS.values() if kernel.numpy}


class NumpyRunner:
    """Runs passes as NumPy calls. See `Runner`; `operations` is a seam: the tests give some that lie."""

    def __init__(self, operations: Mapping[str, Operation] = OPERATIONS) -> None:
        self._operations = operations

    def prepare(self, cases: Sequence[Case]) -> dict[str, str]:  # noqa: ARG002 - see `Runner`
        """Refuse nothing: NumPy is there."""
        return {}

    def run(self, team: Team, works: Sequence[Work], calls: int) -> list[Stamp]:
        """Run each thread's call. See `Runner`."""
        return team.timed([self._call(work) for work in works], calls)

    def joined(self, columns: Sequence[int]) -> int:
        """Return the exclusive or of all columns: NumPy's reduction goes on to the end."""
        return reduce(xor, columns)

    def tune(self, team: Team, works: Sequence[Work]) -> int:  # noqa: ARG002
        """Return 0: NumPy's loops are as they are."""
        return 0

    def clock_hz(self, team: Team) -> None:
        """Return None: through NumPy no clock can be seen."""

    def stop(self) -> None:
        """Do nothing: the team ends its work between calls."""

    def _call(self, work: Work) -> Callable[[], object]:
        return partial(self._operations[work.kernel.name], work.part.sources, work.part.destination, work.scalar)
