"""Fleets that the product judged wrongly, as they were saved: the records lie beside a checkout, where they do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bandwidth.cli.app import run
from bandwidth.fleet import judge
from bandwidth.fleet.reading import read_machines

RECORDS = Path(__file__).parents[3] / "shared" / "data" / "records"
pytestmark = pytest.mark.skipif(not RECORDS.is_dir(), reason="the shared records do not lie beside this checkout")


def quiet(folder, tmp_path):
    """The same records of machines that nothing else used: what they say of a busy run taken out."""
    for path in sorted((RECORDS / folder).glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        content["conditions"] = {"before": {}, "after": {}}
        (tmp_path / path.name).write_text(json.dumps(content), "utf-8")
    machines, not_read = read_machines([str(tmp_path)])
    assert not_read == []
    return judge(machines)


def test_boards_of_two_chips_with_cores_of_one_design_are_two_groups(tmp_path):
    fleet = quiet("R01", tmp_path)
    groups = [sorted(one.hostname for one in group.machines) for group in fleet.groups]
    assert groups == [["board-a", "board-b", "board-c"], ["board-d"]]
    assert fleet.flagged == ()


def test_five_boards_of_one_name_are_five_machines_and_the_slow_one_is_flagged(tmp_path):
    fleet = quiet("R02", tmp_path)
    assert sum(len(group.machines) for group in fleet.groups) == 5
    assert [Path(one.machine.source).name for one in fleet.flagged] == ["m4.json"]


def test_processors_that_have_no_name_are_not_one_model(tmp_path):
    fleet = quiet("R03", tmp_path)
    assert not fleet.is_judged
    assert len(fleet.not_judged) == 4
    assert "its processor has no name" in fleet.not_judged[0].reason


@pytest.mark.parametrize("folder", ["R01", "R02", "R03"])
def test_as_they_were_saved_on_a_busy_machine_none_is_judged(capsys, folder):
    """Tasks waited for a CPU for most of the run: nothing is concluded, and the exit code says so."""
    assert run(["fleet", str(RECORDS / folder), "--json"]) == 4
    data = json.loads(capsys.readouterr().out)
    assert data["flagged"] == []
    assert len(data["not_judged"]) == len(list((RECORDS / folder).glob("*.json")))
