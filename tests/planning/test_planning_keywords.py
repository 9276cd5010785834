"""The options of a call from Python: names of options alone, and one value or several where several are taken."""

from __future__ import annotations

import pytest

import bandwidth
from bandwidth.errors import UsageError
from bandwidth.planning.options import MeasureOptions, options_of_call


def test_one_value_and_several_are_taken():
    one = options_of_call("host", {"kernels": "copy", "threads": 2, "cpus": [0, 1], "sweep": "size"})
    assert (one.kernels, one.threads, one.cpus, one.sweep) == (("copy",), ("2",), (0, 1), "size")
    several = options_of_call("all", {"kernels": ["copy", "read"], "devices": [0, 1], "sweep_range": None})
    assert (several.kernels, several.devices, several.sweep_range) == (("copy", "read"), ("0", "1"), None)
    assert options_of_call("all", {}) == MeasureOptions(memory_source="memory")


@pytest.mark.parametrize("name", ["colour", "saved_facts", "memory_source"])
def test_what_is_no_option_is_no_keyword(name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        bandwidth.measure("host", **{name: None})


def test_a_value_that_no_machine_could_serve_is_refused():
    with pytest.raises(UsageError, match="--sweep 5 is not known"):
        options_of_call("host", {"sweep": 5})
    with pytest.raises(UsageError, match="--kernel names nothing"):
        options_of_call("host", {"kernels": []})
