"""The options of a call as data in a record: read again as they were, and told apart where they change the figures."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from bandwidth.errors import BandwidthError
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.saved import asked_words, options_from_json, options_to_json

GIVEN = [
    {},
    {"target": "host", "kernels": ("copy", "add"), "engines": ("numpy",), "stores": ("ordinary",)},
    {"threads": ("1", "all"), "cpus": (0, 1, 3), "size_bytes": 2**22, "budget_s": 0.5},
    {"sweep": "size", "sweep_range": (4096, 2**20), "numa": True, "latency": True, "zeros": True, "mixes": ("2:1",)},
    {"target": "host", "chains": True},
    {"devices": ("all",), "host_memory": ("pinned",), "memory": "DDR5-4800 x12", "sockets": 2},
]


def words(**options):
    return asked_words(options_to_json(MeasureOptions(**options)))


@pytest.mark.parametrize("given", GIVEN, ids=str)
def test_what_was_given_is_read_again_as_it_was(given):
    options = MeasureOptions(**given)
    saved = json.loads(json.dumps(options_to_json(options)))
    assert set(saved) == {"target", *given}
    assert options_from_json(saved) == options
    assert options_from_json({**saved, "from_a_later_version": 1}) == options


def test_every_option_that_changes_what_is_measured_tells_two_calls_apart():
    default = words(target="host")
    assert default == "host"
    for one in fields(MeasureOptions):
        for given in GIVEN:
            if one.name in given and one.name not in ("target", "sweep_range", "budget_s", "memory", "sockets"):
                assert words(**{one.name: given[one.name]}) != words(), one.name
    assert words(target="host", budget_s=3.0, memory="DDR5-4800", sockets=2) == default
    assert words(size_bytes=2**22) != words(size_bytes=2**22 + 1)


def test_the_order_of_names_tells_nothing_apart():
    assert words(target="host", kernels=("copy", "add")) == words(target="host", kernels=("add", "copy"))
    assert words(cpus=(3, 0, 1), size_bytes=2**22, numa=True) == "all --cpus 0-1,3 --numa --size 4MiB"
    assert words(sweep="size", sweep_range=(2**12, 2**20)) == "all --range 4096-1MiB --sweep size"
    assert words(sweep="threads", sweep_range=(1, 16)) == "all --range 1-16 --sweep threads"


@pytest.mark.parametrize(
    ("saved", "name"),
    [
        ({"target": 3}, "option target"),
        ({"target": "host", "kernels": "copy"}, "option kernels"),
        ({"target": "host", "threads": [1]}, "option threads"),
        ({"target": "host", "numa": 1}, "option numa"),
        ({"target": "host", "size_bytes": {}}, "option size_bytes"),
        ({"target": "host", "stores": ["all"]}, "--stores 'all' is not known"),
        ({"target": "host", "budget_s": -1.0}, "--budget -1.0 is not a duration"),
    ],
)
def test_what_no_version_wrote_is_refused_in_one_line(saved, name):
    with pytest.raises(BandwidthError, match=name) as caught:
        options_from_json(saved)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
