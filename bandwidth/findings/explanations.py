"""The long forms: what each finding means and what to try, and the concepts behind the numbers."""

from __future__ import annotations

import difflib

from bandwidth.errors import BandwidthError
from bandwidth.findings import (
    gpus_texts,
    machine_state_texts,
    nodes_texts,
    noise_texts,
    normal_range_texts,
    setup_texts,
    stores_texts,
    threads_texts,
    validity_texts,
)
from bandwidth.findings.entry import Explanation
from bandwidth.findings.topics import topics

# The text of a code stands beside the rule that raises it: that of stores.py in stores_texts.py.
_CODES = (
    *validity_texts.TEXTS,
    *machine_state_texts.TEXTS,
    *stores_texts.TEXTS,
    *threads_texts.TEXTS,
    *nodes_texts.TEXTS,
    *normal_range_texts.TEXTS,
    *gpus_texts.TEXTS,
    *setup_texts.TEXTS,
    *noise_texts.TEXTS,
)
EXPLANATIONS: tuple[Explanation, ...] = (*sorted(_CODES, key=lambda entry: entry.key), *topics())


def explanation(key: str) -> Explanation:
    """Return the explanation of a code (`BW001`, in any case) or a topic. Raises BandwidthError with the near ones."""
    wanted = " ".join(key.lower().split())
    by_key = {name.lower(): entry for entry in EXPLANATIONS for name in (entry.key, *entry.aliases)}
    if wanted in by_key:
        return by_key[wanted]
    near = difflib.get_close_matches(wanted, by_key, n=1, cutoff=0.6)
    hint = f"did you mean {by_key[near[0]].key}?" if near else "`bandwidth explain` lists codes and topics"
    raise BandwidthError(f"nothing is explained under {key[:60]!a}", hint)
