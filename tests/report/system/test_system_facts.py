"""The table of a machine, whole and by the letter, from captured text in documented formats."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from bandwidth.ceilings.memory import GivenMemory, HostTheory, host_theory
from bandwidth.ceilings.of_machine import MachineCeiling, machine_ceilings
from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.modules.table import UDEV_DATABASE
from bandwidth.machine.probe import collect
from bandwidth.machine.reader import CapturedReader
from bandwidth.machine.topology import read_topology
from bandwidth.report import FORMATS, Table, render
from bandwidth.report.system.facts import facts_table, system_document, system_json
from bandwidth.results import Ceiling
from bandwidth.theory import peak

GIB = 1024**3
CPU = "/sys/devices/system/cpu"


def captured():
    """Return a desktop of two cores with two threads each and two of its four slots filled."""
    files = {
        f"{CPU}/online": "0-3\n",
        f"{CPU}/present": "0-3\n",
        "/sys/devices/system/node/node0/cpulist": "0-3\n",
        "/proc/cpuinfo": "processor\t: 0\nvendor_id\t: ExampleVendor\nmodel name\t: Example CPU 2-Core\n\n",
        "/proc/meminfo": "MemTotal: 33554432 kB\nMemAvailable: 16777216 kB\n",
        "/etc/os-release": 'PRETTY_NAME="Example Linux 1"\n',
        UDEV_DATABASE: udev(),
    }
    for cpu in range(4):
        topology = f"{CPU}/cpu{cpu}/topology"
        files[f"{topology}/physical_package_id"] = "0\n"
        files[f"{topology}/core_id"] = f"{cpu % 2}\n"
        files[f"{topology}/core_cpus_list"] = f"{cpu % 2},{cpu % 2 + 2}\n"
        for name, text in (("level", "3"), ("type", "Unified"), ("size", "16384K"), ("shared_cpu_list", "0-3")):
            files[f"{CPU}/cpu{cpu}/cache/index3/{name}"] = f"{text}\n"
    return CapturedReader(files, allowed_cpus=(0, 1, 2), logical_cpus=4, hostname="node1", kernel="6.1.0")


def udev():
    lines = []
    for index, filled in enumerate((False, True, False, True)):
        fields = {"LOCATOR": f"DIMM {index % 2 + 1}", "BANK_LOCATOR": f"P0 CHANNEL {'AB'[index // 2]}"}
        full = {"TYPE": "DDR4", "SIZE": 16 * GIB, "DATA_WIDTH": 64, "SPEED_MTS": 3200, "CONFIGURED_SPEED_MTS": 2933}
        fields |= full if filled else {"PRESENT": "0", "TYPE": "Unknown"}
        lines += [f"E:MEMORY_DEVICE_{index}_{name}={value}" for name, value in fields.items()]
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def facts():
    return collect(captured())


@pytest.fixture(scope="module")
def theory(facts):
    return host_theory(GivenMemory(), facts, read_topology(captured()).sockets)


UNKNOWN = HostTheory(None, 1, "", "this is a virtual machine", "use --memory")
GOLDEN = """\
Example CPU, 2 cores, 2 x 16 GiB DDR4-3200 running at 2933 MT/s

Memory bandwidth: 46.93 GB/s for the machine, from /run/udev/data/+dmi:id
  (derived)
  DDR4-2933 x2: (1466.67 MHz x 2) x 8 bytes x 2 channels = 46,933.33 MB/s =
    46.93 GB/s
Memory channels with a module: 2 of 2 with slots (the processor has an unknown
  number), from /run/udev/data/+dmi:id, slot names (derived)

  !!  DDR4-3200 runs at 2933 MT/s: at the rated speed the peak is 51.20 GB/s,
      9.1 % more. Enable XMP or EXPO in the firmware setup, if processor and
      modules per channel allow it. (BW043)

Memory modules
module                 type    size      rated    runs at
---------------------  ----  ------  ---------  ---------
DIMM 2 (P0 CHANNEL A)  DDR4  16 GiB  3200 MT/s  2933 MT/s
DIMM 2 (P0 CHANNEL B)  DDR4  16 GiB  3200 MT/s  2933 MT/s

