"""Records side by side: matched by id and nothing else, ratios and noise worked out by hand."""

from __future__ import annotations

import pytest
from pairs_of_cpus import between

from bandwidth import BandwidthError, compare, summarise
from bandwidth.comparison.baseline import check, merged, other_hardware
from bandwidth.comparison.pairs import differences, setup_of
from bandwidth.comparison.roles import met_by_all
from bandwidth.comparison.sides import Side, placed, short_names, side_by_side
from bandwidth.report import render
from bandwidth.report.comparison.side_by_side import comparison_document
from bandwidth.results import Observed
from bandwidth.statistics import Interval
from bandwidth.theory import peaks


@pytest.fixture(scope="module")
def run(make_record, make_case, make_result):
    """Return a record of one result a keyword: `run(copy=(10, 11))` has these rates in bytes per second."""

    def build(*, failed=(), **rates):
        return make_record(
            *(
                make_result(
                    make_case(path=path, bytes_per_call=1),
                    tuple(1 / rate for rate in values),
                    failure="wrong" if path in failed else "",
                )
                for path, values in rates.items()
            )
        )

    return build


def test_ratios_are_to_the_reference(run):
    (one,) = compare(run(copy=(10.0,) * 6), run(copy=(20.0,) * 6))
    assert one.id == "host/copy/numpy/1"
    assert one.ratios == (1.0, 2.0)
    (other,) = compare(run(copy=(10.0,) * 6), run(copy=(20.0,) * 6), reference=1)
    assert other.ratios == (0.5, 1.0)


def test_three_records_against_the_middle_one(run):
    (found,) = compare(run(copy=(8.0,) * 6), run(copy=(16.0,) * 6), run(copy=(4.0,) * 6), reference=1)
    assert found.ratios == (0.5, 1.0, 0.25)
    assert found.differs == (True, False, True)


def test_the_interval_of_a_ratio_comes_from_the_ends_of_both(run):
    # Powers of two: 1/x and back are exact. Six samples: the interval is the least and the greatest.
    base, other = run(copy=(2.0, 4.0, 4.0, 4.0, 4.0, 8.0)), run(copy=(16.0, 32.0, 32.0, 32.0, 32.0, 64.0))
    (found,) = compare(base, other)
    assert found.ratios[1] == 8.0
    assert found.ratio_intervals[1] == Interval(16.0 / 8.0, 64.0 / 2.0)


@pytest.mark.parametrize(("least", "differs"), [(8.0, False), (8.5, True)])
def test_a_difference_needs_intervals_without_a_common_value(run, least, differs):
    base, other = run(copy=(4.0, 4.0, 4.0, 4.0, 4.0, 8.0)), run(copy=(least, 16.0, 16.0, 16.0, 16.0, 16.0))
    assert compare(base, other)[0].differs == (False, differs)
    assert compare(other, base)[0].differs == (False, differs)


def test_below_six_samples_nothing_is_said_of_noise(run):
    (found,) = compare(run(copy=(4.0,) * 6), run(copy=(8.0,) * 5))
    assert found.ratios == (1.0, 2.0)
    assert found.ratio_intervals == (Interval(1.0, 1.0), None)
    assert found.differs == (False, None)


def test_ids_stand_as_they_first_appear_and_a_missing_one_has_nothing(run):
    found = compare(run(read=(4.0,) * 6, copy=(4.0,) * 6), run(write=(4.0,) * 6, copy=(2.0,) * 6))
    assert [one.id.split("/")[1] for one in found] == ["read", "copy", "write"]
    assert [one.ratios for one in found] == [(1.0, None), (1.0, 0.5), (None, None)]
    assert [one.differs for one in found] == [(False, None), (False, True), (None, None)]
    assert [[summary is None for summary in one.summaries] for one in found] == [
        [False, True],
        [False, False],
        [True, False],
    ]


def test_an_unverified_result_has_no_ratio(run):
    (found,) = compare(run(copy=(4.0,) * 6), run(copy=(8.0,) * 6, failed=("copy",)))
    assert found.ratios == (1.0, None)
    (found,) = compare(run(copy=(8.0,) * 6, failed=("copy",)), run(copy=(4.0,) * 6))
    assert (found.ratios, found.differs) == ((None, None), (None, None))


def test_threads_engines_and_variants_are_never_joined(make_record, make_case, make_result):
    cases = [make_case(), make_case(threads=2), make_case(engine="native"), make_case(variant={"stores": "streaming"})]
    records = [make_record(make_result(case)) for case in cases]
    assert [one.id for one in compare(*records)] == [case.id for case in cases]


