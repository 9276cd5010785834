"""Files of ranges: what is wrong with one is named by file, entry and field, and a user's entries come before ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bandwidth.catalog.entries import read_entries
from bandwidth.catalog.folders import Folders
from bandwidth.catalog.published import NormalBand, PublishedFigure, fault_of_figure, fault_of_range
from bandwidth.errors import BandwidthError

KINDS = {
    "normal.toml": (NormalBand, fault_of_range, 'denominator = "GB/s"'),
    "reference.toml": (PublishedFigure, fault_of_figure, 'unit = "GB/s"\npeak_gb_s = 25'),
}
ENTRY = """\
["an entry"]
target = "host"
paths = ["read"]
low = 10
high = 20
source = "a data sheet"
"""


@pytest.fixture(params=KINDS)
def file(request, user_specs):
    """Return a file in the user's folder of specs, with its name one of those that hold ranges."""
    return user_specs / request.param


@pytest.fixture
def read(file):
    """Return what reads the whole file and raises where something is wrong."""
    kind, fault_of, _ = KINDS[file.name]
    return lambda: read_entries(file, kind, fault_of)


@pytest.fixture
def read_all(file):
    """Return what reads the user's file and ours, with what was passed over in the user's."""
    kind, fault_of, _ = KINDS[file.name]

    def read():
        folders = Folders()
        return folders.users_first(file.name, kind, fault_of), folders.broken

    return read


@pytest.fixture
def entry(file):
    """Return the text of an entry as the file's kind has it."""
    return f"{ENTRY}{KINDS[file.name][2]}\n"


def test_a_right_entry_is_read(file, entry, read):
    file.write_text(entry)
    (found,) = read()
    assert (found.name, found.low, found.high, found.source) == ("an entry", 10, 20, "a data sheet")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("low = 10", "low = 21", "[an entry]: low is above high"),
        ("low = 10", "low = nan", "[an entry]: low: "),
        ("high = 20", "high = inf", "[an entry]: high: "),
        ("high = 20", "", "[an entry]: high: Field required"),
        ('"host"', '"disk"', "[an entry]: target: Input should be 'host', 'device' or 'pcie'"),
        ('["read"]', "[]", "[an entry]: paths: Tuple should have at least 1 item"),
        ('"a data sheet"', '" "', "[an entry]: source: it is empty"),
        ('source = "a data sheet"\n', "", "[an entry]: source: Field required"),
        ("low = 10", "low = 10\nlowest = 1", "[an entry]: unknown field 'lowest'"),
    ],
)
def test_a_fault_is_one_line_and_costs_a_user_that_entry_alone(file, entry, read, read_all, right, wrong, message):
    ours, _ = read_all()
    assert right in entry
    file.write_text(entry.replace(right, wrong))
    with pytest.raises(BandwidthError) as caught:
        read()
    assert f"{file.name}: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)
    found, (line,) = read_all()
    assert found == ours
    assert f"{file.name}: {message}" in line


def test_what_is_no_toml_is_noted_and_ours_stand(file, read_all):
    ours, _ = read_all()
    file.write_text("low = = 1")
    found, (line,) = read_all()
    assert found == ours
    assert "is not TOML" in line


def test_the_users_entries_come_first_and_replace_by_name(file, entry, read_all):
    ours, _ = read_all()
    file.write_text(entry + entry.replace("an entry", ours[-1].name))
    found, broken = read_all()
    assert [one.name for one in found] == ["an entry", *(one.name for one in (ours[-1], *ours[:-1]))]
    assert found[1].low == 10
    assert broken == ()


def test_a_folder_that_is_not_there_does_not_cost_a_measurement(file, read_all, monkeypatch):
    ours, _ = read_all()
    monkeypatch.setenv("BANDWIDTH_SPECS", str(file.parent / "none"))
    found, broken = read_all()
    assert found == ours
    assert len(broken) == 1


def test_both_faults_are_seen_the_order_first(file, entry, read):
    file.write_text(entry)
    (found,) = read()
    assert fault_of_range(found) == ""
    assert fault_of_range(replace(found, source=" ")) == "source: it is empty"
    assert fault_of_range(replace(found, low=30, source=" ")) == "low is above high"
