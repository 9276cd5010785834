"""The default screen of `measure`, by the letter, of machines that are not here.

The golden file holds each at 80 columns; BANDWIDTH_WRITE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from gpu_machine import two_h200s
from screens import Run, host
from simulated_machine import Machine

from bandwidth.findings import examine
from bandwidth.report import FORMATS, render
from bandwidth.report.screen.default import MOST_LINES, screen_document
from bandwidth.results import NotRun, Observed, Record
from bandwidth.results.files import record_to_json

GOLDEN = Path(__file__).parents[2] / "data" / "report" / "screens.txt"
LIKE_DEFAULT = {"kernels": ("read", "write", "copy", "triad")}
UNEVEN = (1.0, 1.5, 1.1, 2.0, 1.2, 0.9)
BUSY = {"others_cpu_share": Observed(0.83, 0.7, 0.9), "cpu_wait_share": Observed(0.5, 0.4, 0.6)}
RUNS = {
    "an EPYC with 96 cores and 12 channels": Run(host("EPYC with 96"), 25e9, 370e9),
    "the same, one channel empty, slower than rated": Run(host("the same with 11"), 25e9, 300e9),
    "a Ryzen with one chiplet": Run(host("Ryzen with one"), 45e9, 58e9),
    "a Ryzen with two chiplets": Run(host("Ryzen with two"), 48e9, 75e9),
    "two Xeons with sub-NUMA clusters": Run(host("Xeon with two"), 12e9, 450e9),
    "a hybrid laptop": Run(host("hybrid"), 25e9, 64e9),
    "a Mac": Run(host("Mac"), 60e9, 300e9),
    "Graviton behind a virtual machine": Run(host("Graviton"), 20e9, 180e9),
    "a virtual machine with two CPUs": Run(host("virtual EPYC"), 30e9, 58e9),
    "an unknown processor": Run(host("unknown"), 10e9, 30e9),
    "rates that vary": Run(host("virtual EPYC"), 30e9, 58e9, noise=UNEVEN),
    "a busy machine": Run(host("hybrid"), 25e9, 64e9, observed=BUSY),
}


@pytest.fixture(scope="module")
def records(make_record, make_case, make_result) -> dict[str, Record]:
    found = {name: run.record(**LIKE_DEFAULT) for name, run in RUNS.items()}
    base, cards = found["an EPYC with 96 cores and 12 channels"], two_h200s(make_record, make_case, make_result)
    machine = {**base.machine, "gpus": cards.machine["gpus"]}
    plain = tuple(one for one in cards.results if not {"sweep_point", "peer"} & set(one.case.variant))
    found["a server with two GPUs"] = replace(base, results=(*base.results, *plain), machine=machine)
    short = tuple(
        NotRun(f"host/add/native/{count}", "the budget of 15 s was used up; use a longer --budget") for count in (1, 96)
    )
    found["a budget that was too short"] = replace(base, not_run=short)
    return found


def shown(record: Record, width: int = 80, format_name: str = "table") -> str:
    return render(screen_document(record, examine(record)), format_name, width)


def test_of_a_gpu_with_the_hosts_memory_no_move_is_told(records):
    record = records["a server with two GPUs"]
    gpus = [gpu | {"unified_memory": True} for gpu in record.machine["gpus"]]
    kept = tuple(one for one in record.results if one.case.kind != "pcie")
    text = " ".join(shown(replace(record, results=kept, machine={**record.machine, "gpus": gpus})).split())
    assert "NVIDIA H200 and its processor share one memory: nothing is transferred. The GPU pays from " in text
    assert "transfer included" not in text


def test_the_screens_are_those_of_the_golden_file(records):
    text = "".join(f"=== {name} ===\n{shown(record)}\n" for name, record in records.items())
    if os.environ.get("BANDWIDTH_WRITE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_screen_has_room_on_its_terminal(records, width):
    for name, record in records.items():
        lines = shown(record, width).splitlines()
        assert max(map(len, lines)) <= width, name
        assert len(lines) <= MOST_LINES or width < 80, name
        assert "\x1b" not in "".join(lines)


def test_no_id_and_no_dash_for_a_ceiling_is_on_a_screen(records):
    for record in records.values():
        text = shown(record)
        assert not re.search(r"\b(host|device:[0-9]|pcie:[0-9])/", text)
        assert not re.search(r"\s-(\s|$)", text)


def test_an_unreliable_run_concludes_nothing_and_says_between_which_values(records):
    for name in ("rates that vary", "a busy machine"):
        text = shown(records[name])
        assert text.startswith("UNRELIABLE: ")
        assert "  ok  " not in text
        assert "Why not more" not in text
        assert re.search(r"all cores, streaming +[0-9.]+-[0-9.]+ ", text)


def test_programs_get_all_of_it_whatever_the_screen_shows(records):
    record = records["a hybrid laptop"]
    document = screen_document(record, examine(record))
    assert document.data == record_to_json(record, examine(record))
    assert len(document.records) == len(record.results)


@pytest.mark.parametrize("format_name", ["markdown", "latex", "html"])
def test_the_other_formats_for_people_have_the_same_answer(records, format_name):
    assert format_name in FORMATS
    text = shown(records["an EPYC with 96 cores and 12 channels"], format_name=format_name)
    assert "370.00" in text
    assert "Quality: good." in text


def test_a_full_run_has_mixes_latency_and_remote_memory_on_one_screen():
    record = Machine().record(target="host", full=True)
    lines = shown(record).splitlines()
    assert len(lines) <= MOST_LINES
    text = "\n".join(lines)
    assert re.search(r"remote node +5[0-9]\.[0-9]{2} +4[0-9] %", text)
    assert re.search(r"reads to writes +1:0 +3:1 +2:1 +1:1\n[- ]+\nall cores +780\.00 +", text)
    assert "Latency: 110.00 ns idle, 220.00 ns while all other cores read; at most 180.00 ns" in text
    assert "all cores, streaming" in text


def test_quiet_leaves_out_what_was_found_and_what_to_do(records):
    record = records["the same, one channel empty, slower than rated"]
    text = render(screen_document(record, examine(record), is_quiet=True), "table")
    assert "300.00" in text
    assert "BW0" not in text
    assert "--all" not in text


def test_a_study_alone_keeps_its_tables(make_record, result):
    points = [result("read", 1, 10.0, size=size, variant={"sweep_point": size}) for size in (4096, 8192, 16384)]
    text = shown(make_record(*points, options={"target": "host", "sweep": "size"}))
    assert "By size: read" in text
    assert "Quality" not in text
