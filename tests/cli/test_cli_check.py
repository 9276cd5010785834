"""`bandwidth check` as a user runs it: its one line, its exit code, and the two tries of --measure."""

from __future__ import annotations

import csv
import io
import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from called import Ran
from gpu_machine import Driver, stand_in
from measuring_support import hybrid_topology, small_topology, two_socket_topology
from simulated_machine import Machine

from bandwidth.analysis.plain_results import plain_results
from bandwidth.cli import app
from bandwidth.comparison.checked_now import Rules, check_now
from bandwidth.engines import registry as engines
from bandwidth.findings import examine
from bandwidth.machine.conditions import Activity
from bandwidth.machine.facts import Fact, Facts
from bandwidth.measuring.lock import machine_lock
from bandwidth.results.files import load, save

GB = 10**9
SIZE = 256 * 1024**2
OK = (
    "ok: today.json: 2 results at or above 95 % of sound.json; "
    "the slowest copy, 2 threads, NumPy at 98.0 % (39.20 against 40.00 GB/s)\n"
)
FAILED = (
    "FAILED: today.json: 1 below of 2 results, limit 95 % of sound.json; "
    "copy, 2 threads, NumPy at 50.0 % (20.00 against 40.00 GB/s); differs: modules 4 (baseline 8)\n"
)
NOISE = (
    "ok: today.json: 1 of 2 results at or above 95 % of sound.json; "
    "within noise copy, 2 threads, NumPy at 94.0 % (37.60 against 40.00 GB/s)\n"
)
UNDECIDED = (
    "undecided: today.json: 1 of 2 results cannot be judged, the limit is 95 % of sound.json; "
    "copy, 2 threads, NumPy at 50.0 % (20.00 against 40.00 GB/s: its 95 % interval extends 105.0 % from the median, "
    "more than 5.0 %); measure again on an idle machine\n"
)
MISSING = "FAILED: today.json: 1 missing of 2 results, limit 95 % of sound.json; read, 2 threads, NumPy missing\n"


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("BANDWIDTH_MEMORY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = app.run(["check", *arguments])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def build(make_record, make_case, make_result):
    """Return a record of rates in GB/s by path, two threads each: `build(copy=(40.0,) * 6)`."""

    def build(*, machine=None, failed=(), **rates):
        results = [
            make_result(
                make_case(path=path, threads=2),
                tuple(SIZE / rate / GB for rate in values),
                failure="wrong" if path in failed else "",
            )
            for path, values in rates.items()
        ]
        return make_record(*results, machine={"cpu_model": "A", "memory_modules": [{}] * 8, **(machine or {})})

    return build


@pytest.fixture
def keep(build):
    """Save a record under a name."""

    def keep(name, **rates):
        record = build(**rates)
        save(record, examine(record), Path(name))
        return record

    return keep


@pytest.fixture
def sound(keep):
    keep("sound.json", copy=(40.0,) * 6, read=(30.0,) * 6)


TODAY = ("today.json", "--baseline", "sound.json")


def test_a_sound_machine_is_one_line_and_exit_0(run, keep, sound):
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6)
    assert run(*TODAY) == Ran(0, OK, "")


def test_a_slow_machine_is_one_line_and_exit_1(run, keep, sound):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6, machine={"memory_modules": [{}] * 4})
    assert run(*TODAY) == Ran(1, FAILED, "")


def test_empty_channels_and_slow_modules_are_said_of_a_sound_machine_too(run, keep, sound):
    channels = {"memory_channels": 7, "memory_channels_possible": 8}
    speeds = {"memory_type": "DDR5", "memory_configured_mt_s": 4400, "memory_rated_mt_s": 4800}
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6, machine=channels | speeds)
    told = "; 7 of 8 memory channels hold a module; DDR5-4800 runs at 4400 MT/s\n"
    assert run(*TODAY) == Ran(0, OK.replace("\n", told), "")
    assert json.loads(run(*TODAY, "--json").out)["set_up"] == told.strip("; \n").split("; ")


