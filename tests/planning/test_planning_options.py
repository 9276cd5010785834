"""What can be said to be wrong before a machine is looked at."""

from __future__ import annotations

import pytest

from bandwidth.errors import UsageError
from bandwidth.planning.options import MeasureOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stores": ()}, "--stores names nothing; leave it out for all"),
        ({"engines": ()}, "--engine names nothing"),
        ({"stores": ("streaming", "none")}, "--stores 'none' is not known; choose from streaming, ordinary"),
        ({"sweep": "cpus"}, "--sweep 'cpus' is not known; choose from size, threads"),
        ({"mixes": ("2:1", "1:2")}, "--mix '1:2' is not known"),
        ({"sweep_range": (1, 2)}, "--range is of a sweep"),
        ({"sweep": "size", "sweep_range": (1,)}, "is not two whole numbers"),
        ({"sweep": "size", "sweep_range": (1.0, 2.0)}, "is not two whole numbers"),
        ({"sweep": "threads", "sweep_range": (0, 4)}, "--range 0-4 is upside down or below 1"),
        ({"sweep": "threads", "sweep_range": (-3, -1)}, "--range -3--1 is upside down or below 1"),
    ],
)
def test_bad_values_are_usage_errors(options, message):
    with pytest.raises(UsageError) as caught:
        MeasureOptions(**options)
    assert message in str(caught.value)
    assert caught.value.hint


def test_nothing_asked_is_the_table():
    assert not MeasureOptions().is_study
    assert not MeasureOptions(kernels=("copy",), size_bytes=1).is_study
    for study in ({"sweep": "size"}, {"numa": True}, {"latency": True}, {"mixes": ("2:1",)}, {"zeros": True}):
        assert MeasureOptions(**study).is_study
