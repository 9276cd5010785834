"""Where pages lie: the system's answer here, and none where it does not tell or talks nonsense."""

import platform
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.engines.host.layout import Region
from bandwidth.engines.host.operating_system import linux
from bandwidth.engines.host.operating_system.linux import Linux, bind

PAGE_BYTES = 4096
LENGTH_BYTES = 16 * PAGE_BYTES


@pytest.fixture
def region():
    region = Region(LENGTH_BYTES // 8)
    region.doubles.fill(1.0)
    return region


@pytest.fixture
def file_in_place_of(tmp_path, monkeypatch):
    def put(name, text):
        path = tmp_path / name.strip("_").lower()
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(linux, name, path)

    return put


@pytest.fixture
def refused(monkeypatch):
    """Return what a container's filter does to the system calls."""
    monkeypatch.setattr(linux, "_system_call", lambda *_: -1)


def test_memory_of_this_machine_lies_on_its_only_node_or_is_not_known(region):
    nodes = Path("/sys/devices/system/node/online")
    if not nodes.exists() or nodes.read_text().strip() != "0":
        pytest.skip("this machine has more nodes than one, or does not tell")
    assert Linux().share_on_node(region.address, LENGTH_BYTES, 0, PAGE_BYTES) in (1.0, None)
    assert Linux().share_on_node(region.address, LENGTH_BYTES, 1, PAGE_BYTES) in (0.0, None)


def test_binding_to_the_only_node_leaves_the_memory_usable():
    region = Region(LENGTH_BYTES // 8, 0)
    assert region.is_bound in (True, False)
    region.doubles.fill(2.0)
    assert np.all(region.doubles == 2.0)


def test_node_that_is_not_there_is_refused(region):
    assert not bind(region.address, LENGTH_BYTES, 1023)
    assert not Region(LENGTH_BYTES // 8, 1023).is_bound


def test_pages_are_asked_for_evenly_over_all_of_the_memory(monkeypatch):
    asked = []

    def answer(addresses):
        asked.extend(addresses)
        return [1 if address >= 500 * PAGE_BYTES else 0 for address in addresses]

    monkeypatch.setattr(linux, "_nodes_of", answer)
    assert Linux().share_on_node(0, 1000 * PAGE_BYTES, 1, PAGE_BYTES) == 0.5
    assert len(asked) == 1000
    asked.clear()
    assert Linux().share_on_node(0, 100_000 * PAGE_BYTES, 1, PAGE_BYTES) > 0.99
    assert len(asked) <= 2 * 512
    assert max(asked) > 99_000 * PAGE_BYTES
    asked.clear()
    assert Linux().share_on_node(0, 8, 0, PAGE_BYTES) == 1.0
    assert asked == [0]


def test_page_without_a_node_leaves_it_to_the_maps(monkeypatch, file_in_place_of):
    def no_such_page(name, _, count, __, ___, status, ____):
        linux.ctypes.c_int.from_address(status).value = -2
        return 0

    monkeypatch.setattr(linux, "_system_call", no_such_page)
    file_in_place_of("_MAPS", "00001000 default anon=4 dirty=4 N0=1 N1=3 kernelpagesize_kB=4\n")
    assert Linux().share_on_node(0x1000, LENGTH_BYTES, 1, PAGE_BYTES) == 0.75


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("10000 default anon=8 N0=2 N1=6\n", 0.75),
        ("0f000 default N1=1\n11000 default N0=2 N1=2\n90000 default N0=50\n", 0.6),
        ("00400000 default file=/usr/bin/python3.11 mapped=9 N1=9\n", None),
        ("10000 default anon=8 dirty=8 active=0\n", None),
        ("10000 default huge anon=1 N0=0 N1=0\n", None),
        ("", None),
        ("N0=5\nzz default N0=5\n\x00\xff \n", None),
        (None, None),
    ],
)
def test_share_by_numa_maps(text, share, file_in_place_of):
    file_in_place_of("_MAPS", text)
    assert Linux().share_on_node(0x10000, LENGTH_BYTES, 1, PAGE_BYTES) == share


@pytest.mark.parametrize("machine", ["s390x", "mips64", "", "i686"])
def test_architecture_without_numbers_is_not_asked(machine, region, monkeypatch, file_in_place_of):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    file_in_place_of("_MAPS", None)
    assert not bind(region.address, LENGTH_BYTES, 0)
    assert Linux().share_on_node(region.address, LENGTH_BYTES, 0, PAGE_BYTES) is None


SMAPS = """\
10000-30000 rw-p 00000000 00:00 0
Size:                128 kB
Rss:                 100 kB
AnonHugePages:        25 kB
VmFlags: rd wr mr mw me ac hg
30000-40000 rw-p 00000000 00:00 0 [heap]
Rss:                 100 kB
AnonHugePages:       100 kB
"""


@pytest.mark.parametrize(
    ("address", "length", "share"),
    [
        (0x10000, 0x1000, 0.25),
        (0x2F000, 0x2000, 0.625),
        (0x30000, 0x10000, 1.0),
        (0x0F000, 0x1000, None),
        (0x40000, 0x1000, None),
    ],
)
def test_share_in_huge_pages_is_of_the_mappings_around(address, length, share, file_in_place_of):
    file_in_place_of("_SMAPS", SMAPS)
    assert Linux().huge_page_share(address, length) == share


@pytest.mark.parametrize(
    "text", [None, "", "10000-30000 rw-p\n", "10000-30000 rw-p\nRss: 0 kB\n", "Rss: 8 kB\n", "\xff"]
)
def test_huge_pages_are_not_known_where_the_system_does_not_tell(text, file_in_place_of):
    file_in_place_of("_SMAPS", text)
    assert Linux().huge_page_share(0x10000, 0x1000) is None


def test_huge_pages_are_never_more_than_all(file_in_place_of):
    file_in_place_of("_SMAPS", "10000-30000 rw-p\nRss: 4 kB\nAnonHugePages: 2048 kB\n")
    assert Linux().huge_page_share(0x10000, 0x1000) == 1.0


WORDS = ("10000", "10000-30000", "rw-p", "default", "N0=5", "N1=0", "Rss:", "AnonHugePages:", "8", "kB", "-", "\n", " ")


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), max_size=40))
def test_no_text_is_an_error_and_a_share_is_a_share(words):
    class Text:
        def read_text(self, *_):
            return " ".join(words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linux, "_system_call", lambda *_: -1)
        patch.setattr(linux, "_MAPS", Text())
        patch.setattr(linux, "_SMAPS", Text())
        for share in (Linux().share_on_node(0x10000, 0x1000, 0, PAGE_BYTES), Linux().huge_page_share(0x10000, 0x1000)):
            assert share is None or 0 <= share <= 1
