"""Where devices stand: the work of taking in a user's folder grows as the folder does."""

from __future__ import annotations

import pytest
from counted_calls import calls_of

from bandwidth.catalog import files
from bandwidth.catalog.places import all_places, places_by_key
from bandwidth.catalog.search import forget_devices

TABLE = '["Acme X{n}"]\nmaker = "Acme"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "a test"\n'


@pytest.fixture
def with_devices(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "_added_folders", [tmp_path])

    def write(count):
        (tmp_path / "many.toml").write_text("".join(TABLE.format(n=n) for n in range(count)), "utf-8")
        forget_devices()
        return places_by_key

    yield write
    forget_devices()


def test_the_work_of_a_folder_of_devices_grows_as_it_does(with_devices):
    """Each device of the user's made a new table of all: 20,000 of them took half a minute."""
    none, few, twice = (calls_of(with_devices(count)) for count in (0, 600, 1200))
    assert (twice - none) / (few - none) < 2.2
    assert len([place for place in all_places() if place.name.startswith("Acme")]) == 1200
