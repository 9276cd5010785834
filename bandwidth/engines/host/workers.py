"""Threads that each stay on one CPU and stamp their own start and end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bandwidth.engines.host import operating_system
from bandwidth.errors import BandwidthError

# All workers sleep until one moment and then start by themselves: a barrier would let them go one by one, each when it
# gets the interpreter's lock, which takes milliseconds on many cores.
LEAD_S = 0.001
LEAD_S_PER_WORKER = 0.0001
THREAD_NAME = "bandwidth-cpu-"


@dataclass(frozen=True)
class Stamp:
    """When a worker started and ended its part of a block, on the monotonic clock, and what its work returned."""

    start_ns: int
    end_ns: int
    value: Any


class Worker:
    """A thread that runs what it is given, on one CPU where the system can pin.

    `pinned` tells whether it was when it last began a piece of work. An exception of the work is raised where its
    result is taken.
    """

    def __init__(self, cpu: int | None) -> None:
        self.pinned = False
        self._cpu = cpu
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=f"{THREAD_NAME}{cpu}")
        self._thread.start()

    def start(self, job: Callable[[], Any]) -> None:
        """Hand over one piece of work."""
        self._jobs.put(job)

    def result(self) -> Any:
        """Wait for the work handed over first and return its value, or raise what it raised."""
        value, error = self._done.get()
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Let the thread end after the work that it has."""
        self._jobs.put(None)
        self._thread.join()

    def _serve(self) -> None:
        if self._cpu is not None:
            operating_system.here().pin(self._cpu)
        while (job := self._jobs.get()) is not None:
            try:
                # A cpuset may change while this runs, and a CPU go offline.
                self.pinned = self._cpu is not None and operating_system.here().is_pinned(self._cpu)
                self._done.put((job(), None))
            except BaseException as error:  # noqa: BLE001 - it is raised anew by result()
                self._done.put((None, error))


def worker_threads() -> list[int]:
    """Return the system's ids of all workers' threads."""
    ids = [thread.native_id for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]
    return [thread for thread in ids if thread is not None]


class Team:
    """Workers on some CPUs that run blocks together. `clock_ns` is a monotonic clock in nanoseconds."""

    def __init__(self, cpus: Sequence[int], *, pin: bool, clock_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock_ns = clock_ns
        self._stop = threading.Event()
        self.workers: tuple[Worker, ...] = ()
        try:
            for cpu in cpus:
                self.workers += (Worker(cpu if pin else None),)
        except RuntimeError as error:  # "can't start new thread": a limit of processes or of memory
            self.close()
            raise BandwidthError(
                f"the system refuses more threads, {len(cpus)} are needed",
                "use fewer --threads, or raise the limit (ulimit -u, ulimit -v, the container's)",
            ) from error

    @property
    def pinned(self) -> bool:
        """Whether every worker is bound to its CPU; known once each has done some work."""
        return all(worker.pinned for worker in self.workers)

    @property
    def is_stopping(self) -> bool:
        """Whether the team was told to end: long work looks here between its pieces."""
        return self._stop.is_set()

    def each(self, jobs: Sequence[Callable[[], Any]], workers: Sequence[int] | None = None) -> list[Any]:
        """Run one job on each worker, all at once, and return their values. Fewer jobs than workers leave some idle.

        `workers` are the numbers of those that have one, where these are not the first.
        """
        busy = [self.workers[number] for number in (range(len(jobs)) if workers is None else workers)]
        for worker, job in zip(busy, jobs, strict=True):
            worker.start(job)
        return _results(busy)

    def timed(self, jobs: Sequence[Callable[[], Any]], calls: int) -> list[Stamp]:
        """Run each job `calls` times on its worker, all started at one moment, and return when each ran."""
        # Not the monotonic clock: on Windows that one moves by 16 ms at a time before Python 3.13.
        moment = time.perf_counter() + LEAD_S + LEAD_S_PER_WORKER * len(jobs)
        return self.each([partial(self._timed, job, calls, moment) for job in jobs])

    def close(self) -> None:
        """End all workers after the pass that they are in."""
        self._stop.set()
        for worker in self.workers:
            worker.close()

    def _timed(self, job: Callable[[], Any], calls: int, moment: float) -> Stamp:
        time.sleep(max(moment - time.perf_counter(), 0.0))
        value = None
        start_ns = self._clock_ns()
        for _ in range(calls):
            value = job()
            if self._stop.is_set():
                break
        return Stamp(start_ns, self._clock_ns(), value)


def _results(workers: Sequence[Worker]) -> list[Any]:
    """Return every worker's value. All are waited for before the first error is raised: none runs on unseen."""
    values, errors = [], []
    for worker in workers:
        try:
            values.append(worker.result())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - kept, and the first is raised below
            errors.append(error)
    if errors:
        raise errors[0]
    return values
