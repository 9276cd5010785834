"""The odd machine in a group: what is found, what is not accused, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from simulated_fleet import FAULTS, Fault, Spread, name_of, planted, simulated_machines, simulated_record

from bandwidth.errors import BandwidthError
from bandwidth.fleet import judge, machine_of
from bandwidth.fleet.machines import LABEL_FACT, machine_group, options_of_command
from bandwidth.fleet.reading import NotRead, newest_of
from bandwidth.planning.options import MeasureOptions
from bandwidth.planning.saved import options_to_json
from bandwidth.results import Observed

NONE = Spread(0.0)


def machine(make_record, make_result, name="n1", speed=1.0, path="copy", taken_at="2026-01-02T03:04:05+00:00", **facts):
    result = make_result(None, (0.02 / speed,) * 8)
    result = replace(result, case=replace(result.case, path=path))
    record = make_record(
        result,
        machine={"hostname": name, "cpu_model": "Example", "sockets": 2, **facts},
        taken_at=taken_at,
        command=("bandwidth", "measure", "host"),
    )
    return machine_of(record, f"{name}.json")


@pytest.fixture
def make_machine(make_record, make_result):
    return partial(machine, make_record, make_result)


def flagged_names(fleet):
    return [one.machine.name for one in fleet.flagged]


IDS = {"machine_id_hash": "9d1c", "boot_id_hash": "77aa"}


# --- the two limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "expected"), [(0.94, ["odd"]), (0.96, []), (1.2, [])])
def test_a_machine_below_the_share_is_flagged_where_the_others_are_alike(make_machine, speed, expected):
    fleet = judge([*(make_machine(f"n{i}") for i in range(4)), make_machine("odd", speed)])
    assert flagged_names(fleet) == expected


def test_where_all_others_are_alike_there_is_no_distance_in_mads(make_machine):
    fleet = judge([*(make_machine(f"n{i}") for i in range(4)), make_machine("odd", 0.5)])
    assert fleet.flagged[0].mads is None
    assert fleet.flagged[0].ratio == pytest.approx(0.5)


def test_a_machine_within_three_mads_of_a_wide_group_is_not_flagged(make_machine):
    speeds = (0.8, 0.9, 1.0, 1.1, 1.2)
    assert judge([make_machine(f"n{i}", speed) for i, speed in enumerate(speeds)]).flagged == ()


def test_both_limits_can_be_set(make_machine):
    machines = [make_machine(f"n{i}", speed) for i, speed in enumerate((0.8, 0.9, 1.0, 1.1, 1.2))]
    assert flagged_names(judge(machines, least=0.95, most_mads=1.0)) == ["n0"]
    assert judge(machines, least=0.7, most_mads=1.0).flagged == ()


def test_the_slowest_stands_first(make_machine):
    machines = [*(make_machine(f"n{i}") for i in range(9)), make_machine("slow", 0.9), make_machine("slower", 0.5)]
    assert flagged_names(judge(machines)) == ["slower", "slow"]


def test_a_latency_is_slower_where_it_takes_longer(make_record, make_result, make_case):
    def of(name, seconds):
        case = make_case(path="latency", bytes_per_call=800)
        return machine_of(
            make_record(make_result(case, (seconds,) * 8), machine={"hostname": name, "cpu_model": "Example"}), name
        )

    fleet = judge([*(of(f"n{i}", 0.02) for i in range(4)), of("odd", 0.03), of("fast", 0.01)])
    assert flagged_names(fleet) == ["odd"]
    assert fleet.flagged[0].ratio == pytest.approx(2 / 3)


# --- groups ---------------------------------------------------------------------------------------------------------


def test_what_a_machine_is_makes_its_group_and_what_is_configured_does_not(make_machine):
    machines = [*(make_machine(f"n{i}", kernel="6.1") for i in range(4)), make_machine("odd", 0.8, kernel="6.8")]
    fleet = judge([*machines, make_machine("other", 0.1, cpu_model="Another")])
    assert [len(group.machines) for group in fleet.groups] == [5, 1]
    assert flagged_names(fleet) == ["odd"]
    assert [str(one) for one in fleet.flagged[0].differs] == ["kernel 6.8 (group 6.1)"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_group_too_small_is_not_judged_and_says_so(make_machine, count):
    fleet = judge([make_machine(f"n{i}", 1 / (i + 1)) for i in range(count)])
    assert fleet.flagged == ()
    assert len(fleet.not_judged) == count
    assert "3 are needed" in fleet.not_judged[0].reason


def test_a_gpu_lost_among_several_leaves_the_machine_in_its_group(make_machine):
    gpus = [{"name": "H200"}] * 8
    fleet = judge([*(make_machine(f"n{i}", gpus=gpus) for i in range(3)), make_machine("odd", gpus=gpus[:7])])
    assert len(fleet.groups) == 1


def test_a_target_that_others_have_is_missed(make_machine):
    whole = list(simulated_machines(4, 1, NONE, lambda _: None))
    part = {one: figure for one, figure in whole[0].figures.items() if one.target != "pcie:0"}
    fleet = judge([replace(whole[0], figures=part), *whole[1:]])
    assert [(one.machine.name, one.target) for one in fleet.not_judged] == [(name_of(0), "pcie:0")]
    assert "3 of the 4 machines" in fleet.not_judged[0].reason


def test_other_threads_have_no_counterpart(make_record, make_result, make_case):
    def of(name, threads):
        return machine_of(
            make_record(make_result(make_case(threads=threads)), machine={"hostname": name, "cpu_model": "Example"}),
            name,
        )

    fleet = judge([*(of(f"n{i}", 64) for i in range(3)), of("short", 63)])
    assert [one.machine.name for one in fleet.not_judged] == ["short"]
    assert "no counterpart" not in fleet.not_judged[0].reason
    assert "other threads" in fleet.not_judged[0].reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("measure host --kernel copy --size 2MiB", "measure host --size=2MiB --kernel=copy --json -o runs/n1.json"),
        ("measure", "measure all --quiet --save x.json --memory DDR4-3200 --strict"),
        ("measure --latency host", "measure host --latency --unit GiB/s -orun.json"),
    ],
)
def test_options_that_change_no_rate_change_no_group(one, other):
    assert options_of_command(["bandwidth", *one.split()]) == options_of_command(["bandwidth", *other.split()])


def test_options_that_change_what_is_measured_do():
    assert options_of_command(["bandwidth", "measure", "host"]) != options_of_command(
        ["bandwidth", "measure", "host", "--latency"]
    )
    assert options_of_command(["bandwidth.measure", "host"]) == "host"


def test_records_are_grouped_by_the_options_that_they_kept_and_old_ones_by_their_command(make_record):
    def group(command, **options):
        saved = options_to_json(MeasureOptions(**options)) if options else {}
        return machine_group(make_record(command=command, options=saved))

    api = group(("bandwidth.measure", "host"), target="host", kernels=("copy",), size_bytes=2**22)
    assert api != group(("bandwidth.measure", "host"), target="host")
    typed = ("bandwidth", "measure", "host", "--size", "4194304", "--kernel", "copy", "--warm", "host")
    assert api == group(typed, target="host", kernels=("copy",), size_bytes=2**22, budget_s=5.0, memory="DDR4-3200")
    assert api == group(("bandwidth", "measure", "host", "--size", "4MiB", "--kernel", "copy", "--budget", "5s"))


# --- one record a host ----------------------------------------------------------------------------------------------


def test_the_newest_record_of_a_host_counts_and_that_is_said(make_machine):
    old = make_machine("n0", 0.5, taken_at="2026-01-02T03:04:05+02:00", **IDS)
    new = make_machine("n0", 1.0, taken_at="2026-01-02T02:04:05+00:00", **IDS)
    fleet = judge([old, new, *(make_machine(f"n{i}") for i in range(1, 4))])
    assert fleet.flagged == ()
    assert fleet.notes == ("n0: 2 records; the newest is used, n0.json, taken at 2026-01-02T02:04:05+00:00.",)


def test_hosts_of_one_name_are_told_apart_by_their_labels(make_machine):
    machines = [make_machine("node", 1.0 if label != "c" else 0.5, **{LABEL_FACT: label}) for label in "abcd"]
    assert flagged_names(judge(machines)) == ["node (c)"]


def test_a_time_that_cannot_be_read_is_the_oldest(make_machine):
    machines = [make_machine("n0", 1.0, **IDS), make_machine("n0", 0.5, taken_at="yesterday", **IDS)]
    fleet = judge([*machines, *(make_machine(f"n{i}") for i in range(1, 4))])
    assert fleet.flagged == ()


def ids(serial=None, boot=None, machine=None):
    found = {"machine_serial_hash": serial, "boot_id_hash": boot, "machine_id_hash": machine}
    return {name: value for name, value in found.items() if value is not None}


def counted(make_machine, *known):
    """How many machines some records of one name are, one of each set of ids."""
    machines = [
        replace(make_machine("pi", taken_at=f"2026-01-02T03:04:0{number}+00:00", **one), source=f"{number}.json")
        for number, one in enumerate(known)
    ]
    found, notes = newest_of(machines)
    return len(found), notes


@pytest.mark.parametrize(
    ("known", "count"),
    [
        ((ids("a", "1", "m"), ids("a", "2", "m")), 1),  # it was started anew
        ((ids("a", "1", "m"), ids("a", "2", "n")), 1),  # it was installed anew
        ((ids("a", "1", "m"), ids("b", "2", "m")), 2),  # a cloned card: the maker's number decides
        ((ids(None, "1", "m"), ids(None, "2", "m")), 1),
        ((ids(None, "1", "m"), ids(None, "1")), 1),  # in a container of it
        ((ids("a", "1"), ids(None, "1")), 1),  # once as root
        ((ids(None, "1", "m"), ids(None, "2", "n")), 2),
        ((ids("a"), ids("b"), ids("c"), ids("a"), ids("b")), 3),
        (({}, {}, {}), 3),  # nothing tells: never one machine of several
        ((ids("a"), {}), 2),
    ],
)
def test_records_of_one_name_are_of_as_many_machines_as_their_ids_tell(make_machine, known, count):
    assert counted(make_machine, *known)[0] == count


def test_hosts_of_one_name_are_told_apart_by_their_files(make_machine):
    """Five boards with their distribution's name, one at half speed."""
    speeds = (1.0, 1.01, 1.0, 1.02, 0.5)
    machines = [replace(make_machine("raspberrypi", speed), source=f"m{i}.json") for i, speed in enumerate(speeds)]
    fleet = judge(machines)
    assert flagged_names(fleet) == ["raspberrypi (m4.json)"]
    assert len(fleet.groups[0].machines) == 5
    assert fleet.notes == (
        "raspberrypi: 5 machines share this name and are distinguished by their files; "
        "5 records carry no machine id and may be earlier runs of the same machine.",
    )


