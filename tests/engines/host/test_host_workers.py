"""Threads that start together, stamp themselves, stay on their CPU and pass on what goes wrong."""

import os
import threading
import time

import pytest

from bandwidth.engines.host import workers
from bandwidth.engines.host.workers import Team, Worker
from bandwidth.errors import BandwidthError


@pytest.fixture
def team():
    team = Team([0, 1], pin=False)
    yield team
    team.close()


def test_each_runs_jobs_at_the_same_time(team):
    barrier = threading.Barrier(2, timeout=10)
    team.each([barrier.wait, barrier.wait])


def test_results_come_in_the_order_of_the_jobs(team):
    assert team.each([lambda: "a", lambda: "b"]) == ["a", "b"]


def test_fewer_jobs_than_workers(team):
    assert team.each([lambda: 1]) == [1]


def test_error_of_a_job_is_raised_after_all_have_ended(team):
    ended = []

    def slow():
        time.sleep(0.05)
        ended.append(True)

    def broken():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        team.each([broken, slow])
    assert ended == [True]
    assert team.each([lambda: 1, lambda: 2]) == [1, 2]


def test_stamps_enclose_the_work_and_count_the_calls(team):
    calls = []
    before = time.perf_counter_ns()
    stamps = team.timed([lambda: calls.append("a"), lambda: time.sleep(0.02)], 3)
    after = time.perf_counter_ns()
    assert calls == ["a"] * 3
    assert all(before < stamp.start_ns <= stamp.end_ns < after for stamp in stamps)
    assert stamps[1].end_ns - stamps[1].start_ns >= 60_000_000


def test_workers_start_together(team):
    first, second = team.timed([lambda: None, lambda: None], 1)
    # Ten times what a sleeping thread usually needs to wake; a barrier in turn on a busy machine takes longer still.
    assert abs(first.start_ns - second.start_ns) < 50_000_000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads")
def test_pinned_worker_runs_on_its_cpu_and_leaves_the_process_alone():
    allowed = sorted(os.sched_getaffinity(0))
    team = Team(allowed[-1:], pin=True)
    try:
        (seen,) = team.each([lambda: os.sched_getaffinity(0)])
        assert seen == {allowed[-1]}
        assert team.pinned
        assert sorted(os.sched_getaffinity(0)) == allowed
    finally:
        team.close()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads")
def test_cpu_that_is_not_there_leaves_the_worker_unpinned():
    team = Team([65_000], pin=True)
    try:
        team.each([lambda: None])
        assert not team.pinned
    finally:
        team.close()


def test_unpinned_team_says_so(team):
    team.each([lambda: None, lambda: None])
    assert not team.pinned


def test_close_ends_the_threads_and_breaks_off_between_calls():
    team = Team([0], pin=False)
    calls = []

    def job():
        calls.append(1)
        time.sleep(0.01)

    runner = threading.Thread(target=lambda: team.timed([job], 10_000))
    runner.start()
    while not calls:
        time.sleep(0.001)
    team.close()
    runner.join(timeout=5)
    assert not runner.is_alive()
    assert len(calls) < 100


def test_clock_is_read_around_the_calls_of_each_worker():
    moments = iter(range(100))
    team = Team([0], pin=False, clock_ns=lambda: next(moments))
    try:
        (stamp,) = team.timed([lambda: "value"], 3)
        assert (stamp.start_ns, stamp.end_ns, stamp.value) == (0, 1, "value")
    finally:
        team.close()


def test_interrupt_of_a_job_reaches_the_caller_at_once(team):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        team.each([interrupted, lambda: None])


def test_threads_that_the_system_refuses_are_one_clear_error(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(workers.threading.Thread, "start", refuse)
    with pytest.raises(BandwidthError, match="refuses more threads, 3 are needed; use fewer --threads"):
        Team([0, 1, 2], pin=False)


def test_threads_that_were_started_end_where_the_next_is_refused(monkeypatch):
    start, started = threading.Thread.start, []

    def refuse_the_third(self):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    with pytest.raises(BandwidthError):
        Team([0, 1, 2], pin=False)
    for thread in started:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_long_work_can_see_that_the_team_is_to_end():
    team = Team([0], pin=False)
    seen = []

    def job():
        while not team.is_stopping:
            time.sleep(0.001)
        seen.append(True)

    assert not team.is_stopping
    runner = threading.Thread(target=lambda: team.each([job]))
    runner.start()
    time.sleep(0.02)
    team.close()
    runner.join(timeout=5)
    assert seen == [True]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads")
def test_cpu_that_is_taken_away_later_shows():
    cpu = min(os.sched_getaffinity(0))
    others = os.sched_getaffinity(0) - {cpu}
    if not others:
        pytest.skip("there is one CPU only")
    team = Team([cpu], pin=True)
    try:
        team.each([lambda: os.sched_setaffinity(0, others)])  # what a smaller cpuset does
        assert team.pinned
        team.each([lambda: None])
        assert not team.pinned
    finally:
        team.close()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no threads are pinned here")
@pytest.mark.parametrize(
    ("error", "is_raised"), [(PermissionError(1, "not permitted"), False), (ValueError("x"), True)]
)
def test_a_place_that_cannot_be_seen_ends_no_worker(monkeypatch, error, is_raised):
    def refuse(_):
        raise error

    monkeypatch.setattr(os, "sched_getaffinity", refuse)
    worker = Worker(0)
    worker.start(lambda: 7)
    if is_raised:
        with pytest.raises(ValueError, match="x"):
            worker.result()
    else:
        assert worker.result() == 7
        assert not worker.pinned
    worker.close()
