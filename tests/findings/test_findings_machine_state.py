"""What is said of the machine: other work, quotas, power settings, clocks and pages, each just inside its limit."""

from __future__ import annotations

import pytest

from bandwidth.findings import examine
from bandwidth.results import Observed

CPUS = {"logical_cpus": 4, "physical_cores": 4, "cpus_allowed": "0-3"}
BEFORE = {"total_ticks": 1000}
AFTER = {"total_ticks": 5000}  # ten seconds of four CPUs


def clock(median, least=None, most=None):
    return {"clock_hz": Observed(median, least or median, most or median)}


# --- BW004, BW005


@pytest.mark.parametrize(
    ("name", "waited_us", "expected"),
    [
        ("cpu_stall_us", 1_000_000, 0),
        ("cpu_stall_us", 1_000_001, 1),
        ("memory_stall_us", 500_000, 0),
        ("memory_stall_us", 500_001, 1),
        ("cpu_stall_us", -5, 0),  # the counter began anew
    ],
)
def test_bw004_by_waiting_during_the_run(steady, found, name, waited_us, expected):
    before, after = BEFORE | {name: 10}, AFTER | {name: 10 + waited_us}
    assert len(found(steady(10.0), code="BW004", machine=CPUS, before=before, after=after)) == expected


def test_bw004_names_the_share_of_the_run_and_never_more_than_all(steady, found):
    before, after = BEFORE | {"cpu_stall_us": 0}, AFTER | {"cpu_stall_us": 2_500_000}
    ((_, text),) = found(steady(10.0), code="BW004", machine=CPUS, before=before, after=after)
    assert text == "tasks waited for a CPU 25.0 % of the run, more than 10.0 %"
    ((_, text),) = found(steady(10.0), code="BW004", machine=CPUS, before=before, after=AFTER | {"cpu_stall_us": 10**9})
    assert "100.0 %" in text


@pytest.mark.parametrize("machine", [{}, {"logical_cpus": 0}, {"logical_cpus": "4"}])
def test_bw004_needs_to_know_how_long_the_run_was(steady, found, machine):
    before, after = BEFORE | {"cpu_stall_us": 0}, AFTER | {"cpu_stall_us": 10**9}
    assert found(steady(10.0), code="BW004", machine=machine, before=before, after=after) == []
    assert found(steady(10.0), code="BW004", machine=CPUS, before={"cpu_stall_us": 0}, after=after) == []


@pytest.mark.parametrize(("later", "expected"), [(7, 0), (8, 1), (3, 0)])
def test_bw005_by_the_time_that_a_quota_took(steady, found, later, expected):
    before, after = BEFORE | {"throttled_us": 7}, AFTER | {"throttled_us": later}
    assert len(found(steady(10.0), code="BW005", machine=CPUS, before=before, after=after)) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"cpus_offline": 4}, 1),
        ({"cpus_offline": 4, "smt_control": "on"}, 1),
        ({"cpus_offline": 4, "smt_control": "off"}, 0),  # the siblings, which `--threads all` leaves out
        ({"cpus_offline": 4, "smt_control": "forceoff"}, 0),
        ({"cpus_offline": 0}, 0),
        ({"cpus_offline": "4-7"}, 0),
    ],
)
def test_bw005_by_cpus_that_are_switched_off(steady, found, facts, expected):
    assert len(found(steady(10.0), code="BW005", machine=CPUS | facts)) == expected


def test_bw005_names_the_cpus_that_the_kernel_keeps(steady, found):
    machine = CPUS | {"cpus_allowed": "0-1", "cpus_isolated": "1-3"}
    ((_, text),) = found(steady(10.0), code="BW005", machine=machine)
    assert text == (
        "only 2 of this machine's 4 CPUs are available to this process "
        "(the kernel reserves CPUs 2-3: use `taskset -c` to run there)"
    )


# --- BW030


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"on_battery": True}, 1),
        ({"on_battery": False}, 0),
        ({"on_battery": "yes"}, 0),
        ({"governors": ["performance"]}, 0),
        ({"governors": ["powersave"]}, 1),  # acpi-cpufreq: the lowest clock
        ({"governors": ["powersave"], "energy_preference": ["balance_performance"]}, 0),  # intel_pstate's usual one
        ({"governors": ["powersave"], "energy_preference": ["power"]}, 1),
        ({"governors": ["schedutil"]}, 0),  # nothing shows that it did harm
        ({"governors": "powersave"}, 0),
        ({"governors": [3, None]}, 0),
    ],
)
def test_bw030_by_settings_that_always_hold_the_clock(steady, found, conditions, expected):
    assert len(found(steady(10.0), code="BW030", before=conditions, after={})) == expected


@pytest.mark.parametrize("governor", ["ondemand", "conservative", "schedutil", "userspace", "powersave"])
def test_bw030_names_a_governor_where_the_run_shows_it(rated, steady, found, governor):
    conditions = {"governors": [governor], "energy_preference": ["balance_power"]}
    wide = rated(10.0, 10.0, 10.0, 10.0, 10.0, 14.0)
    ((_, text),) = found(wide, code="BW030", before=conditions)
    assert text == f"power settings may lower the clock: the governor is {governor}, and results are unstable (BW003)"
    moving = steady(10.0, observed=clock(3e9, 2e9))
    ((_, text),) = found(moving, code="BW030", before=conditions)
    assert "the core clock changed (BW032)" in text
    assert found(steady(10.0, observed=clock(3e9)), code="BW030", before=conditions) == []