def test_a_channel_that_was_lost_is_said_once(run, keep):
    keep("sound.json", copy=(40.0,) * 6, machine={"memory_channels": 8, "memory_channels_possible": 8})
    keep("today.json", copy=(20.0,) * 6, machine={"memory_channels": 4, "memory_channels_possible": 8})
    ran = run(*TODAY)
    assert (ran.code, ran.out.count("channels")) == (1, 1)
    assert "4 of 8 memory channels hold a module" in ran.out


def test_below_but_within_noise_passes_and_is_named(run, keep, sound):
    keep("sound.json", copy=(39.0, 40.0, 40.0, 40.0, 40.0, 41.0), read=(30.0,) * 6)
    keep("today.json", copy=(37.0, 37.6, 37.6, 37.6, 37.6, 39.2), read=(30.0,) * 6)
    assert run(*TODAY) == Ran(0, NOISE, "")


# --- undecided


def undecided(ran):
    """The reasons of what could not be judged, by path; exit code 4 and one line, never ok and never failed."""
    assert (ran.code, ran.err) == (4, "")
    data = json.loads(ran.out)
    assert (data["verdict"], data["passed"]) == ("undecided", False)
    return {one["id"].split("/")[1]: one["reason"] for one in data["results"] if one["verdict"] == "undecided"}


def test_half_the_rate_within_noise_is_undecided_and_not_ok(run, keep, sound):
    keep("today.json", copy=(10.0, 20.0, 20.0, 20.0, 20.0, 41.0), read=(30.0,) * 6)
    assert run(*TODAY) == Ran(4, UNDECIDED, "")
    assert undecided(run(*TODAY, "--json")) == {
        "copy": "its 95 % interval extends 105.0 % from the median, more than 5.0 %"
    }
    assert run(*TODAY, "--format", "csv").out.count(",undecided,") == 1


def test_too_few_blocks_are_undecided(run, keep, sound):
    keep("today.json", copy=(20.0,) * 5, read=(30.0,) * 5)
    assert "copy" in undecided(run(*TODAY, "--json"))


def test_a_baseline_that_is_too_noisy_judges_nothing(run, keep):
    keep("sound.json", copy=(20.0, 40.0, 40.0, 40.0, 40.0, 60.0))
    keep("today.json", copy=(40.0,) * 6)
    reason = "in the baseline: its 95 % interval extends 50.0 % from the median, more than 5.0 %"
    assert undecided(run(*TODAY, "--json")) == {"copy": reason}


def test_noise_in_what_is_fast_enough_all_the_same_is_ok(run, keep, sound):
    """The lower end of its interval reaches the least share: noise cannot hide that it is slower."""
    keep("today.json", copy=(39.0, 44.0, 44.0, 44.0, 44.0, 60.0), read=(30.0,) * 6)
    assert run(*TODAY).code == 0


def test_noise_cannot_explain_that_the_fastest_block_is_too_slow(run, keep, sound):
    keep("today.json", copy=(10.0, 20.0, 20.0, 20.0, 20.0, 30.0), read=(30.0,) * 6)
    ran = run(*TODAY)
    assert (ran.code, "1 below of 2 results" in ran.out) == (1, True)


def test_noise_with_fewer_threads_decides_nothing_and_is_told(run, make_record, make_case, make_result):
    """One thread hides a lost module: all threads are what the verdict rests on."""

    def kept(name, *ones):
        rows = [(2, (40.0,) * 6), (1, ones)]
        results = [
            make_result(make_case(threads=threads), tuple(SIZE / rate / GB for rate in rates))
            for threads, rates in rows
        ]
        record = make_record(*results)
        save(record, examine(record), Path(name))

    kept("sound.json", *(20.0,) * 6)
    kept("today.json", 5.0, 18.0, 18.0, 18.0, 18.0, 21.0)
    ran = run(*TODAY)
    assert ran.code == 0
    assert "cannot be judged copy, one core, NumPy at 90.0 %" in ran.out