def test_files_of_one_name_are_told_apart_by_their_folders(make_machine):
    machines = [replace(make_machine("pi"), source=f"{folder}/run.json") for folder in "abc"]
    assert [one.name for one in newest_of(machines)[0]] == ["pi (a/run.json)", "pi (b/run.json)", "pi (c/run.json)"]


# --- what model a processor is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ARM Cortex-A55", "4 x Cortex-A76 + 4 x Cortex-A55", "ARM Neoverse-N1"])
def test_a_design_of_cores_is_in_many_chips(make_machine, name):
    big = [make_machine(f"a{i}", cpu_model=name, physical_cores=8) for i in range(3)]
    fleet = judge([*big, make_machine("small", 0.3, cpu_model=name, physical_cores=4)])
    assert [(one.group.kind, len(one.machines)) for one in fleet.groups] == [("8 cores", 3), ("4 cores", 1)]
    assert fleet.flagged == ()
    chips = [make_machine(f"b{chip}", cpu_model=name, physical_cores=4, soc=chip) for chip in ("a,rk3566", "b,s905x3")]
    assert len(judge(chips).groups) == 2


def test_the_cores_of_a_named_processor_are_its_set_up(make_machine):
    machines = [make_machine(f"n{i}", cpu_model="AMD EPYC 9654", physical_cores=96) for i in range(3)]
    fleet = judge([*machines, make_machine("half", 0.5, cpu_model="AMD EPYC 9654", physical_cores=48)])
    assert flagged_names(fleet) == ["half"]


