"""CONTRIBUTING.md names what is there: every room, and every file of its tables."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
# `engines/NAME/` stands for a maker's own folder.
NAMED = sorted(set(re.findall(r"`([a-z_.*/-]+(?:/|\.(?:py|toml|tsv|md)))`", TEXT)))


def test_every_room_stands_in_the_table():
    table = TEXT.split("| room | what is in it |")[1].split("\n\n")[0]
    named = {name.rstrip("/") for name in re.findall(r"`([a-z_]+/?)`", table)}
    there = {path.stem for path in (ROOT / "bandwidth").glob("[a-z]*")} - {"py"}
    assert there <= named


@pytest.mark.parametrize("name", NAMED)
def test_every_file_that_is_named_is_there(name):
    rooms = (folder for folder in (ROOT / "bandwidth").iterdir() if folder.is_dir())
    assert any(list(folder.glob(name)) for folder in (ROOT, ROOT / "bandwidth", *rooms))
