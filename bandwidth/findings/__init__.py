"""Pure rules over records: what looks wrong and what to try, and the long texts of `bandwidth explain`."""

# Each theme registers its rules when it is imported; their ranks give the order, and not the order here.
from bandwidth.findings import (
    binding,
    core_to_core,
    gpus,
    machine_state,
    memory,
    noise,
    normal_range,
    stores,
    threads,
    validity,
    witnesses,
)
from bandwidth.findings.rules import Explanation, examine, explanation, explanations, explanations_of

__all__ = [
    "Explanation",
    "binding",
    "core_to_core",
    "examine",
    "explanation",
    "explanations",
    "explanations_of",
    "gpus",
    "machine_state",
    "memory",
    "noise",
    "normal_range",
    "stores",
    "threads",
    "validity",
    "witnesses",
]