@pytest.mark.parametrize(("clock_hz", "expected"), [(2.71e9, 0), (2.69e9, 1)])
def test_bw030_by_the_clock_that_the_name_states(steady, found, clock_hz, expected):
    machine = {"cpu_model": "Intel(R) Xeon(R) Platinum 8280 CPU @ 3.00GHz"}
    rows = found(
        steady(10.0, observed=clock(clock_hz)), code="BW030", machine=machine, before={"governors": ["ondemand"]}
    )
    assert len(rows) == expected


def test_bw030_by_turbo_where_caches_are_measured(steady, latency, found):
    machine = {"boost": False}
    assert found(steady(10.0), code="BW030", machine=machine) == []
    assert len(found(latency(90.0), code="BW030", machine=machine)) == 1
    swept = steady(10.0, working_set_bytes=4096, variant={"sweep_point": 4096})
    assert len(found(swept, code="BW030", machine=machine)) == 1
    assert found(latency(90.0), code="BW030", machine={"boost": True}) == []


# --- BW031


def huge(share):
    return {"huge_page_share": Observed(share, share, share)}


@pytest.mark.parametrize(("share", "expected"), [(0.51, 0), (0.49, 1), (0.0, 1), (1.0, 0)])
def test_bw031_by_the_share_that_was_seen(steady, found, share, expected):
    rows = found(steady(10.0, observed=huge(share)), code="BW031", machine={"transparent_huge_pages": "never"})
    assert [case_id for case_id, _ in rows] == ["host/copy/numpy/1"] * expected


def test_bw031_is_about_memory_alone(steady, found):
    machine = {"transparent_huge_pages": "never"}
    assert found(steady(10.0, observed=huge(0.0), working_set_bytes=4096), code="BW031") == []
    assert found(steady(10.0, working_set_bytes=4096), code="BW031", machine=machine) == []


@pytest.mark.parametrize(("pages", "expected"), [("huge", 1), ("small", 0)])
def test_bw031_is_not_of_small_pages_that_were_asked_for(steady, found, pages, expected):
    row = steady(10.0, path="random", variant={"pages": pages}, observed=huge(0.0))
    assert len(found(row, code="BW031")) == expected


def test_bw031_is_one_line_for_a_sweep(latency, found):
    sizes = [2**28, 2**29, 2**30]
    rows = [latency(90.0, working_set_bytes=size, variant={"sweep_point": size}, observed=huge(0.2)) for size in sizes]
    ((case_id, text),) = found(*rows, code="BW031")
    assert case_id is None
    assert text == "3 of the sweep's 3 points in memory have fewer than 50.0 % huge pages"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"transparent_huge_pages": "never"}, 1),
        ({"transparent_huge_pages": "never", "page_bytes": 4096}, 1),
        ({"transparent_huge_pages": "never", "page_bytes": 65536}, 0),
        ({"transparent_huge_pages": "madvise"}, 0),
        ({"transparent_huge_pages": None}, 0),
        ({}, 0),
    ],
)
def test_bw031_by_the_kernels_setting(steady, found, facts, expected):
    assert len(found(steady(10.0), code="BW031", machine=facts)) == expected


def test_bw031_says_what_to_do_on_the_system_at_hand(steady, make_record):
    hints = {}
    for system in ("Debian GNU/Linux 12", "Windows 11"):
        record = make_record(steady(10.0, observed=huge(0.0)), machine={"operating_system": system})
        (hints[system],) = [one.hint for one in examine(record).of("host/copy/numpy/1") if one.code == "BW031"]
    assert hints["Debian GNU/Linux 12"].startswith("echo madvise > /sys/kernel")
    assert hints["Windows 11"].startswith("grant the account the right 'Lock pages in memory' (secpol.msc)")


# --- BW032


@pytest.mark.parametrize(("least", "expected"), [(2.401e9, 0), (2.399e9, 1), (1e9, 1)])
def test_bw032_by_the_range_within_a_result(steady, found, least, expected):
    rows = found(steady(10.0, observed=clock(3e9, least)), code="BW032")
    assert [case_id for case_id, _ in rows] == ["host/copy/numpy/1"] * expected


def test_bw032_names_both_ends(steady, found):
    ((_, text),) = found(steady(10.0, observed=clock(3e9, 2.4e9, 3.2e9)), code="BW032")
    assert text == "the core clock varied from 2.40 to 3.20 GHz, more than 20.0 %"


@pytest.mark.parametrize(("other", "expected"), [(2.401e9, 0), (2.399e9, 1)])
def test_bw032_between_results_on_the_same_cpus(steady, found, other, expected):
    rows = (steady(10.0, observed=clock(3e9)), steady(10.0, path="read", observed=clock(other)))
    assert len(found(*rows, code="BW032")) == expected


def test_bw032_takes_another_clock_with_other_cpus_for_the_processors_rule(steady, found):
    rows = (steady(10.0, observed=clock(4e9)), steady(10.0, threads=8, observed=clock(3e9)))
    assert found(*rows, code="BW032") == []


def test_bw032_is_one_line_for_a_sweep(steady, found):
    sizes = [2**power for power in range(12, 20)]
    rows = [
        steady(10.0, working_set_bytes=size, variant={"sweep_point": size}, observed=clock(3e9, 2e9)) for size in sizes
    ]
    ((case_id, text),) = found(*rows, code="BW032")
    assert case_id is None
    assert text == "at 8 of the sweep's 8 points the core clock changed by more than 20.0 %"


@pytest.mark.parametrize(("later", "expected"), [(5, 0), (6, 1), (2, 0), (None, 0), ("6", 0)])
def test_bw032_by_heat(steady, found, later, expected):
    after = AFTER | {"throttle_count": later}
    assert len(found(steady(10.0), code="BW032", before=BEFORE | {"throttle_count": 5}, after=after)) == expected
