"""A word that goes round threads: as often as is told, through places apart and through one line; an end in time."""

import ctypes
import itertools
import time
from functools import partial

import pytest

from bandwidth.engines.host.native_code.compiled import Library, this_processor
from bandwidth.engines.host.native_code.kernel_arguments import Status
from bandwidth.engines.host.native_code.processor import HOPS
from bandwidth.engines.host.ring import Ring, fastest_ns
from bandwidth.engines.host.workers import Team

LIMIT_NS = 2_000_000
# More threads than CPUs take their turns.
LONG_NS = 20_000_000_000


@pytest.fixture(scope="module")
def library():
    return Library((), this_processor())


@pytest.fixture
def line():
    """The address of a cache line, and the memory that it is in."""
    memory = ctypes.create_string_buffer(2 * 64)
    yield -(-ctypes.addressof(memory) // 64) * 64
    del memory


def hop(library, ring, passes, limit_ns=LONG_NS):
    team = Team(ring.threads, pin=False)
    told = ring.arguments(passes, limit_ns)
    team.each([partial(library.function(HOPS), arguments) for arguments in told])
    team.close()
    return told


@pytest.mark.parametrize(("threads", "is_one_line"), [(2, False), (2, True), (3, True), (5, False)])
def test_a_word_goes_round_a_ring_as_often_as_is_told(threads, is_one_line, library, line):
    ring = Ring(range(threads), 2, line if is_one_line else None)
    for _ in range(2):  # the places are set back
        told = hop(library, ring, 3)
        assert [one.made for one in told] == [3] * threads
        assert [ctypes.c_uint64.from_address(one.source_0).value for one in told] == [3 * 2] * threads
        assert ring.fault(told) == ""
        assert 1 < fastest_ns(told, ring.rounds) < LONG_NS
        assert [one.end_ns > one.start_ns for one in told] == [True] * threads


def test_the_places_of_one_line_are_within_it_and_others_apart(line):
    at = [one.source_0 - line for one in Ring(range(8), 1, line).arguments(1, LIMIT_NS)]
    assert at == list(range(0, 64, 8))
    apart = [one.source_0 for one in Ring(range(3), 1).arguments(1, LIMIT_NS)]
    assert [address % 64 for address in apart] == [0, 0, 0]
    assert all(later - earlier >= 128 for earlier, later in itertools.pairwise(apart))


def test_a_thread_that_waits_for_a_word_in_vain_ends_at_the_limit(library):
    ring = Ring((0, 1), 32)
    first, second = ring.arguments(40, LIMIT_NS)
    first.threads = second.threads = 1
    begin = time.monotonic()
    library.function(HOPS)(second)
    assert time.monotonic() - begin >= LIMIT_NS * 1e-9
    assert (second.status, second.made, second.fastest_ns) == (Status.DONE, 0, 0)
    assert second.end_ns - second.start_ns < 50 * LIMIT_NS  # a busy machine may take the CPU away meanwhile
    library.function(HOPS)(first)  # it sends once, and its word does not come back
    assert first.made == 0
    assert ring.fault([first, second]) == ""
    assert fastest_ns([first, second], ring.rounds) is None


def test_hops_end_when_they_are_told_to(library):
    ring = Ring((0, 1), 32)
    arguments = ring.arguments(40, 60_000_000_000)[1]
    arguments.threads = 1
    ring.barrier.stop()
    library.function(HOPS)(arguments)
    assert arguments.made == 0


@pytest.mark.parametrize(
    ("made", "sent", "fault"),
    [
        (3, 24, ""),
        (2, 23, ""),  # it ended at the limit, in its third pass
        (3, 23, "thread 0 passed the value on 23 times, but recorded 24 of 24"),
        (3, 25, "thread 0 passed the value on 25 times, but recorded 24 of 24"),
        (2, 15, "thread 0 passed the value on 15 times, but recorded 16 of 24"),
        (1, 17, "thread 0 passed the value on 17 times, but recorded 8 of 24"),
        (4, 32, "thread 0 passed the value on 32 times, but recorded 32 of 24"),
    ],
)
def test_other_counts_than_were_told_are_a_fault(made, sent, fault):
    ring = Ring((0, 1), 8)
    told = ring.arguments(3, LIMIT_NS)
    for arguments, count in zip(told, (sent, made * 8), strict=True):
        arguments.made = made
        ctypes.c_uint64.from_address(arguments.destination).value = count
    assert ring.fault(told).split(";")[0] == fault
