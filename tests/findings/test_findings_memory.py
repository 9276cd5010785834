"""What is said of modules, of every machine, inside the band too; and of NUMA nodes: distance, placement, likeness."""

from __future__ import annotations

import pytest

from bandwidth.findings import examine
from bandwidth.findings.rules import examine_facts, examine_memory, in_short
from bandwidth.results import Observed

GIB = 2**30
FULL = {"memory_type": "DDR5", "memory_configured_mt_s": 4800, "memory_rated_mt_s": 4800}


def texts(machine, code):
    return [(one.text, one.hint) for one in examine_facts(machine) if one.code == code]


@pytest.mark.parametrize(
    ("facts", "text", "hint"),
    [
        (
            {"memory_channels": 11, "memory_channels_possible": 12},
            "11 of 12 memory channels hold a module: 422.40 of 460.80 GB/s are possible",
            "put a module of the same kind",
        ),
        (
            {"memory_channels": 1, "memory_channels_with_slots": 2},
            "1 of 2 memory channels holds a module: 38.40 of 76.80",
            "",
        ),
        (
            {"memory_channels": 1, "memory_channels_with_slots": 1, "memory_channels_possible": 2},
            "1 of 2 memory channels holds a module",
            "the firmware lists no slots on the other channels",
        ),
        (
            {"memory_channels": 2, "memory_channels_possible": 4, "memory_type": "LPDDR5"},
            "2 of 4 memory channels hold a module",
            "put",
        ),
    ],
)
def test_bw050_empty_channels(facts, text, hint):
    ((found, what_to_do),) = texts(FULL | facts, "BW042")
    assert found.startswith(text)
    assert what_to_do.startswith(hint)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"memory_channels": 2},
        {"memory_channels": 2, "memory_channels_with_slots": 2},
        {"memory_channels": 4, "memory_channels_possible": 2},
        {"memory_channels": "two", "memory_channels_possible": 8},
        {"memory_channels": True, "memory_channels_possible": 8},
    ],
)
def test_bw050_says_nothing_where_none_is_empty_or_nothing_is_known(facts):
    assert texts(FULL | facts, "BW042") == []


@pytest.mark.parametrize(
    ("configured", "rated", "expected"),
    [
        (4000, 4800, ["DDR5-4800 runs at 4000 MT/s: at the rated speed the peak is 20.0 % more"]),
        (4800, 4800, []),
        (6000, 4800, []),  # an overclock
        (2666, 2667, []),  # rounding
        (None, 4800, []),
        (4000, None, []),
    ],
)
def test_bw051_modules_below_their_rated_speed(configured, rated, expected):
    machine = {"memory_type": "DDR5", "memory_configured_mt_s": configured, "memory_rated_mt_s": rated}
    assert [text for text, _ in texts(machine, "BW043")] == expected


def modules(*sizes, **other):
    return [
        {"size_bytes": size * GIB, **{name: values[at] for name, values in other.items()}}
        for at, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("listed", "channels", "expected"),
    [
        (modules(8, 16), 2, "the memory modules differ: 1 of 8 GiB, 1 of 16 GiB"),
        (modules(8, 8, ranks=(1, 2)), 2, "the memory modules differ: 1 of 1 rank, 1 of 2 ranks"),
        (modules(8, 8, rated_mt_s=(2400, 3200)), None, "the memory modules differ: 1 of 2400 MT/s, 1 of 3200 MT/s"),
        (modules(8, 16, 8, 16), 2, None),  # each channel has the same two
        (modules(8, 16, 16, 16), 2, "the memory modules differ: 1 of 8 GiB, 3 of 16 GiB"),
        (modules(8, 8), 2, None),
        (modules(8), 1, None),
        ([{"size_bytes": 8 * GIB}, {}], 2, None),
        ("odd", 2, None),
        (["odd", {"size_bytes": "much"}], 2, None),
    ],
)
def test_bw052_unlike_modules(listed, channels, expected):
    found = texts({"memory_modules": listed, "memory_channels": channels}, "BW044")
    assert [text for text, _ in found] == ([] if expected is None else [expected])


def test_they_are_said_of_a_record_whose_rates_are_normal(make_record, make_result):
    machine = FULL | {"memory_channels": 7, "memory_channels_possible": 8, "memory_configured_mt_s": 4400}
    codes = [one.code for one in examine(make_record(make_result(), machine=machine)).general]
    assert codes.count("BW042") == codes.count("BW043") == 1


def test_a_line_has_them_in_a_few_words():
    machine = FULL | {"memory_channels": 7, "memory_channels_possible": 8, "memory_configured_mt_s": 4400}
    assert in_short(machine) == {
        "BW042": "7 of 8 memory channels hold a module",
        "BW043": "DDR5-4800 runs at 4400 MT/s",
    }


def test_bw010_is_said_of_facts_alone():
    (finding,) = examine_memory({"bytes_per_s": None, "reason": "a reason", "hint": "do this"})
    assert (finding.code, finding.hint) == ("BW010", "do this")
    assert examine_memory({"bytes_per_s": 1.0}) == examine_memory({}) == ()