def test_what_else_a_case_says_does_not_keep_it_apart(make_record, make_case, make_result):
    small, large = make_case(working_set_bytes=4096, dram_rule_bytes=None), make_case(cpus=(7,))
    (found,) = compare(make_record(make_result(small)), make_record(make_result(large)))
    assert found.ratios[1] == pytest.approx(256 * 1024**2 / 4096)


def test_records_without_results_compare_to_nothing(make_record):
    assert compare(make_record(), make_record()) == ()


def test_one_record_or_a_reference_that_is_not_there_is_refused(run):
    one = run(copy=(1.0,))
    for records in ((), (one,)):
        with pytest.raises(BandwidthError, match="needs two records"):
            compare(*records)
    for reference in (-1, 2):
        with pytest.raises(BandwidthError, match=rf"there is no record {reference}; use 0 to 1"):
            compare(one, one, reference=reference)


def test_latencies_are_compared_by_their_times(make_record, make_case, make_result):
    case = make_case(path="latency", engine="native", bytes_per_call=8, payload_bytes_per_call=8)
    base, other = (make_record(make_result(case, (seconds,) * 6)) for seconds in (1e-7, 1.5e-7))
    (found,) = compare(base, other)
    assert found.ratios == pytest.approx((1.0, 1.5))
    assert found.differs == (False, True)
    assert found.ratio_intervals[1] == Interval(pytest.approx(1.5), pytest.approx(1.5))


# --- side by side: more than two, theory, plateaus, conventions


def columns(*records, specs=()):
    found = [Side(name, f"{name}.json", record) for name, record in zip("abcdef", records, strict=False)]
    for spec in specs:
        memory = next((one for one in peaks(spec) if one.kind == "memory"), None)
        link = next((one for one in peaks(spec) if one.kind == "link"), None)
        found.append(Side(spec, spec, memory=memory, link=link))
    return found


def test_side_by_side_says_the_same_as_compare(run):
    records = [run(copy=(4.0, 4.0, 4.0, 4.0, 4.0, 8.0), read=(2.0,) * 6), run(copy=(16.0,) * 6), run(read=(3.0,) * 3)]
    sides, plain = side_by_side(columns(*records), 0), compare(*records)
    for row, comparison in zip(sides.rows, plain, strict=True):
        assert row.id == comparison.id
        assert tuple(cell and cell.ratio for cell in row.cells) == comparison.ratios
        assert tuple(cell and cell.ratio_interval for cell in row.cells) == comparison.ratio_intervals
        assert tuple(cell and cell.differs for cell in row.cells) == comparison.differs


def test_a_memory_stands_beside_rates_from_memory_and_a_link_beside_transfers(make_record, make_case, make_result):
    cases = {
        "host": make_case(),
        "cache": make_case(path="read", working_set_bytes=4096),
        "latency": make_case(path="latency", bytes_per_call=8, payload_bytes_per_call=8),
        "h2d": make_case(target="pcie:0", path="h2d", engine="cuda", dram_rule_bytes=None),
        "both": make_case(target="pcie:0", path="bidirectional", engine="cuda", dram_rule_bytes=None),
        "peer": make_case(target="device:0", path="peer", engine="cuda", variant={"peer": 1}),
        "two": make_case(target="device:0,1", path="copy", engine="cuda"),
    }
    record = make_record(*(make_result(case) for case in cases.values()))
    sides = side_by_side(columns(record, specs=("DDR4-2933 x4", "PCIe 4.0 x16", "H200")))
    figures = {
        name: [cell and round(cell.figure / 1e9, 2) for cell in row.cells[1:]]
        for name, row in zip(cases, sides.rows, strict=True)
    }
    assert figures == {
        "host": [93.87, None, 4916.74],
        "cache": [None, None, None],
        "latency": [None, None, None],
        "h2d": [None, 31.51, 63.02],
        "both": [None, 63.02, 126.03],
        "peer": [None, None, None],
        "two": [None, None, None],
    }
    assert all(cell is None or cell.differs is None for row in sides.rows for cell in row.cells[1:])


def test_a_spec_may_be_the_reference(run, make_record, make_case, make_result):
    record = make_record(make_result(make_case(), (256 * 1024**2 / 46933333333.333336,) * 8))
    sides = side_by_side(columns(record, specs=("DDR4-2933 x4",)), 1)
    assert sides.rows[0].cells[0].ratio == pytest.approx(0.5)
    assert sides.rows[0].cells[0].ratio_interval == Interval(pytest.approx(0.5), pytest.approx(0.5))


