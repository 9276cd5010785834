"""What was measured: cases, samples, records, and their files."""

from bandwidth.results.model import (
    Case,
    Conditions,
    Examination,
    Finding,
    NotRun,
    Record,
    Result,
    Samples,
)
from bandwidth.results.summary import Summary, rates_bytes_per_s, summarise

__all__ = [
    "Case",
    "Conditions",
    "Examination",
    "Finding",
    "NotRun",
    "Record",
    "Result",
    "Samples",
    "Summary",
    "rates_bytes_per_s",
    "summarise",
]
