"""The roles of cases: what stands in a view of its own has none."""

import pytest
from host_cases import build_host_case

from bandwidth.analysis.roles import ALL_CORES, role_of


@pytest.mark.parametrize(
    ("kernel", "variant", "expected"),
    [
        ("read", {}, ALL_CORES),
        ("random", {"pages": "huge"}, None),
        ("random", {"pages": "small"}, None),
        ("read", {"sweep_point": 4096}, None),
        ("write", {"data": "zeros"}, None),
    ],
)
def test_random_reads_sweeps_and_zeros_stand_for_no_role(kernel, variant, expected):
    assert role_of(build_host_case(kernel, threads=2, variant=variant), 2) == expected