NAMELESS = {"cpu_model": None, "cpu_vendor": "GenuineIntel", "cpu_family": 6, "cpu_model_number": 143}


def test_unnamed_processors_are_told_apart_by_what_else_is_known_and_that_is_said(make_machine):
    known = {**NAMELESS, "architecture": "x86_64", "physical_cores": 56}
    alike = [make_machine(f"a{i}", 1.0 if i else 0.5, **known) for i in range(4)]
    others = [make_machine(f"b{i}", 0.4, **{**known, "cpu_model_number": 106}) for i in range(3)]
    fleet = judge([*alike, *others])
    assert flagged_names(fleet) == ["a0"]
    assert [len(group.machines) for group in fleet.groups] == [4, 3]
    assert fleet.notes[0] == (
        "4 machines with an unnamed processor, treated as one model by their other facts "
        "(GenuineIntel family 6 model 143, x86_64, 56 cores). Check that they are one model."
    )


@pytest.mark.parametrize(
    "facts", [{}, {"architecture": "loongarch64"}, {**NAMELESS, "architecture": "loongarch64"}, {"cpu_vendor": "ARM"}]
)
def test_unnamed_processors_of_which_nothing_tells_the_model_are_not_judged(make_machine, facts):
    fleet = judge([make_machine(f"n{i}", 1.0 if i else 0.5, **{"cpu_model": None, **facts}) for i in range(4)])
    assert fleet.flagged == ()
    assert not fleet.is_judged
    assert len(fleet.not_judged) == 4
    assert "its processor has no name, and its other facts" in fleet.not_judged[0].reason


