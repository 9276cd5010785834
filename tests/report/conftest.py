"""Builders of rates for the tables that show them."""

from __future__ import annotations

import pytest

MIB = 1024**2
GB = 10**9
STEADY = (1.0, 1.002, 0.998, 1.001, 0.999, 1.0)


@pytest.fixture(scope="session")
def result(make_case, make_result):
    """Return a result of `gb` GB in each of the blocks; a field of Case goes into `case`."""

    def build(path, threads, gb, seconds=STEADY, *, engine="numpy", size=512 * MIB, variant=None, **others):
        case = make_case(
            path=path,
            engine=engine,
            threads=threads,
            bytes_per_call=int(gb * GB),
            working_set_bytes=size,
            variant=variant or {},
        )
        return make_result(case, seconds, **others)

    return build
