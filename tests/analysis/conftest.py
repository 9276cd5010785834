"""Scripted results with caches, whose rate or latency is said outright."""

from __future__ import annotations

import pytest
from curves_support import CACHES

from bandwidth.results import Observed


@pytest.fixture(scope="session")
def rate(make_case, make_result):
    """Return a result of `rate` bytes per second; a field of Case goes into `case`."""

    def build(rate, *, failure="", observed=None, **case):
        # A billion: the rate is exact to nine digits whatever it is.
        values = {"engine": "native", "caches": CACHES, "bytes_per_call": round(rate * 10**9)} | case
        return make_result(make_case(**values), (1e9,) * 6, failure=failure, observed=observed or {})

    return build


@pytest.fixture(scope="session")
def latency(make_case, make_result):
    """Return a latency of `ns`, with a clock of 2 GHz."""

    def build(ns, **case):
        values = {"engine": "native", "path": "latency", "caches": CACHES, "bytes_per_call": 8 * 10**9} | case
        observed = {"clock_hz": Observed(2e9, 1.9e9, 2.1e9)} | values.pop("observed", {})
        return make_result(make_case(**values), (float(ns),) * 6, observed=observed)

    return build