# --- NUMA nodes -----------------------------------------------------------------------------------------------------

RIGHT = {"placed_share": Observed(1.0, 1.0, 1.0)}


@pytest.fixture
def matrix(steady):
    """Return the rows of a read between nodes at some rates."""

    def build(rates, observed=RIGHT, **fields):
        return [
            steady(
                rate,
                **{"engine": "native", "path": "read", "threads": 4} | fields,
                variant={"cpu_node": cpu, "memory_node": memory},
                observed=observed,
            )
            for (cpu, memory), rate in rates.items()
        ]

    return build


def two_nodes(remote, other_local=40.0):
    return {(0, 0): 40.0, (0, 1): remote, (1, 0): 40.0, (1, 1): other_local}


# --- BW025


@pytest.mark.parametrize(("remote", "expected"), [(37.9, 1), (38.1, 0), (20.0, 1), (41.0, 0)])
def test_bw025_by_the_share_that_is_left(matrix, found, remote, expected):
    assert len(found(*matrix(two_nodes(remote)), code="BW025")) == expected


def test_bw025_names_both_ends_and_where_the_lowest_is(matrix, found):
    ((case_id, text),) = found(*matrix(two_nodes(20.0) | {(1, 0): 30.0}), code="BW025")
    assert case_id is None
    assert text == (
        "remote memory is slower: 50.0 % to 75.0 % of the local bandwidth (lowest: CPUs of node 0, memory of node 1)"
    )


@pytest.mark.parametrize(("remote", "expected"), [(160.0, "1.60 times"), (104.0, None), (106.0, "1.06 times")])
def test_bw025_by_latency(latency, found, remote, expected):
    rows = [
        latency(ns, variant={"cpu_node": 0, "memory_node": node}, observed=RIGHT)
        for node, ns in ((0, 100), (1, remote))
    ]
    texts = [text for _, text in found(*rows, code="BW025")]
    assert [expected in text for text in texts] == [True] * (expected is not None)


def test_eight_nodes_are_one_line(matrix, found):
    rates = {(cpu, memory): 40.0 if cpu == memory else 25.0 for cpu in range(8) for memory in range(8)}
    assert found(*matrix(rates)) == ["BW025"]


# --- BW026, BW027


@pytest.mark.parametrize(("least", "expected"), [(0.951, 0), (0.949, 1), (0.0, 1), (1.0, 0)])
def test_bw026_by_the_least_share_of_pages(matrix, found, least, expected):
    observed = {"placed_share": Observed(1.0, least, 1.0)}
    rows = found(*matrix({(0, 1): 20.0}, observed), code="BW026")
    assert [case_id for case_id, _ in rows] == ["host/read/native/4/0/1"] * expected


def test_bw027_by_what_could_not_be_seen(matrix, found):
    rows = [*matrix({(0, 0): 40.0}), *matrix({(0, 1): 40.0, (1, 0): 40.0}, {})]
    ((case_id, text),) = found(*rows, code="BW027")
    assert case_id is None
    assert text == "memory placement could not be verified for 2 of 3 pairs of nodes"
    assert found(*matrix({(0, 0): 40.0}), code="BW027") == []


def test_bw027_is_not_about_results_that_name_no_node(steady, found):
    assert found(steady(10.0, engine="native", path="read"), code="BW027") == []


# --- BW028


@pytest.mark.parametrize(("other", "expected"), [(36.1, 0), (35.9, 1), (20.0, 1), (44.0, 0), (45.0, 1)])
def test_bw028_by_the_nodes_own_memories(matrix, found, other, expected):
    assert len(found(*matrix(two_nodes(40.0, other)), code="BW028")) == expected


def test_bw028_names_the_slow_node_once_for_all_kernels(matrix, found):
    rows = [*matrix(two_nodes(20.0, 30.0)), *matrix(two_nodes(20.0, 30.0), path="copy")]
    ((_, text),) = found(*rows, code="BW028")
    assert text == "node 1's local memory reaches 30.00 GB/s, 75.0 % of node 0's, less than 90.0 %"


def test_bw028_compares_as_many_threads_alone(matrix, found):
    rows = [*matrix({(0, 0): 40.0}), *matrix({(1, 1): 20.0}, threads=2)]
    assert found(*rows, code="BW028") == []


# --- BW029


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([2], "node 2 without CPUs (CXL, HBM or GPU memory) was not measured"),
        ([2, 3], "nodes 2, 3 without CPUs (CXL, HBM or GPU memory) were not measured"),
        ([], None),
        ("2", None),
        ([None, "2", True], None),
    ],
)
def test_bw029_by_the_fact(steady, found, nodes, expected):
    texts = [text for _, text in found(steady(10.0), code="BW029", machine={"numa_memory_only_nodes": nodes})]
    assert texts == ([] if expected is None else [expected])


def test_bw029_is_silent_about_nodes_that_were_measured(matrix, found):
    rows = matrix({(0, 0): 40.0, (0, 2): 20.0})
    assert found(*rows, code="BW029", machine={"numa_memory_only_nodes": [2]}) == []
