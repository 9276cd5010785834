"""A fleet's records from folders, files and lines; what is no record is told and costs nothing else."""

from __future__ import annotations

import json

import pytest
from simulated_fleet import Spread, write_fleet

from bandwidth.fleet import judge
from bandwidth.fleet.reading import read_machines


@pytest.fixture
def folder(tmp_path):
    write_fleet(tmp_path, 4, 1, Spread())
    return tmp_path


def test_a_folder_is_read_with_those_in_it(folder):
    (folder / "later").mkdir()
    (folder / "n00003.json").rename(folder / "later" / "n00003.json")
    machines, not_read = read_machines([str(folder)])
    assert [one.hostname for one in machines] == ["n00003", "n00000", "n00001", "n00002"]
    assert not_read == []


def test_foreign_half_written_and_newer_files_are_told(folder):
    whole = (folder / "n00000.json").read_text("utf-8")
    (folder / "half.json").write_text(whole[: len(whole) // 2], "utf-8")
    (folder / "foreign.json").write_text('{"a": 1}', "utf-8")
    (folder / "list.json").write_text("[]", "utf-8")
    (folder / "newer.json").write_text(whole.replace("bandwidth/record/1", "bandwidth/record/99"), "utf-8")
    (folder / "binary.json").write_bytes(b"\xff\x00")
    (folder / "notes.txt").write_text("not for us", "utf-8")
    (folder / ".n1.json.x.part").write_text("{", "utf-8")
    machines, not_read = read_machines([str(folder)])
    assert len(machines) == 4
    reasons = {one.source.rpartition("/")[2]: one.reason for one in not_read}
    assert sorted(reasons) == ["binary.json", "foreign.json", "half.json", "list.json", "newer.json"]
    assert "has schema 99" in reasons["newer.json"]
    assert "not complete JSON" in reasons["half.json"]
    assert not any(str(folder) in reason for reason in reasons.values())


def test_lines_are_names_or_records(folder):
    record = json.dumps(json.loads((folder / "n00001.json").read_text("utf-8")))
    lines = [f"{folder}/n00000.json\n", "\n", record + "\n", "nowhere.json\n", "{\n", "a\0b\n"]
    machines, not_read = read_machines(["-"], lines)
    assert [one.hostname for one in machines] == ["n00000", "n00001"]
    assert machines[1].source == "line 3 of standard input"
    assert [one.source for one in not_read] == ["nowhere.json", "line 5 of standard input", "'a\\x00b'"]


def test_a_record_that_names_no_host_is_called_by_its_file(folder):
    path = folder / "n00000.json"
    content = json.loads(path.read_text("utf-8"))
    del content["machine"]["hostname"]
    path.write_text(json.dumps(content), "utf-8")
    assert read_machines([str(path)])[0][0].hostname == str(path)


def test_hostile_facts_are_kept_short_and_on_one_line(folder):
    path = folder / "n00000.json"
    content = json.loads(path.read_text("utf-8"))
    content["machine"] |= {
        "hostname": "a\nb\x1b[31m" * 100,
        "cpu_model": ["x"],
        "sockets": "two",
        "gpus": "none",
        "hostname_label": 7,
    }
    path.write_text(json.dumps(content), "utf-8")
    (machine,), _ = read_machines([str(path)])
    assert len(machine.hostname) <= 80
    assert machine.hostname.isprintable()
    assert (machine.label, machine.group.cpu_model, machine.group.sockets) == ("", "", None)


def test_a_hundred_records_with_a_fault_among_them(tmp_path):
    write_fleet(tmp_path, 100, 1, Spread())
    fleet = judge(read_machines([str(tmp_path)])[0])
    assert [one.machine.hostname for one in fleet.flagged] == ["n00050"]
