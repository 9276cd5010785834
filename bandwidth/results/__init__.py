"""What was measured: cases, samples, records, and their files."""

from bandwidth.results.model import (
    Case,
    Ceiling,
    Conditions,
    Examination,
    Finding,
    NotRun,
    Observed,
    Record,
    Result,
    Samples,
)
from bandwidth.results.summary import Latency, Summary, rates_bytes_per_s, summarise

__all__ = [
    "Case",
    "Ceiling",
    "Conditions",
    "Examination",
    "Finding",
    "Latency",
    "NotRun",
    "Observed",
    "Record",
    "Result",
    "Samples",
    "Summary",
    "rates_bytes_per_s",
    "summarise",
]
