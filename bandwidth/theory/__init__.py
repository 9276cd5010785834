"""From a notation such as `DDR4-2933 x4` to the peak bandwidth and its working."""

from bandwidth.theory.formula import Peak, exact_bin_mt_s, peak_bytes_per_s
from bandwidth.theory.notation import MAX_SPEC_LENGTH, peak, peaks, plain_peak
from bandwidth.theory.parts import Counts

__all__ = [
    "MAX_SPEC_LENGTH",
    "Counts",
    "Peak",
    "exact_bin_mt_s",
    "peak",
    "peak_bytes_per_s",
    "peaks",
    "plain_peak",
]