def test_results_of_different_conventions_are_never_in_one_row(make_record, make_case, make_result):
    stream, payload = make_case(), make_case(bytes_per_call=128 * 1024**2)
    sides = side_by_side(columns(make_record(make_result(stream)), make_record(make_result(payload))))
    assert [(row.id, row.counted) for row in sides.rows] == [("host/copy/numpy/1", 2.0), ("host/copy/numpy/1", 1.0)]
    assert [[cell is None for cell in row.cells] for row in sides.rows] == [[False, True], [True, False]]
    assert all(cell is None or cell.ratio in (None, 1.0) for row in sides.rows for cell in row.cells)


@pytest.fixture
def sweep(make_record, make_case, make_result):
    """Return a record of a sweep in which a call of each size takes `seconds`."""

    def build(seconds=0.02, **overrides):
        sizes = [2**power * 1024 for power in range(3, 20)]
        caches = {"L1": 32 * 1024, "L2": 1024**2, "L3": 32 * 1024**2}
        return make_record(
            *(
                make_result(
                    make_case(working_set_bytes=size, variant={"sweep_point": size}, caches=caches, **overrides),
                    (seconds,) * 6,
                )
                for size in sizes
            )
        )

    return build


def test_sweeps_are_compared_by_their_plateaus_and_their_points_are_details(sweep):
    sides = side_by_side(columns(sweep(), sweep(0.04)))
    assert sides.details == 17
    plateaus = [row for row in sides.rows if not row.is_detail]
    assert [(row.id, row.level) for row in plateaus] == [
        ("host/copy/numpy/1", level) for level in ("L1", "L2", "L3", "memory")
    ]
    assert [row.cells[1].ratio for row in plateaus] == [0.5] * 4
    assert {row.cells[1].differs for row in plateaus} == {None}


def test_two_sides_with_a_record_are_needed(run):
    with pytest.raises(BandwidthError, match="compare needs two"):
        side_by_side(columns(run(copy=(1.0,))))
    with pytest.raises(BandwidthError, match="compare needs a record"):
        side_by_side(columns(specs=("H200", "DDR4-2933")))


@pytest.mark.parametrize(
    ("full", "short"),
    [
        (["a", "b"], ["a", "b"]),
        (["cluster-node-01", "cluster-node-02"], ["er-node-01", "er-node-02"]),
        (["one long name of a file", "another"], ["one long n", "another"]),
        (["same", "same"], ["same~1", "same~2"]),
        (["", "x"], ["~1", "x~2"]),
        (["a\nb\tc", "\x1b[31m"], ["a b c", "?[31m"]),
    ],
)
def test_names_are_short_printable_and_distinct(full, short):
    assert short_names(full) == short


# --- set-ups


def test_only_what_is_known_of_two_and_not_the_same_differs(make_record):
    machine = {
        "cpu_model": "A",
        "kernel": "6.1",
        "hostname": "x",
        "memory_modules": [{}, {}],
        "memory_available_bytes": 1,
    }
    one = make_record(machine=machine, before={"governors": ["powersave"], "load_average_1min": 1.0})
    other = make_record(
        machine={"cpu_model": "A", "hostname": "y", "memory_modules": [{}], "memory_available_bytes": 2},
        before={"governors": ["performance"], "load_average_1min": 2.0},
    )
    assert [(found.name, found.values) for found in differences([one, None, other])] == [
        ("governor", ("powersave", None, "performance")),
        ("modules", ("2", None, "1")),
    ]


def test_sizes_are_told_rounded_and_numbers_of_any_size_break_nothing(make_record):
    almost = [make_record(machine={"memory_total_bytes": size}) for size in (25276502016, 25276400000)]
    assert differences(almost) == ()
    assert setup_of(almost[0])["memory"] == "23.5 GiB"
    for size in (10**19, -1, True, "many"):
        assert setup_of(make_record(machine={"memory_total_bytes": size}))["memory"] == str(size)


def test_a_setup_of_any_content_is_one_short_line(make_record):
    machine = {
        "cpu_model": "a\nb" + "c" * 200,
        "gpus": [{"name": "<x>", "driver_version": "1"}, 7],
        "memory_modules": 3,
    }
    found = setup_of(make_record(machine=machine))
    assert found["processor"].startswith("a bccc")
    assert len(found["processor"]) == 60
    assert (found["GPUs"], found["GPU driver"]) == ("<x>", "1")
    assert "modules" not in found