def test_a_failure_beside_noise_stays_a_failure(run, keep, sound):
    keep("today.json", copy=(10.0, 20.0, 20.0, 20.0, 20.0, 41.0), read=(15.0,) * 6)
    ran = run(*TODAY)
    assert ran.code == 1
    assert "cannot be judged copy, 2 threads, NumPy at 50.0 %" in ran.out


def test_what_is_missing_fails_unless_it_is_allowed(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6)
    assert run(*TODAY) == Ran(1, MISSING, "")
    assert run(*TODAY, "--allow-missing").code == 0


def test_wrong_data_fails(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6, read=(30.0,) * 6, failed=("read",))
    ran = run(*TODAY)
    assert (ran.code, ran.out.partition(";")[2]) == (1, " read, 2 threads, NumPy not verified\n")


@pytest.mark.parametrize(("least", "code"), [("50%", 0), ("0.5", 0), ("51 %", 1), ("100%", 1), ("1", 1)])
def test_the_least_share_is_a_percentage_or_a_fraction(run, keep, sound, least, code):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6)
    assert run(*TODAY, "--min", least).code == code


def test_another_machine_is_refused_unless_any_is_taken(run, keep, sound):
    keep("today.json", copy=(40.0,) * 6, read=(30.0,) * 6, machine={"cpu_model": "B\n<script>"})
    ran = run(*TODAY)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert (
        "the baseline is from another machine: 'B\\n<script>' is not the baseline's 'A'; "
        "use a baseline of this machine, or --any-machine" in ran.err
    )
    ran = run(*TODAY, "--any-machine")
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert ran.out.endswith("differs: processor B <script> (baseline A)\n")


def test_json_and_csv_carry_every_result(run, keep, sound):
    keep("today.json", copy=(20.0,) * 6, read=(30.0,) * 6)
    ran = run(*TODAY, "--json")
    data = json.loads(ran.out)
    assert ran.code == 1
    assert (data["schema"], data["passed"], data["min"], data["compared"]) == ("bandwidth/check/1", False, 0.95, 2)
    assert [(one["id"], one["verdict"], one["speed"]) for one in data["results"]] == [
        ("host/copy/numpy/2", "below", pytest.approx(0.5)),
        ("host/read/numpy/2", "ok", pytest.approx(1)),
    ]
    rows = list(csv.DictReader(io.StringIO(run(*TODAY, "--format", "csv").out)))
    assert [(row["id"], row["verdict"]) for row in rows] == [
        ("host/copy/numpy/2", "below"),
        ("host/read/numpy/2", "ok"),
    ]
    assert float(rows[0]["median_bytes_per_s"]) == pytest.approx(20e9)
    html = run(*TODAY, "--format", "html").out
    assert "<td>copy, 2 threads, NumPy</td>" in html


def test_the_line_can_go_to_a_file(run, keep, sound, tmp_path):
    keep("today.json", copy=(39.2,) * 6, read=(30.0,) * 6)
    assert run(*TODAY, "-o", "line.txt") == Ran(0, "", "")
    assert (tmp_path / "line.txt").read_text() == OK


# --- measuring: the real planner and the real run, on machines whose blocks take what their rates say


def activity_of(engine, others, *_):
    """What a machine of four CPUs counts on the engine's clock, of which others take a share."""
    now, total = engine.now, engine.now * 4
    return Activity(now, 0.0, total * others, 0.0, total, ran_s=now, waited_s=0.0, stalled_s=0.0, switches=0)


