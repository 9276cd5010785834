"""What was meant by a name that none has: slips told apart, and the names that are suggested, on the real catalog."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.catalog.near import MOST_NEAR, Slip, near_misses, near_texts, slip_between

NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
# Of names that are one slip from others too, three are suggested: not always the one that was meant.
LEAST_FOUND = 0.85


@pytest.mark.parametrize(
    ("wanted", "other", "slip"),
    [
        ("rtx4900", "rtx4090", Slip(0)),
        ("epyc9645", "epyc9654", Slip(0)),
        ("rtx409", "rtx4090", Slip(1)),
        ("rtx40900", "rtx4090", Slip(1)),
        ("trx4090", "rtx4090", Slip(0)),
        ("rtx4091", "rtx4090", Slip(2, 1)),
        ("rtx4990", "rtx4090", Slip(2, 9)),
        ("4090", "rtx4090", None),
        ("rtx4909", "rtx4090", None),
        ("rtx4090", "rtx4090", None),
        ("rtx9040", "rtx4090", None),
        ("", "a", Slip(1)),
    ],
)
def test_a_slip_is_told_from_two(wanted, other, slip):
    assert slip_between(wanted, other) == slip == slip_between(other, wanted)


@given(NAMES, st.data())
def test_every_slip_is_found(name, data):
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(string.ascii_lowercase + string.digits))
    rest = name[at + 1 :]
    edits = [name[:at] + letter + rest, name[:at] + rest, name[:at] + letter + name[at:]]
    edits += [name[:at] + rest[0] + name[at] + rest[1:]] if rest else []
    for edit in edits:
        assert (slip_between(edit, name) is None) == (edit == name)


def test_the_likelier_slip_comes_first_and_short_names_have_none():
    assert near_misses("rtx4900", ["rtx4000", "rtx4910", "rtx490", "rtx4090", "rtx4900"]) == [
        "rtx4090",
        "rtx490",
        "rtx4910",
        "rtx4000",
    ]
    assert near_misses("a41", ["a40", "a4"]) == []


def test_of_few_names_those_much_alike_are_near_too():
    known = {key: key.upper() for key in ("q4km", "q4ks", "q80", "banana")}
    assert near_texts("q4km", known) == ("Q4KM",)
    assert near_texts("q4kn", known) == ("Q4KM", "Q4KS")
    assert near_texts("q8", known) == ("Q80",)
    assert near_texts("something", known) == ()


# --- devices


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("RTX 4909", "GeForce RTX 4090"),
        ("RTX 4900", "GeForce RTX 4090"),
        ("RTX 40900", "GeForce RTX 4090"),
        ("RTX 4O90", "GeForce RTX 4090"),
        ("RTX 4909 24GB", "GeForce RTX 4090"),
        ("NVIDIA GeForce RTX 4909", "GeForce RTX 4090"),
        ("GeForec RTX 5090", "GeForce RTX 5090"),
        ("Core i7-13070K", "Core i7-13700K"),
        ("Inetl Xeon E5507", "Intel Xeon E5507"),
        ("Ryzne 7 7840U", "Ryzen 7 7840U"),
        ("NVIDIA GeForce GT 403 PCI", "NVIDIA GeForce GT 430 PCI"),
    ],
)
def test_the_nearest_device_is_suggested(query, meant):
    near = current_catalog().devices.near_names(query)
    assert meant in near
    assert len(near) <= MOST_NEAR


@pytest.mark.parametrize("query", ["bananas", "AMD RTX 4909", "a1", "", "RTX 123456", "!!!!"])
def test_what_is_near_to_nothing_gets_no_suggestion(query):
    assert current_catalog().devices.near_names(query) == ()


def test_most_slips_in_names_of_the_catalog_are_put_right():
    chance, devices = random.Random(7), current_catalog().devices
    names = chance.sample(sorted(place.name for place in devices.places if any(map(str.isdigit, place.name))), 24)
    found = [name in devices.near_names(slipped(name, chance)) for name in names]
    assert sum(found) >= LEAST_FOUND * len(names)


def slipped(name, chance):
    """The name with one of its digits another one, missing, twice, or changed with the next letter."""
    at = chance.choice([place for place, letter in enumerate(name) if letter.isdigit()])
    before, own, behind = name[:at], name[at], name[at + 1 :]
    other = chance.choice([digit for digit in string.digits if digit != own])
    edits = [before + other + behind, before + behind, before + own + own + behind]
    edits += [before + behind[0] + own + behind[1:]] if behind[:1].isalnum() and behind[0] != own else []
    return chance.choice(edits)