# --- noise -----------------------------------------------------------------------------------------------------------


def noisy(make_record, make_result, make_case, name, busy=0.0, seconds=(0.02,) * 8, observed=None):
    seen = observed or {"others_cpu_share": Observed(busy, busy, busy)}
    result = make_result(make_case(), seconds, observed=seen)
    return machine_of(make_record(result, machine={"hostname": name, "cpu_model": "Example"}), name)


def test_a_busy_machine_is_not_judged_and_spoils_no_group(make_record, make_result, make_case):
    of = partial(noisy, make_record, make_result, make_case)
    fleet = judge([*(of(f"n{i}") for i in range(4)), of("busy", 0.5, (0.04,) * 8)])
    assert fleet.flagged == ()
    assert [(one.machine.name, one.target, one.reason) for one in fleet.not_judged] == [
        ("busy", "host", "the machine was busy while it was measured (BW004)")
    ]
    assert fleet.is_judged


@pytest.mark.parametrize("seconds", [(0.02,) * 5, (0.02, 0.02, 0.02, 0.02, 0.02, 0.03)])
def test_a_machine_with_noisy_results_is_not_judged(make_record, make_result, make_case, seconds):
    of = partial(noisy, make_record, make_result, make_case)
    fleet = judge([*(of(f"n{i}") for i in range(4)), of("noisy", seconds=seconds)])
    ((reason),) = [one.reason for one in fleet.not_judged]
    assert reason == "it has too few blocks, or their spread is too large (BW003, BW008, BW045)"


def test_where_all_were_busy_nothing_is_judged(make_record, make_result, make_case):
    of = partial(noisy, make_record, make_result, make_case)
    fleet = judge([of(f"n{i}", 0.5) for i in range(5)])
    assert not fleet.is_judged
    assert len(fleet.not_judged) == 5
    fleet = judge([of(f"n{i}", 0.5 if i > 1 else 0.0) for i in range(5)])
    assert not fleet.is_judged
    assert fleet.not_judged[0].reason == "of its group 2 machines can be compared, and 3 are needed"