@pytest.fixture
def host(monkeypatch, tmp_path):
    """Put a host in the place of this one, as fast as `speed(case)` says and as busy as `others`; return its engine."""

    def put(topology=None, speed=lambda case: 1.0, others=0.0):
        machine = Machine(topology=topology or small_topology(4))
        engine = machine.engine()
        sound = engine.seconds_of
        engine.seconds_of = lambda case, calls: sound(case, calls) / speed(case)
        known = {"hostname": "n1", "cpu_model": "A", "memory_available_bytes": 2**40}
        facts = Facts({name: Fact(value, "a test", "read") for name, value in known.items()})
        monkeypatch.setattr("bandwidth.planning.preparation.collect", lambda reader, nvml: facts)
        monkeypatch.setattr("bandwidth.planning.preparation.read_topology", lambda reader: machine.topology)
        monkeypatch.setattr(
            "bandwidth.measuring.measure.make_engines", lambda names, *_, **__: dict.fromkeys(names, engine)
        )
        monkeypatch.setattr("bandwidth.measuring.measure.read_conditions", lambda reader: {})
        monkeypatch.setattr("bandwidth.measuring.measure.read_activity", partial(activity_of, engine, others))
        return engine

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return put


@pytest.fixture
def gpus(host, monkeypatch):
    """Put GPUs into this machine, on the stand-in for CuPy; their rates are those of tests/support/gpu_machine.py."""

    def put(count=1):
        host()
        monkeypatch.setattr("bandwidth.planning.preparation.SystemNvml", lambda: Driver(count))
        stand_in(monkeypatch, count, l2_bytes=1024)
        monkeypatch.setattr("bandwidth.measuring.measure.make_engines", engines.make_engines)

    return put


def measure(*arguments, save="sound.json"):
    assert app.run(["measure", *arguments, "--quiet", "--save", save, "-o", "/dev/null"]) == 0
    return load(save)


def judged(ran):
    """The verdicts of a check whose output is JSON, by id, and why something is missing."""
    found = json.loads(ran.out)["results"]
    return {one["id"]: one["verdict"] for one in found}, {one["id"]: one["reason"] for one in found if one["reason"]}


def of_call(record):
    """The same record as it was saved before options were kept."""
    return replace(record, options={})


MEASURE = ("--measure", "host", "--baseline", "sound.json")
HOSTS = {
    "plain": (lambda: small_topology(4), ()),
    "hybrid": (lambda: hybrid_topology(8, 16), ()),
    "two sockets": (lambda: two_socket_topology(4, 2, 2), ("--engine", "numpy", "--size", "64MiB")),
}


@pytest.mark.parametrize("is_old", [False, True], ids=["options", "no options"])
@pytest.mark.parametrize("name", HOSTS)
def test_a_sound_host_passes_and_a_slow_one_fails(run, host, name, is_old):
    topology, arguments = HOSTS[name]
    host(topology())
    sound = measure("host", *arguments)
    if is_old:
        save(of_call(sound), examine(sound), Path("sound.json"))
    wanted = {result.case.id: result.case.working_set_bytes for result in plain_results(sound)}
    ran = run(*MEASURE, "--json", "--save", "now.json")
    verdicts, _ = judged(ran)
    assert (ran.code, ran.err) == (0, "")
    assert verdicts == dict.fromkeys(wanted, "ok")
    assert {one.case.id: one.case.working_set_bytes for one in load("now.json").results} == wanted
    slowed = max(wanted)  # on the hybrid machine a row of one kind of core, which is planned alone in the second try
    host(topology(), lambda case: 0.5 if case.id == slowed else 1.0)
    ran = run(*MEASURE, "--json")
    verdicts, _ = judged(ran)
    assert ran.code == 1
    assert [case_id for case_id, verdict in verdicts.items() if verdict != "ok"] == [slowed]


def test_what_fails_is_measured_again_and_that_alone(run, host):
    host()
    measure("host", "--kernel", "copy,read", "--engine", "numpy")
    blocks = []
    engine = host(speed=lambda case: 0.5 if case.id == "host/copy/numpy/4" and len(blocks) < 2 else 1.0)
    prepare = engine.prepare
    engine.prepare = lambda cases, limit_s: blocks.append([case.id for case in cases]) or prepare(cases, limit_s)
    ran = run(*MEASURE, "--save", "now.json")
    assert ran.code == 0
    assert [len(ids) for ids in blocks] == [4, 1]
    assert load("now.json").notes == ("Measured again for the check: copy.",)


