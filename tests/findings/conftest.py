"""What the tests of all rules build their records from."""

from __future__ import annotations

import pytest

from bandwidth.findings import examine


def seconds_of(case, calls, *gb_s):
    return tuple(case.bytes_per_call * calls / (rate * 1e9) for rate in gb_s)


@pytest.fixture(scope="session")
def rated(make_case, make_result):
    """Return a result with the rates given in GB/s; `samples` repeats them, `spread` sets them apart by a share."""

    def build(*gb_s, case=None, samples=1, **others):
        case = case or make_case()
        return make_result(case, seconds_of(case, others.get("calls_per_sample", 1), *gb_s * samples), **others)

    return build


@pytest.fixture(scope="session")
def steady(rated, make_case):
    """Return a result of eight blocks at one rate, of a case with the fields given."""

    def build(gb_s, *, theory=None, vendor=None, observed=None, calls=1, **fields):
        if fields.get("engine") == "native" and "traffic_bytes_per_call" not in fields:
            fields["traffic_bytes_per_call"] = fields.get("working_set_bytes", 256 * 1024**2)
        given = {"theory_bytes_per_s": theory, "vendor_bytes_per_s": vendor, "observed": observed or {}}
        return rated(gb_s, case=make_case(**fields), samples=8, calls_per_sample=calls, **given)

    return build


@pytest.fixture(scope="session")
def latency(make_case, make_result):
    """Return a latency of eight blocks in nanoseconds."""

    def build(ns, *, observed=None, **fields):
        case = make_case(
            **{"path": "latency", "engine": "native", "bytes_per_call": 8_000, "payload_bytes_per_call": 8_000} | fields
        )
        return make_result(case, (ns * 1e-9 * case.bytes_per_call / 8,) * 8, observed=observed or {})

    return build


@pytest.fixture(scope="session")
def found(make_record):
    """Return the findings of some results with one code, as (id or None, text); all codes where none is named."""

    def look(*results, code=None, **record):
        examination = examine(make_record(*results, **record))
        pairs = [(case_id, finding) for case_id, group in examination.by_id.items() for finding in group]
        pairs += [(None, finding) for finding in examination.general]
        if code is None:
            return sorted({finding.code for _, finding in pairs})
        return [(case_id, finding.text) for case_id, finding in pairs if finding.code == code]

    return look