# --- what is odd ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_and_explained(fault):
    whole = [machine_of(simulated_record(seconds=0.02 + i * 1e-5), "x") for i in range(6)]
    record = simulated_record(fault)
    results = [
        replace(one, samples=replace(one.samples, seconds=tuple(s / fault.speed for s in one.samples.seconds)))
        if fault.hits(one.case)
        else one
        for one in record.results
    ]
    odd = replace(machine_of(replace(record, results=tuple(results)), "odd.json"), hostname="odd")
    fleet = judge([odd, *(replace(one, hostname=name_of(i)) for i, one in enumerate(whole))])
    assert [(one.machine.name, one.target) for one in fleet.flagged] == [
        ("odd", "pcie:0" if fault.name == "Gen1 link" else "host")
    ]
    told = {
        "one DIMM missing": ["memory 352 GiB (group 384 GiB)", "modules 11 (group 12)"],
        "half speed": ["memory MT/s 2400 (group 4800)"],
        "Gen1 link": ["GPU link generation 1 (group 5)"],
        "noisy neighbour": [],
    }
    assert [str(one) for one in fleet.flagged[0].differs] == told[fault.name]


def test_one_thread_does_not_hide_a_lost_module():
    """Half of the paths run on one thread and are as fast as ever: the median over all would see half of the fault."""
    machines = simulated_machines(8, 1, Spread(0.002), lambda number: FAULTS[0] if number == 3 else None)
    assert flagged_names(judge(machines)) == [name_of(3)]


def test_wrong_data_is_flagged_before_all_else(make_record, make_result, make_case):
    def of(name, failure="", seconds=0.02):
        result = make_result(make_case(), (seconds,) * 8, failure=failure)
        return machine_of(make_record(result, machine={"hostname": name, "cpu_model": "Example"}), name)

    fleet = judge([*(of(f"n{i}") for i in range(4)), of("slow", seconds=0.1), of("wrong", "bits flipped")])
    assert flagged_names(fleet) == ["wrong", "slow"]
    assert fleet.flagged[0].failed == ("host/copy/numpy/1",)
    assert fleet.flagged[0].ratio is None


def test_caches_do_not_speak_for_the_memory(make_record, make_result, make_case):
    """A sweep has twenty points in caches and five in memory; a lost DIMM shows in the five."""

    def of(name, speed):
        results = [
            make_result(
                make_case(working_set_bytes=2**power, variant={"sweep_point": 2**power}),
                (0.02 / (speed if power >= 28 else 1.0),) * 8,
            )
            for power in range(14, 31)
        ]
        return machine_of(make_record(*results, machine={"hostname": name, "cpu_model": "Example"}), name)

    assert flagged_names(judge([*(of(f"n{i}", 1.0) for i in range(4)), of("odd", 0.9)])) == ["odd"]


def test_nothing_to_judge_says_why():
    with pytest.raises(BandwidthError, match=r"no readable record; x\.json: it is cut short"):
        judge([], not_read=[NotRead("x.json", "it is cut short")])


# --- by simulation: 1.5 % spread, 1 % of the machines faulty ---------------------------------------------------------


@pytest.mark.parametrize(
    ("is_common", "percent"), [(False, 8), (False, 12), (False, 50), (True, 10), (True, 12), (True, 50)]
)
def test_faults_are_found_and_sound_machines_left_alone(is_common, percent):
    count = 2_000
    fault_of = partial(planted, share=0.01, faults=(Fault("slow", 1 - percent / 100),))
    fleet = judge(simulated_machines(count, 3, Spread(is_common=is_common), fault_of))
    faulty = {name_of(number) for number in range(count) if fault_of(number) is not None}
    flagged = set(flagged_names(fleet))
    assert len(flagged & faulty) >= 0.99 * len(faulty)
    assert len(flagged - faulty) < (count - len(faulty)) / 1000
