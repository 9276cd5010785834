"""Figures measured now, and the same expression timed on host and device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bandwidth.errors import BandwidthError, InterruptError
from bandwidth.offload.answer import Timed
from bandwidth.offload.model import Work
from bandwidth.offload.sources import KERNELS, Asked, Source
from bandwidth.vocabulary import HOST, PCIE, PINNED

if TYPE_CHECKING:
    from bandwidth.planning.options import MeasureOptions

BUDGET_S = 5.0
THIS_MACHINE = "this machine, now"


def measured_now(target: str, asked: Asked, command: Sequence[str], budget_s: float = BUDGET_S) -> Source:
    """Measure what the model needs of a target, `host`, `device` or `pcie`.

    Raises HardwareError without what is to be measured, BandwidthError where nothing could be.
    """
    from bandwidth.measuring.measure import measure_prepared, prepare

    record, interrupted = measure_prepared(prepare(_options(target, asked, budget_s)), command)
    if interrupted:
        raise InterruptError("interrupted", "nothing was worked out")
    failed = [result.case.id for result in record.results if not result.is_verified]
    if failed:
        raise BandwidthError(f"verification failed: {', '.join(failed)}", "see `bandwidth explain BW006`")
    if not record.results:
        reason = record.not_run[0].reason if record.not_run else "give a larger --budget"
        raise BandwidthError(f"nothing could be measured of {target}", reason)
    return Source(THIS_MACHINE, record, "measured")


def _options(target: str, asked: Asked, budget_s: float) -> MeasureOptions:
    from bandwidth.planning.options import MeasureOptions

    if target == PCIE:
        return MeasureOptions(
            target=target, kernels=("h2d", "d2h"), host_memory=(asked.host_memory,), budget_s=budget_s
        )
    kernels = (asked.kernel or KERNELS[0],)
    if target != HOST:
        return MeasureOptions(target=target, kernels=kernels, budget_s=budget_s)
    return MeasureOptions(
        target=target,
        kernels=kernels,
        engines=None if asked.engine is None else (asked.engine,),
        threads=("all",) if asked.threads is None else (str(asked.threads),),
        budget_s=budget_s,
    )


def check_gpu() -> None:
    """Raise HardwareError with what to do where no GPU can be used through CuPy."""
    from bandwidth.engines.cuda.device import devices

    devices(numbers=(0,))


@contextmanager
def end_to_end(
    most_bytes: int, *, host_memory: str = PINNED, resident: bool = False, module: object = None
) -> Iterator[Callable[[int, int], Timed]]:
    """Yield what times the expression for a size and a number of passes; until then it holds the machine's lock.

    Raises as `EndToEnd` does, and BandwidthError where another measurement runs.
    """
    from bandwidth.engines.cuda.transfers import EndToEnd
    from bandwidth.measuring.lock import machine_lock

    with machine_lock():
        runner = EndToEnd(most_bytes, pinned=host_memory == PINNED, resident=resident, module=module)
        try:
            yield lambda size, passes: Timed(runner.host_s(size, passes), runner.device_s(size, passes))
        finally:
            runner.close()


def expression() -> str:
    """Return the expression that is timed, as code."""
    from bandwidth.engines.cuda.transfers import EXPRESSION

    return EXPRESSION


def with_way_back(work: Work) -> Work:
    """Return the work with the result of the expression: one number, whose way back costs a transfer's latency."""
    from bandwidth.engines.cuda.transfers import RESULT_BYTES

    return replace(work, result_bytes=RESULT_BYTES)