More: --all (every fact, ceilings of writes)  --save facts.json
"""


def test_the_table_of_a_captured_desktop(facts, theory):
    assert render(system_document(facts, theory), "table") == GOLDEN


def test_every_fact_stands_above_its_source_which_breaks_nowhere(facts, theory):
    table = next(
        one for one in system_document(facts, theory, every=True).blocks if getattr(one, "title", "") == "Facts"
    )
    assert ("cpus allowed", "0-2") in table.rows
    assert table.rows[table.rows.index(("cpus allowed", "0-2")) + 1] == ("", "  from sched_getaffinity")
    text = render(system_document(facts, theory, every=True), "table")
    assert all(f"from {fact.source}" in text for fact in facts.values() if len(fact.source) < 50)


def test_the_unit_counts_for_the_theory(facts, theory):
    text = render(system_document(facts, theory, "MiB/s"), "table")
    assert "44,759.11 MiB/s for the machine" in text


def test_without_a_theory_the_reason_and_what_to_do_stand_behind_it(facts):
    document = system_document(facts, UNKNOWN)
    first = "Example CPU, 2 cores, 2 x 16 GiB DDR4-3200 running at 2933 MT/s\n\nMemory bandwidth: unknown"
    text = render(document, "table")
    assert text.startswith(first)
    found = "-- The memory's peak is unknown: this is a virtual machine. Use --memory. (BW010)"
    assert found in " ".join(text.split())


def test_the_gpus_stand_below_the_host_memory_and_its_theory(facts, theory):
    gpu = {"vendor": "NVIDIA", "name": "NVIDIA H200", "memory_clock_mhz": 3201, "memory_width_bits": 6144}
    with_gpus = Facts({**facts, "gpus": Fact([gpu, gpu], "NVML", "read")})
    text = render(system_document(with_gpus, theory, "TB/s"), "table")
    above, more = GOLDEN.replace("46.93 GB/s for the machine", "0.05 TB/s for the machine").split("More:")
    assert text == (
        above + "GPUs: 2 x NVIDIA H200\n"
        "fact            value\n"
        "--------------  ---------------------------------------\n"
        "memory          6144 bit wide\n"
        "memory clock    at most 3201 MHz\n"
        "peak            2 x 3201 MHz x 6144 bit / 8 = 4.92 TB/s\n"
        f"maker's figure  4.80 TB/s (catalog: H200)\n\nMore:{more}"
    )


def test_no_facts_at_all():
    assert render(system_document(Facts({}), UNKNOWN), "table").startswith("unknown CPU\n")


def test_what_saved_facts_say_is_marked(facts, theory):
    given = Facts({**facts, "memory_type": Fact("DDR4", "saved facts: udev", "given")})
    text = render(system_document(given, theory, every=True), "table")
    assert re.search(r"memory type +DDR4\n +from saved facts: udev \(given\)\n", text)


def test_ranks_have_a_column_where_any_is_known():
    modules = Facts({"memory_modules": Fact([{"locator": "A1", "ranks": 2}, {"locator": "B1"}], "a file", "read")})
    table = next(block for block in system_document(modules, UNKNOWN).blocks if isinstance(block, Table))
    assert table.columns[-1].header == "ranks"
    assert [row[-1] for row in table.rows] == ["2", "-"]


def test_a_module_with_gaps_has_dashes():
    modules = Facts({"memory_modules": Fact([{"locator": "A1", "size_bytes": 8 * GIB}, {}, "odd"], "a file", "read")})
    table = next(block for block in system_document(modules, UNKNOWN).blocks if isinstance(block, Table))
    assert table.rows == (("A1", "-", "8 GiB", "-", "-"), ("-", "-", "-", "-", "-"))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("memory_total_bytes", 24 * GIB, "24 GiB"),
        ("memory_rated_mt_s", 3200, "3200 MT/s"),
        ("memory_channels_range", [1, 4], "1 to 4"),
        ("gpus", [], "none"),
        ("gpus", [{"name": "a"}, {"name": "b", "vendor": "AMD"}, {"name": "a"}], "2 x a, AMD b"),
        ("governors", ["performance", "powersave"], "performance, powersave"),
        ("numa_node_memory_bytes", {"0": GIB, "1": 2 * GIB}, "0: 1 GiB, 1: 2 GiB"),
        ("cpu_quota", 1.5, "1.5"),
        ("boost", True, "yes"),
        ("core_kinds", {"performance": 8, "efficiency": 16}, "8 performance, 16 efficiency"),
        ("numa_memory_only_nodes", [8, 9], "8, 9"),
        ("numa_node_memory_bytes", {"0": GIB, "1": GIB, "2": GIB, "4": GIB, "8": 0}, "0-2: 1 GiB, 4: 1 GiB, 8: 0 B"),
        ("numa_distances", {"0": [10, 21], "1": [21, 10]}, "10 to 21 (see --json)"),
        ("numa_distances", {"0": [], "1": "odd"}, "-"),
        ("transparent_huge_page_bytes", 2 * 1024**2, "2 MiB"),
    ],
)
def test_values_are_written_with_their_unit(name, value, text):
    table = facts_table(Facts({name: Fact(value, "a file", "read")}))
    assert table.rows[0][1] == text
    assert "bytes" not in table.rows[0][0]


def test_names_that_people_would_not_understand_are_put_into_words():
    names = (
        "page_bytes",
        "transparent_huge_page_bytes",
        "c_library_streaming_threshold_bytes",
        "numa_memory_only_nodes",
    )
    table = facts_table(Facts({name: Fact(4096, "a file", "read") for name in names}))
    assert [row[0] for row in table.rows] == [
        "page size", "huge page size", "memcpy bypasses the cache from", "numa nodes without processors",
    ]  # fmt: skip


def test_at_most_80_columns_whatever_the_facts(theory):
    long = Facts(
        {
            "a_very_long_name_of_a_fact_that_a_later_version_adds_bytes": Fact(GIB, "a source " * 20, "derived"),
            "cpu_model": Fact("An Example Processor with a Name of Many Words " * 3, "/a" * 40, "read"),
        }
    )
    for facts in (long, collect(captured())):
        for known in (theory, UNKNOWN, HostTheory(peak("DDR5-4800 x12", sockets=2), 2, "--memory DDR5-4800 x12")):
            for every in (False, True):
                text = render(system_document(facts, known, every=every), "table")
                assert max(map(len, text.splitlines())) <= 80


def test_json_is_what_is_saved_and_reads_back(facts, theory):
    content = json.loads(render(system_document(facts, theory), "json"))
    assert content == json.loads(json.dumps(system_json(facts, theory)))
    assert content["schema"] == "bandwidth/system/1"
    assert Facts.from_json(content["machine"]) == facts
    assert content["memory"]["bytes_per_s"] == pytest.approx(2933.3333e6 * 16)
    assert content["ceilings"] == []


def test_json_has_the_ceilings_of_reads_and_writes_as_results_have_them(facts, theory):
    found = machine_ceilings(facts, read_topology(captured()), theory)
    content = json.loads(render(system_document(facts, theory, ceilings=found), "json"))
    assert [(one["path"], one["cores"], one["kind"]) for one in content["ceilings"]] == [
        (path, cores, kind) for cores in (2, 1) for path in ("read", "write") for kind in ("memory", "memory_full")
    ]
    assert content["ceilings"][0] == {
        "path": "read",
        "cores": 2,
        "kind": "memory",
        "bytes_per_s": pytest.approx(2933.3333e6 * 16),
        "working": "(1466.67 MHz x 2) x 8 bytes x 2 channels = 46,933.33 MB/s = 46.93 GB/s",
        "source": "/run/udev/data/+dmi:id (derived)",
        "confidence": "high",
    }


def test_json_has_the_lower_end_of_a_ceiling_that_is_a_range(facts, theory):
    ceiling = Ceiling("fabric", 57.6e9, "2 links", "a study", "medium", least_bytes_per_s=28.8e9)
    (one,) = system_json(facts, theory, ceilings=(MachineCeiling("write", 2, ceiling),))["ceilings"]
    assert (one["bytes_per_s"], one["least_bytes_per_s"]) == (57.6e9, 28.8e9)


def test_csv_has_one_row_a_fact(facts, theory):
    rows = list(csv.DictReader(io.StringIO(render(system_document(facts, theory), "csv"))))
    assert [row["fact"] for row in rows] == list(facts)
    assert {row["confidence"] for row in rows} <= {"read", "derived", "assumed", "given"}


def test_every_format_names_the_modules_and_the_theory(facts, theory):
    for format_name in FORMATS:
        text = render(system_document(facts, theory), format_name)
        assert "Example CPU" in text
        assert "2933" in text
        assert "\x1b" not in text
