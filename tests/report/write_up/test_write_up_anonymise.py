"""A record without what names its owner, also where its machine is called by a word that stands there for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bandwidth.findings import examine
from bandwidth.report.write_up.anonymise import anonymised
from bandwidth.results import Ceiling
from bandwidth.results.files import record_to_json

WORDS = ["host", "native", "copy", "numpy", "Linux", "gpu", "device", "pcie", "memory", "streaming", "EPYC", "2", "L3"]
NOTES = ("the host's memory: copy by native on Linux and numpy, 2 threads, device:0 of a gpu, L3 of the EPYC",)


@pytest.fixture
def record(make_case, make_result, make_record):
    cases = [
        make_case(engine="native", threads=2, variant={"stores": "streaming"}, caches={"L3": 2**25}),
        make_case(path="read"),
        make_case(target="device:0", engine="cuda"),
        make_case(target="pcie:0", path="h2d", engine="cuda", variant={"host_memory": "pinned"}),
    ]
    machine = {
        "cpu_model": "AMD EPYC 9755 128-Core Processor",
        "operating_system": "Linux",
        "governor": "performance",
        "memory_total_bytes": 2**36,
        "gpus": [{"name": "NVIDIA H200", "device": 0}],
    }
    found = make_record(*map(make_result, cases), machine=machine, notes=NOTES)
    return replace(found, command=("bandwidth", "measure", "host", "--kernel", "copy", "--engine", "native,numpy"))


def called(record, name):
    return replace(record, machine={"hostname": name, **record.machine})


@pytest.mark.parametrize("name", [*WORDS, "governor", "h2d", "cuda", "pinned", "h200", "performance"])
def test_a_machine_called_by_a_word_changes_nothing_but_its_name(record, name):
    """On a machine called `host` all targets of the host were renamed, and nothing matched them any more."""
    bare = anonymised(called(record, name))
    assert record_to_json(bare, examine(bare)) == record_to_json(record, examine(record))


@pytest.mark.parametrize("name", ["gpu", "node7"])
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("alice@{}: done", "alice@[host]: done"),
        ("tcp://{}:8786", "tcp:[file]:8786"),
        ("from {}:/export", "from [host]:[file]"),
        ("on {}.example.org, twice", "on [host], twice"),
    ],
)
def test_where_only_the_name_of_a_host_can_stand_it_is_left_out(record, name, text, left):
    bare = anonymised(replace(called(record, f"{name}.example.org"), notes=(text.format(name),)))
    assert bare.notes == (left,)


def test_a_name_that_is_no_word_is_left_out_wherever_it_stands(record):
    case = replace(record.results[0].case, variant={"peer": "node7"})
    ceiling = Ceiling("node7", 1e9, "1 GB/s of node7", "facts of node7", "high")
    named = replace(
        called(record, "node7"),
        results=(replace(record.results[0], case=case, theory_source="facts of node7", ceilings=(ceiling,)),),
        notes=("on node7: read",),
        machine={"hostname": "node7", "node7": {"source": "node7"}},
    )
    assert "node7" not in str(record_to_json(anonymised(named), examine(named)))
