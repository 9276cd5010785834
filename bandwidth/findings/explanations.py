"""The long forms: what each finding means and what to try, and the concepts behind the numbers."""

from __future__ import annotations

import difflib
import inspect
from functools import cache

from bandwidth.errors import BandwidthError
from bandwidth.findings.entry import Explanation
from bandwidth.findings.rules import Rule, rules
from bandwidth.findings.topics import topics


@cache
def explanations() -> tuple[Explanation, ...]:
    """Return the texts of all codes, in their order, and then of all topics.

    Raises BandwidthError where Python was told to leave out docstrings (-OO): those of the rules are the texts.
    """
    codes = [_of_code(one) for one in rules() if one.title]
    return (*sorted(codes, key=lambda entry: entry.key), *topics())


def explanation(key: str) -> Explanation:
    """Return the explanation of a code (`BW001`, in any case) or a topic. Raises BandwidthError with the near ones."""
    wanted = " ".join(key.lower().split())
    by_key = {name.lower(): entry for entry in explanations() for name in (entry.key, *entry.aliases)}
    if wanted in by_key:
        return by_key[wanted]
    near = difflib.get_close_matches(wanted, by_key, n=1, cutoff=0.6)
    hint = f"did you mean {by_key[near[0]].key}?" if near else "`bandwidth explain` lists codes and topics"
    raise BandwidthError(f"nothing is explained under {key[:60]!a}", hint)


def _of_code(rule: Rule) -> Explanation:
    docstring = inspect.getdoc(rule.find)
    if not docstring:
        hint = "run it without -OO and without PYTHONOPTIMIZE=2"
        raise BandwidthError("the texts of findings are docstrings, which Python was told to leave out", hint)
    return Explanation(rule.code, rule.title, docstring.strip().format_map(rule.limits))