# --- a record against its baseline


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        ((16.0,) * 6, "ok"),
        ((15.2,) * 6, "ok"),  # exactly at 95 %
        ((15.0,) * 6, "below"),
        ((15.1,) + (15.0,) * 5, "below"),
        ((15.0,) * 5 + (16.0,), "undecided"),  # its interval reaches further than 5 %
        ((15.0,) * 5, "undecided"),  # no interval
        ((32.0,) * 6, "ok"),
    ],
)
def test_a_result_fails_below_the_least_share_and_beyond_noise(run, rates, verdict):
    (judged,) = check(run(copy=rates), run(copy=(16.0,) * 6), 0.95).judged
    assert judged.verdict == verdict


def test_a_latency_fails_above_the_inverse_of_the_least_share(make_record, make_case, make_result):
    case = make_case(path="latency", engine="native", bytes_per_call=8, payload_bytes_per_call=8)
    base = make_record(make_result(case, (1e-7,) * 6))
    for seconds, verdict in ((0.5e-7, "ok"), (1.05e-7, "ok"), (1.06e-7, "below")):
        (judged,) = check(make_record(make_result(case, (seconds,) * 6)), base, 0.95).judged
        assert judged.verdict == verdict
        assert judged.speed == pytest.approx(1e-7 / seconds)


def test_missing_and_unverified_results_fail_and_missing_may_be_allowed(run):
    base = run(copy=(4.0,) * 6, read=(4.0,) * 6, write=(4.0,) * 6)
    record = run(copy=(4.0,) * 6, read=(4.0,) * 6, failed=("read",))
    found = check(record, base, 0.95)
    assert [one.verdict for one in found.judged] == ["not verified", "missing", "ok"]
    assert not found.has_passed
    assert [one.verdict for one in check(record, base, 0.95, allow_missing=True).failing] == ["not verified"]
    assert check(record, base, 0.95, only=("host/copy/numpy/1",)).has_passed


def test_what_the_baseline_has_no_figure_of_is_not_judged_and_nothing_at_all_is_refused(run):
    base = run(copy=(4.0,) * 6, read=(4.0,) * 6, failed=("read",))
    assert check(run(copy=(4.0,) * 6, read=(1.0,) * 6, write=(1.0,) * 6), base, 0.95).has_passed
    for allow_missing in (False, True):
        with pytest.raises(BandwidthError, match="no result in common"):
            check(run(write=(4.0,) * 6), base, 0.95, allow_missing=allow_missing)


def test_of_sweeps_the_plateaus_are_judged(sweep):
    found = check(sweep(0.04), sweep(), 0.95)
    # L1 has too few points well inside it to be judged
    assert {one.name for one in found.failing} == {f"host/copy/numpy/1 {level}" for level in ("L2", "L3")}


def test_what_was_measured_again_takes_the_place_of_those_ids_only(run):
    first, again = run(copy=(1.0,) * 6, read=(2.0,) * 6), run(copy=(4.0,) * 6, read=(1.0,) * 6, write=(1.0,) * 6)
    found = merged(first, again, {"host/copy/numpy/1", "host/write/numpy/1"})
    assert [summarise(result).median_bytes_per_s for result in found.results] == [4.0, 2.0, 1.0]
    assert found.notes == ("Measured again for the check: copy, write.",)


def test_another_model_is_other_hardware_and_an_unknown_one_is_not(make_record):
    one, other, unknown = (make_record(machine=machine) for machine in ({"cpu_model": "A"}, {"cpu_model": "B"}, {}))
    assert other_hardware(other, one) == "'B' is not the baseline's 'A'"
    assert other_hardware(one, one) == other_hardware(one, unknown) == other_hardware(unknown, one) == ""


def test_another_gpu_is_other_hardware_where_it_was_measured(make_record, make_case, make_result):
    def record(*names, target="device:1"):
        gpus = [{"device": number, "name": name} for number, name in enumerate(names)]
        result = make_result(make_case(target=target), (1.0,) * 6)
        return make_record(result, machine={"cpu_model": "A", "gpus": gpus})

    one, other = record("T4", "H200"), record("T4", "A100")
    assert other_hardware(other, one) == "device 1 'A100' is not the baseline's 'H200'"
    assert other_hardware(record("T4", "H200"), one) == other_hardware(record("T4"), one) == ""
    # What was not measured in the baseline is not compared.
    assert other_hardware(record("P4", "H200"), one) == other_hardware(other, record("T4", "H200", target="host")) == ""


# --- and published figures


