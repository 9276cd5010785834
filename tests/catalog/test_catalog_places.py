"""Where devices stand: the work of taking in a user's folder grows as the folder does."""

from __future__ import annotations

from functools import partial

import pytest
from counted_calls import calls_of

from bandwidth.catalog import Catalog

TABLE = '["Acme X{n}"]\nmaker = "Acme"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "a test"\n'


@pytest.fixture
def with_devices(tmp_path):
    """Return what makes a catalog of so many devices of the user's beside ours."""

    def write(count):
        (tmp_path / "many.toml").write_text("".join(TABLE.format(n=n) for n in range(count)), "utf-8")
        return Catalog([tmp_path])

    return write


def entries(catalog):
    return catalog.devices.entries


def test_the_work_of_a_folder_of_devices_grows_as_it_does(with_devices):
    """Each device of the user's made a new table of all: 20,000 of them took half a minute."""
    none, few, twice = (calls_of(partial(entries, with_devices(count))) for count in (0, 600, 1200))
    assert (twice - none) / (few - none) < 2.2
    assert len([place for place in with_devices(1200).devices.places if place.name.startswith("Acme")]) == 1200
