"""Statistics of a result, always worked out from its raw samples."""

from __future__ import annotations

from dataclasses import dataclass

from bandwidth.results.model import Result
from bandwidth.statistics import Interval, median, median_interval


@dataclass(frozen=True)
class Summary:
    """The figures of one result, in bytes per second; all are None where it is not verified or has no sample.

    `ci95` is None below six samples. `efficiency` is the median over the theory, `vendor_efficiency` over the maker's
    figure, None where that is not known.
    """

    median_bytes_per_s: float | None
    best_bytes_per_s: float | None
    ci95: Interval | None
    efficiency: float | None
    vendor_efficiency: float | None
    count: int

    @property
    def half_width(self) -> float | None:
        """The larger distance from the median to an end of its interval, as a share of the median."""
        if self.ci95 is None or not self.median_bytes_per_s:
            return None
        centre = self.median_bytes_per_s
        return max(self.ci95.high - centre, centre - self.ci95.low) / centre


def rates_bytes_per_s(result: Result) -> tuple[float, ...]:
    """Return the rate of each sample: bytes per call x calls / seconds."""
    bytes_per_block = result.case.bytes_per_call * result.samples.calls_per_sample
    return tuple(bytes_per_block / seconds for seconds in result.samples.seconds)


def summarise(result: Result) -> Summary:
    """Return the figures of a result; an unverified one has none."""
    if not result.is_verified or not result.samples.seconds:
        return Summary(None, None, None, None, None, len(result.samples.seconds))
    rates = rates_bytes_per_s(result)
    centre = median(rates)
    return Summary(
        median_bytes_per_s=centre,
        best_bytes_per_s=max(rates),
        ci95=median_interval(rates),
        efficiency=_share(centre, result.theory_bytes_per_s),
        vendor_efficiency=_share(centre, result.vendor_bytes_per_s),
        count=len(rates),
    )


def _share(rate: float, whole: float | None) -> float | None:
    return None if whole is None else rate / whole