def test_a_gpu_stands_beside_what_was_published_of_it(make_record, make_case, make_result):
    def on(target, path, seconds=0.02, **more):
        case = make_case(target=target, path=path, engine="cuda", bytes_per_call=10**8, payload_bytes_per_call=10**8)
        return make_result(case, (seconds,) * 6, vendor_bytes_per_s=4.8e12, theory_bytes_per_s=4.917e12, **more)

    # A display without a GPU's engine stands before them on the bus.
    gpus = [{"name": "ASPEED"}, {"device": 1, "name": "NVIDIA A100-SXM4-40GB"}, {"device": 0, "name": "NVIDIA H200"}]
    gpus.append({"device": 2, "name": "NVIDIA H200"})
    record = make_record(
        on("device:0", "triad"),
        on("device:1", "triad", 0.01),
        on("device:2", "triad", 0.015),  # the faster one of the two of this name
        on("device:0,1", "triad", 0.005),  # of several together nothing is published
        on("device:0", "copy", failure="wrong"),
        on("device:0", "memcpy"),
        machine={"gpus": gpus},
    )
    found = placed(record)
    first = found[0]
    assert (first.result.case.target, first.figure.name, first.kin) == ("device:2", "H200 triad", "this part")
    assert first.share == pytest.approx(1e8 / 0.015 / 4.8e12)
    assert {one.result.case.target for one in found} == {"device:1", "device:2"}
    assert {one.result.case.path for one in found} == {"triad"}


@pytest.mark.parametrize("gpus", [None, [], [3], "H200", [{"name": "GeForce"}], [{}]])
def test_a_gpu_that_is_not_known_has_nothing_published(make_record, make_case, make_result, gpus):
    case = make_case(target="device:0", path="triad", engine="cuda")
    assert placed(make_record(make_result(case), machine={"gpus": gpus})) == ()


# --- a cache line from core to core


def core_to_core(make_record, *times_ns, **others):
    """Return a record of three pairs of one kind, and one of another."""
    pairs = zip(((0, 1), (0, 2), (1, 2)), times_ns, strict=True)
    return make_record(*(between(*pair, ns) for pair, ns in pairs), between(0, 4, 190.0, shared="machine"), **others)


def test_pairs_of_cpus_are_compared_by_what_they_share_and_alone_where_they_are_few(make_record):
    sides = side_by_side(
        [Side("a", "", core_to_core(make_record, 40, 50, 60)), Side("b", "", core_to_core(make_record, 80, 90, 100))]
    )
    rows = {(row.id, row.level): row for row in sides.rows if not row.is_detail}
    group, alone = ("host/core_to_core/native/2", "the same L3"), ("host/core_to_core/native/2/cpu0-cpu4", "")
    assert set(rows) == {group, alone}
    assert [cell.figure for cell in rows[group].cells] == [pytest.approx(50.0), pytest.approx(90.0)]
    assert [cell.samples for cell in rows[group].cells] == [3, 3]
    assert rows[group].cells[1].ratio == pytest.approx(1.8)
    assert rows[alone].cells[1].ratio == 1.0
    assert sum(row.is_detail for row in sides.rows) == 3
    assert {(row.id, row.level) for row in met_by_all(sides)} == {group, alone}


@pytest.mark.parametrize(("times_ns", "verdict"), [((40, 50, 60), "ok"), ((44, 56, 66), "failed")])
def test_a_check_judges_pairs_by_what_they_share(make_record, times_ns, verdict):
    baseline = core_to_core(make_record, 40, 50, 60)
    found = check(core_to_core(make_record, *times_ns), baseline, 0.95)
    assert found.verdict == verdict
    assert {one.name for one in found.judged} == {
        "host/core_to_core/native/2 the same L3",
        "host/core_to_core/native/2/cpu0-cpu4",
    }


def test_a_check_of_pairs_on_a_busy_machine_is_undecided(make_record):
    busy = {"others_cpu_share": Observed(0.5, 0.4, 0.6)}
    baseline = core_to_core(make_record, 40, 50, 60)
    slow = make_record(*(between(*pair, 90.0, observed=busy) for pair in ((0, 1), (0, 2), (1, 2))))
    found = check(slow, baseline, 0.95, allow_missing=True)
    assert [(one.name, one.verdict) for one in found.judged] == [
        ("host/core_to_core/native/2 the same L3", "undecided")
    ]


def test_a_table_of_pairs_says_what_it_holds(make_record):
    sides = side_by_side(
        [Side("a", "", core_to_core(make_record, 40, 50, 60)), Side("b", "", core_to_core(make_record, 80, 90, 100))]
    )
    text = render(comparison_document(sides), "table")
    assert "Core to core, medians over pairs\n" in text
    assert "core to core, the same L3   native" in text
    assert "Not shown (--all): 3 not in common, or pairs of CPUs." in text
    assert "Plateau" not in text
    whole = render(comparison_document(sides, with_all=True), "table")
    assert "Core to core, pair by pair\n" in whole
    assert "core to core, CPUs 0 and 2  native" in whole
