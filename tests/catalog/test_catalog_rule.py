"""The rule over the whole catalog: a name is answered with its own product, refused or listed; never with another."""

from __future__ import annotations

import re
from itertools import cycle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bandwidth.catalog import current_catalog
from bandwidth.errors import BandwidthError

DEVICES = current_catalog().devices
PLACES = list(DEVICES.places)
NAMES = [name for place in PLACES for name in (place.name, *place.aliases)]
MAKERS = {"nvidia", "amd", "ati", "intel", "apple", "qualcomm"}
# What may be left out of a name, or added to it, without another product being meant.
SAYS_NOTHING = re.compile(
    r"geforce|radeon|instinct|tesla|arc|jetson|core|xeon|celeron|pentium|atom|ryzen|epyc|athlon|opteron|phenom|card"
    r"|quadro|ada|generation|blackwell|edition|workstation|pcie|sxm|fhhl|laptop|mobile|gpu|cpu|processor|graphics"
    r"|with|design|notebook|apu|soc|gfx|coprocessor|nvidia|amd|ati|intel|apple|qualcomm"
)


def answer(query):
    """Return the device that a query is answered with, None where it is refused or listed."""
    try:
        return DEVICES.find(query)
    except BandwidthError:
        return None


def maker_words(device):
    return {word for name in (device.maker, device.name, *device.aliases) for word in name.lower().split()} & MAKERS


def test_no_name_is_answered_for_another_maker():
    others = cycle(["NVIDIA", "AMD", "Intel", "Apple"])
    wrong = {}
    for place in PLACES:
        plain = " ".join(word for word in place.name.split() if word.lower() not in MAKERS)
        maker = next(maker for maker in others if maker.lower() not in {m.replace("ati", "amd") for m in place.makers})
        device = answer(f"{maker} {plain}")
        if device is not None and maker.lower() not in maker_words(device):
            wrong[f"{maker} {plain}"] = device.name
    assert wrong == {}


def test_no_capacity_and_no_bare_number_is_a_device():
    sizes = {size for place in PLACES for size in re.findall(r"[0-9.]+ ?[GM]B", f"{place.name} {place.capacity}")}
    numbers = {number for name in NAMES for number in re.findall(r"[0-9]+(?:\.[0-9]+)?", name)}
    assert len(sizes) > 20
    assert len(numbers) > 300
    asked = [*sizes, *numbers, *(f"{size} {family}" for size in sizes for family in ("HBM3", "GDDR6"))]
    asked += [f"{number} {suffix}" for number in numbers for suffix in ("XT", "Ti")]
    assert {query: device.name for query in asked if (device := answer(query)) is not None} == {}


def tokens(name):
    """The letters and numbers of a name, without the words that say nothing; written apart from what is tested."""
    name = re.sub(r"\b(?:lp|g)?ddr[0-9]x?\b|\bhbm[0-9]?e?\b", "", name.lower())  # a capacity and a memory may be added
    found = re.findall(r"[0-9.]+ ?[gm]i?b\b|[a-z]+|[0-9]+(?:\.[0-9]+)?|\+(?= |$)", name)
    telling = [word for word in found if not SAYS_NOTHING.fullmatch(word) and not word.endswith("b")]
    letters = "".join(word for word in telling if word.isalpha())
    return sorted(letters), sorted(word for word in telling if not word.isalpha())


@st.composite
def changed_names(draw):
    """A name of the catalog with a letter, a digit, a suffix or its maker changed."""
    name = draw(st.sampled_from(NAMES))
    place = draw(st.integers(0, len(name) - 1))
    how = draw(st.sampled_from(["digit", "drop", "suffix", "version", "glued", "double"]))
    if how == "digit":
        digit = draw(st.sampled_from("0123456789"))
        return re.sub(r"[0-9]", digit, name, count=1) if place % 2 else name[:place] + digit + name[place:]
    if how == "drop" and name[place] not in " B":  # "GTX1080" and "16G" are ways to write the same
        return name[:place] + name[place + 1 :]
    if how == "suffix":
        return name + draw(
            st.sampled_from([" Ti", " SUPER", " XT", " D", " G", " Pro", " Max", " Laptop", " v2", " LE"])
        )
    if how == "version":
        return re.sub(r" v[0-9]\b", "", name) + draw(st.sampled_from(["", " v3", " v9"]))
    if how == "glued" and name[-1].isalnum():
        return name + draw(st.sampled_from("GXKFTHUMSELP0123456789"))
    return f"{name} {draw(st.sampled_from(NAMES))}"


@settings(max_examples=300)
@given(changed_names())
@example("EPYC 7601 AMD Radeon R7 M260")
def test_a_changed_name_is_another_product_or_none(name):
    device = answer(name)
    if device is not None:
        known = [tokens(one) for one in (device.name, *device.aliases, *device.model_names)]
        assert tokens(name) in known, f"{name} is answered with {device.name}"


@pytest.mark.parametrize("how", ["{}", "{} GPU", "  {}  ", "{} @ 2.40GHz"])
def test_every_fiftieth_name_is_its_own_however_it_is_padded(how):
    lost = []
    for place in [place for place in PLACES[::50] if "(" not in place.name and "GRID" not in place.name]:
        device = answer(how.format(place.name.upper()))
        if device is None or device.name != place.name:
            lost.append(place.name)
    assert lost == []
