"""The memory bandwidth a machine should reach, the one it does reach, and why they differ.

    >>> import bandwidth
    >>> bandwidth.peak("DDR4-2933 x4").bytes_per_s
    93866666666.66667

`peak` computes, `measure` measures this machine, `load` reads a saved record, `compare` puts records side by side,
`summarise` works out the figures of one result, `examine` all findings of a record. Each is imported when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bandwidth.errors import BandwidthError
from bandwidth.version import __version__

if TYPE_CHECKING:
    from bandwidth.comparison import compare
    from bandwidth.findings import examine
    from bandwidth.measuring.measure import measure
    from bandwidth.results import summarise
    from bandwidth.results.files import load
    from bandwidth.theory import peak

__all__ = ["BandwidthError", "__version__", "compare", "examine", "load", "measure", "peak", "summarise"]

_PLACES = {
    "compare": "bandwidth.comparison",
    "examine": "bandwidth.findings",
    "load": "bandwidth.results.files",
    "measure": "bandwidth.measuring.measure",
    "peak": "bandwidth.theory",
    "summarise": "bandwidth.results",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