def test_a_slow_machine_fails_after_the_second_try(run, host):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    engine = host(speed=lambda case: 0.5)
    assert run(*MEASURE).code == 1
    assert [what for what, _ in engine.log].count("prepare") == 4  # two cases, twice


@pytest.mark.parametrize(("used_s", "budgets"), [(26.0, [15.0, 15.0]), (45.0, [15.0, 6.75]), (53.0, [15.0])])
def test_both_tries_fit_in_60_seconds(host, used_s, budgets):
    host()
    sound = measure("host", "--kernel", "copy", "--engine", "numpy")
    engine, limits = host(speed=lambda case: 0.5), []
    engine.prepare = lambda cases, limit_s: limits.append(limit_s) or {}
    now = iter((0.0, used_s))
    rules = Rules(sound, 0.95, allow_missing=False, any_machine=False)
    assert not check_now("host", rules, ["a", "test"], clock=lambda: next(now))[1].has_passed
    assert limits == [pytest.approx(4 / 3 * budget, abs=0.1) for budget in budgets]


def test_a_busy_host_is_undecided_however_slow_it_is(run, host):
    host()
    measure("host", "--kernel", "copy,read", "--engine", "numpy")
    host(speed=lambda case: 0.5, others=0.48)
    ran = run(*MEASURE, "--json", "--save", "now.json")
    reasons = undecided(ran)
    assert set(reasons.values()) == {"the machine was busy: other processes took 48.0 % of the CPU time"}
    assert len(reasons) == 2
    assert {"BW004", "BW046"} <= examine(load("now.json")).codes()
    ran = run(*MEASURE)
    assert (ran.code, ran.out.count("\n"), ran.err) == (4, 1, "")
    assert ran.out.startswith("undecided: n1: 4 of 4 results cannot be judged")


def test_what_noise_left_undecided_is_measured_again(run, host, monkeypatch):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    engine = host(speed=lambda case: 0.5 if engine.is_disturbed else 1.0)
    engine.is_disturbed, prepare = False, engine.prepare
    tries = []

    def prepared(cases, limit_s):
        tries.append(len(cases))
        engine.is_disturbed = len(tries) == 1
        return prepare(cases, limit_s)

    def activity(*_):
        return activity_of(engine, 0.5 if engine.is_disturbed else 0.0)

    engine.prepare, engine.now = prepared, 1000.0
    monkeypatch.setattr("bandwidth.measuring.measure.read_activity", activity)
    assert run(*MEASURE).code == 0
    assert tries == [2, 2]


def test_what_the_budget_does_not_reach_was_not_measured_and_fails_nothing(run, host):
    host()
    measure("host", "--kernel", "copy,read,write,scale,add", "--engine", "numpy")
    host(speed=lambda case: 0.01)  # so slow that few cases have their six blocks within the budget
    ran = run(*MEASURE, "--json")
    verdicts, reasons = judged(ran)
    unreached = [case_id for case_id, verdict in verdicts.items() if verdict == "undecided"]
    assert unreached
    assert all("was used up" in reasons[case_id] for case_id in unreached)
    assert "missing" not in verdicts.values()


def test_where_memory_is_refused_nothing_was_measured(run, host):
    host()
    sound = measure("host", "--kernel", "copy", "--engine", "numpy")
    host().refused = {sound.results[0].case.id: "the system refused the memory"}
    verdicts, reasons = judged(run(*MEASURE, "--json"))
    assert verdicts == {sound.results[0].case.id: "undecided", sound.results[1].case.id: "ok"}
    assert reasons == {sound.results[0].case.id: "the system refused the memory"}
    host().refused = {result.case.id: "the system refused the memory" for result in sound.results}
    assert run(*MEASURE) == Ran(4, "", "bandwidth: nothing could be measured; the system refused the memory\n")


