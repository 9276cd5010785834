"""Records side by side, matched by id and nothing else: `compare`; and one against its baseline: `check`."""

from bandwidth.comparison.pairs import Comparison, compare

__all__ = ["Comparison", "compare"]
