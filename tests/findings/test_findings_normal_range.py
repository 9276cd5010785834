"""What is below normal, by which band, and what is named as the first thing to see."""

from __future__ import annotations

import pytest

from bandwidth.findings import examine

STREAMING, ORDINARY = {"stores": "streaming"}, {"stores": "ordinary"}
MACHINE = {"physical_cores": 4, "logical_cpus": 4, "cpus_allowed": "0-3", "cpu_model": "A Processor"}
PEAK = 100e9


@pytest.fixture
def row(steady):
    def build(gb_s, **fields):
        return steady(gb_s, **{"engine": "native", "threads": 4, "theory": PEAK, "variant": STREAMING} | fields)

    return build


@pytest.mark.parametrize(("gb_s", "expected"), [(74.9, 1), (75.1, 0), (92.5, 0), (99.0, 0), (10.0, 1)])
def test_bw034_by_the_general_band(row, found, gb_s, expected):
    assert len(found(row(gb_s), code="BW034", machine=MACHINE)) == expected


def test_bw034_names_the_row_the_limit_and_the_band(row, found):
    ((case_id, text),) = found(row(60.0), code="BW034", machine=MACHINE)
    assert case_id == "host/copy/native/4/streaming"
    assert text == "60.0 % of peak is below normal for host memory: 75 to 92 %, 75.00 GB/s or more"


def test_bw034_takes_the_best_of_compiled_codes_rows(row, found):
    rows = [row(40.0), row(80.0, path="read", variant={}), row(90.0, path="triad", variant=ORDINARY)]
    assert found(*rows, code="BW034", machine=MACHINE) == []
    ((case_id, _),) = found(rows[0], rows[2], code="BW034", machine=MACHINE)
    assert case_id == "host/copy/native/4/streaming"  # ordinary stores move more than they count


def test_bw034_takes_numpy_where_there_is_no_compiled_code(row, found):
    numpy = row(60.0, engine="numpy", variant={})
    assert [case_id for case_id, _ in found(numpy, code="BW034", machine=MACHINE)] == ["host/copy/numpy/4"]
    assert found(numpy, row(80.0), code="BW034", machine=MACHINE) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"threads": 1},  # not all cores
        {"theory": None},
        {"path": "dot", "variant": {}},
        {"working_set_bytes": 4096},
        {"target": "device:0"},
        {"variant": STREAMING | {"data": "zeros"}},
        {"variant": {"cpu_node": 0, "memory_node": 1}},
    ],
)
def test_bw034_judges_only_what_a_band_speaks_of(row, found, fields):
    assert found(row(10.0, **fields), code="BW034", machine=MACHINE) == []


def test_bw034_is_silent_where_the_cores_are_not_known(row, found):
    assert found(row(10.0), code="BW034", machine={}) == []


@pytest.mark.parametrize(
    ("facts", "spec", "vendor", "gb_s", "expected"),
    [
        ({"cpu_vendor": "AuthenticAMD", "cpu_family": 25, "cpu_model_number": 17}, "DDR5", None, 76.0, None),
        ({"cpu_vendor": "AuthenticAMD", "cpu_family": 25, "cpu_model_number": 17}, "DDR5", None, 74.0, "EPYC 9004"),
        ({"cpu_model": "ARM Neoverse-V2"}, "LPDDR5X-8533 512-bit", 90e9, 73.0, None),
        ({"cpu_model": "ARM Neoverse-V2"}, "LPDDR5X-8533 512-bit", 90e9, 71.0, "Grace"),
        ({"cpu_model": "ARM Neoverse-V2"}, "LPDDR5X-8533 512-bit", None, 74.0, "host memory"),  # its figure lacks
        ({"cpu_model": "ARM Neoverse-V2"}, "DDR5-5600 x12", 90e9, 74.0, "Graviton4"),
        ({"cpu_model": "AMD EPYC 9254 24-Core Processor"}, "DDR5", None, 64.0, "EPYC 9254"),
    ],
)
def test_bw034_by_the_band_of_the_processor(row, found, facts, spec, vendor, gb_s, expected):
    record = {"machine": MACHINE | facts, "memory": {"spec": spec, "bytes_per_s": PEAK}}
    texts = [text for _, text in found(row(gb_s, vendor=vendor), code="BW034", **record)]
    assert [f"below normal for {expected}: " in text for text in texts] == [True] * (expected is not None)


@pytest.mark.parametrize(
    ("theory", "caches", "gb_s", "expected"),
    [
        (96e9, 1, 51.0, 0),  # its fabric carries no more
        (96e9, 1, 49.0, 1),
        (96e9, 2, 51.0, 1),  # two dies
        (60e9, 1, 46.0, 0),  # slow memory need not reach the fabric's rate
        (60e9, 1, 44.0, 1),
    ],
)
def test_bw034_knows_the_fabric_of_a_single_die(row, found, theory, caches, gb_s, expected):
    facts = {"cpu_vendor": "AuthenticAMD", "cpu_family": 25, "cpu_model_number": 97}
    machine = MACHINE | facts | {"last_level_cache_instances": caches}
    assert len(found(row(gb_s, theory=theory), code="BW034", machine=machine)) == expected


GIVEN = {"spec": "DDR5-4800 x4", "bytes_per_s": PEAK, "source": "--memory DDR5-4800 x4"}
READ = GIVEN | {"source": "the SMBIOS table (read)"}


@pytest.mark.parametrize(
    ("facts", "before", "memory", "expected"),
    [
        ({"physical_cores": 64}, {}, READ, "only 4 of 64 cores are available"),
        ({"cpu_quota": 1.5}, {}, READ, "the CPU quota of 1.5 (BW005)"),
        ({"memory_channels": 2, "memory_channels_with_slots": 4}, {}, GIVEN, "2 of 4 channels hold a module"),
        ({"memory_channels": 2, "memory_channels_with_slots": 4}, {}, READ, "a module on every channel"),
        (
            {"memory_configured_mt_s": 4000, "memory_rated_mt_s": 6000},
            {},
            GIVEN,
            "the modules run at 4000 of their 6000",
        ),
        ({}, {"on_battery": True}, READ, "the machine ran on its battery"),
        ({}, {"governors": ["powersave"]}, READ, "the governor is powersave"),
        ({}, {"governors": ["powersave"], "energy_preference": ["power"]}, READ, "a module on every channel"),
        ({"memory_nodes_allowed": [1]}, {}, READ, "memory is restricted to node 1"),
        ({"virtualization": "KVM"}, {}, GIVEN, "a virtual machine has some of the host's cores"),
        ({"virtualization": "none"}, {}, GIVEN, "40.0 % of the peak is typical of half-populated channels"),
        ({}, {}, READ, "a module on every channel"),
    ],
)
def test_bw034_names_the_first_thing_to_see(row, make_record, facts, before, memory, expected):
    record = make_record(row(40.0), machine=MACHINE | facts, before=before, memory=memory)
    (finding,) = [one for one in examine(record).of("host/copy/native/4/streaming") if one.code == "BW034"]
    assert finding.hint.startswith(f"check first: {expected}")