def test_a_host_that_is_as_fast_though_it_is_busy_is_ok(run, host):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    host(others=0.48)
    assert run(*MEASURE).code == 0


def test_a_baseline_of_a_busy_host_judges_nothing(run, host):
    host(others=0.48)
    measure("host", "--kernel", "copy", "--engine", "numpy")
    host()
    reasons = undecided(run(*MEASURE, "--json"))
    assert reasons == {"copy": "in the baseline: the machine was busy: other processes took 48.0 % of the CPU time"}


def test_another_measurement_is_waited_for_and_its_end_is_seen(run, host):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    held, free = threading.Event(), threading.Event()

    def hold():
        with machine_lock():
            held.set()
            free.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    threading.Timer(0.3, free.set).start()
    ran = run(*MEASURE)
    holder.join()
    assert ran.code == 0
    assert ran.err == "bandwidth: another measurement is running on this machine: waiting up to 60 s for it\n"


def test_a_lock_that_is_held_too_long_leaves_it_undecided(run, host, monkeypatch):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    monkeypatch.setitem(check_now.__kwdefaults__, "lock_wait_s", 0.2)
    with machine_lock():
        ran = run(*MEASURE, "--quiet")
        assert (ran.code, ran.err, ran.out.count("\n")) == (4, "", 1)
        assert ran.out.startswith("undecided: this machine: nothing was measured: another measurement is running")
        data = json.loads(run(*MEASURE, "--quiet", "--json").out)
    assert (data["verdict"], data["passed"], data["compared"], data["results"]) == ("undecided", False, 0, [])
    assert "another measurement is running on this machine, after 0.2 s of waiting" in data["reason"]


def test_an_interrupted_measurement_checks_nothing(run, host):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    host().interrupt_at = 9
    ran = run(*MEASURE)
    assert (ran.code, ran.out) == (130, "")
    assert "interrupted" in ran.err


def test_what_this_machine_cannot_run_is_missing_with_the_reason(run, host, monkeypatch):
    host(hybrid_topology(8, 16))
    measure("host", "--kernel", "copy", "--stores", "ordinary")
    host(small_topology(8))
    monkeypatch.setitem(engines.ENGINES, "native", replace(engines.ENGINES["native"], lacks=lambda: "LLVM is gone"))
    ran = run(*MEASURE, "--json")
    verdicts, reasons = judged(ran)
    assert ran.code == 1
    assert verdicts["host/copy/numpy/1"] == "ok"
    assert reasons["host/copy/native/1/ordinary"] == "the engine native cannot be used: LLVM is gone"
    assert reasons["host/copy/numpy/24"] == "it needs 24 threads, and this process may use 8 CPUs"
    assert reasons["host/copy/numpy/8/performance"] == "this machine reports no 'performance' cores"
    assert "missing (" in run(*MEASURE).out
    assert run(*MEASURE, "--allow-missing").code == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--threads", "3"), "none of the record's threads are available on this machine"),
        (("--cpus", "2,3"), "none of the record's CPUs are available on this machine"),
    ],
)
def test_where_nothing_can_be_measured_nothing_is_judged(run, host, arguments, part):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy", *arguments)
    host(small_topology(2))
    ran = run(*MEASURE)
    assert (ran.code, ran.out, ran.err.count("\n")) == (4, "", 1)
    assert part in ran.err


def test_where_no_case_runs_nothing_is_judged(run, host):
    host()
    measure("host", "--kernel", "copy", "--engine", "numpy")
    engine = host()
    engine.refused = dict.fromkeys(("host/copy/numpy/4", "host/copy/numpy/1"), "mbind is refused")
    ran = run(*MEASURE)
    assert (ran.code, ran.out, ran.err) == (4, "", "bandwidth: nothing could be measured; mbind is refused\n")


TINY = ("--size", "96KiB", "--budget", "5s")
PINNED = ("--host-memory", "pinned", *TINY)  # what is pageable is timed by this machine's own clock
GPU_CALLS = {
    "one": (1, ("all", "--engine", "cuda", "--kernel", "triad,memcpy,memset,h2d,d2h,bidirectional", *PINNED)),
    "two": (2, ("all", "--engine", "cuda", "--device", "all", *PINNED)),
}


@pytest.mark.parametrize(("name", "is_old"), [("one", False), ("two", False), ("two", True)])
def test_a_sound_gpu_passes_and_a_slow_one_fails(run, gpus, monkeypatch, name, is_old):
    count, arguments = GPU_CALLS[name]
    gpus(count)
    sound = measure(*arguments)
    if is_old:
        save(of_call(sound), examine(sound), Path("sound.json"))
    for target in ("device", "pcie"):
        wanted = {one.case.id for one in sound.results if one.case.target.startswith(target)}
        ran = run("--measure", target, "--baseline", "sound.json", "--json")
        assert (ran.code, judged(ran)[0]) == (0, dict.fromkeys(wanted, "ok"))
    monkeypatch.setattr("gpu_machine.MEMORY", 10e6)
    monkeypatch.setattr("gpu_machine.LINK", 5e6)
    for target in ("device", "pcie"):
        assert run("--measure", target, "--baseline", "sound.json").code == 1


def test_a_gpu_that_is_gone_is_missing_or_no_hardware(run, gpus):
    gpus(2)
    measure("device", "--device", "all", "--kernel", "memset", *TINY)
    gpus(1)
    ran = run("--measure", "device", "--baseline", "sound.json", "--json")
    assert ran.code == 1
    assert judged(ran)[1] == {"device:1/memset/cuda/1": "device 1 does not exist"}
    gpus(2)
    measure("device", "--device", "1", "--kernel", "memset", *TINY)
    gpus(1)
    ran = run("--measure", "device", "--baseline", "sound.json")
    assert (ran.code, ran.out) == (3, "")


# --- bad input


@pytest.mark.parametrize(
    ("code", "arguments", "parts"),
    [
        (2, (), ("check needs one record", "--measure host")),
        (2, ("--baseline", "sound.json"), ("check needs one record", "--measure host")),
        (2, (*TODAY, "--measure", "host"), ("check needs one record",)),
        (2, (*TODAY, "--save", "x.json"), ("--save needs --measure",)),
        (2, ("sound.json", "--baseline", "./sound.json"), ("are the same file",)),
        (2, (*TODAY, "--min", "0%"), ("--min: '0%' is not a share",)),
        (2, (*TODAY, "--min", "120%"), ("--min: '120%' is not a share",)),
        (2, (*TODAY, "--min", "95"), ("--min: '95' is not a share", "95% or 0.95")),
        (2, (*TODAY, "--min", "much"), ("--min: 'much' is not a share",)),
        (2, (*TODAY, "--min", "-5%"), ("--min",)),
        (2, ("--measure", "disk", "--baseline", "sound.json"), ("no result of 'disk'",)),
        (1, ("none.json", "--baseline", "sound.json"), ("none.json does not exist",)),
        (1, ("today.json", "--baseline", "none.json"), ("none.json does not exist",)),
        (1, ("today.json", "--baseline", "empty.json"), ("empty.json contains no result",)),
        (1, ("today.json", "--baseline", "newer.json"), ("newer.json has schema 7",)),
        (1, ("other.json", "--baseline", "sound.json"), ("no result in common", "same options")),
    ],
)
def test_bad_input_is_one_line_with_its_exit_code(run, keep, sound, tmp_path, code, arguments, parts):
    keep("today.json", copy=(40.0,) * 6)
    keep("other.json", write=(40.0,) * 6)
    keep("empty.json")
    text = (tmp_path / "sound.json").read_text()
    (tmp_path / "newer.json").write_text(text.replace("bandwidth/record/1", "bandwidth/record/7"))
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("bandwidth: ")
    assert ran.err.count("\n") == 1
    for part in parts:
        assert part in ran.err
