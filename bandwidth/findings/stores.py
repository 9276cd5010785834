"""What stores cost: the read before an ordinary store, what NumPy code gets of it, and the shortcut for zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandwidth.analysis.groups import ZerosPair, zeros_pairs
from bandwidth.analysis.recorded import positive
from bandwidth.findings.evidence import (
    Partners,
    Raised,
    ResultRow,
    are_apart,
    in_memory,
    plain,
    rate_text,
    ratio,
    thread_words,
)
from bandwidth.findings.rules import SOUND, percent, rule
from bandwidth.results import Record, summarise
from bandwidth.statistics import median
from bandwidth.units import format_duration, format_percent, format_size
from bandwidth.vocabulary import HOST, NATIVE, NUMPY, ORDINARY, STREAMING

# The read before a store is a quarter to a half of the traffic (triad, copy, write). Within a tenth of streaming
# stores the processor avoids it by itself, or something else holds both back.
STORES_ALIKE = 0.9
# Below this share of compiled code NumPy's row needs a reason; less is within what two loops may differ by.
NUMPY_ALIKE = 0.9
# NumPy as fast as compiled code with ordinary stores: then the stores are the reason, and not NumPy's loop.
SAME_STORES = 0.85
# HOST.md: a NumPy call costs about 0.3 us apart from its work. Below this length that is more than one percent of it.
CALL_COST_S = 0.3e-6
SHORT_CALL_S = 30e-6
# Zeros faster than other data by more than this, and intervals apart: noise of shared machines stays below it.
ZEROS_GAIN = 1.1


@rule(
    "BW015",
    "Ordinary stores read before they write",
    rank=430,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"alike": percent(STORES_ALIKE)},
)
def write_allocate(record: Record) -> Iterator[Raised]:
    """
    The same kernel ran with ordinary and with streaming stores, and the ordinary stores reach less than {alike} of
    the rate. An ordinary store to a line that is not in a cache first reads that line: a third more traffic for a
    triad, half more for a copy, twice as much for a write. The rate counts only the bytes that the program requested.
    Where both rates are alike, the processor avoids the read, or something else limits both.

    It is normal; most programs are compiled this way. What to try: streaming stores (`bandwidth explain
    write-allocate`), where the data is not used again before it leaves the cache.
    """
    rows = in_memory(plain(record))
    partners = Partners(rows)
    for row in rows:
        case = row.result.case
        streaming = partners.of(row, stores=STREAMING)
        if case.engine != NATIVE or case.variant.get("stores") != ORDINARY or streaming is None:
            continue
        if ratio(row, streaming) < STORES_ALIKE and are_apart(row, streaming):
            share = f"{rate_text(row)} is {format_percent(ratio(row, streaming))} of the rate with streaming stores"
            limit = "each line is read before it is written (write-allocate)"
            hint = "normal: streaming stores avoid the read, if the data is not reused soon"
            yield Raised(case.id, f"{share}; {limit}{_more_traffic(row)}", hint)


@rule(
    "BW016",
    "NumPy uses ordinary stores",
    rank=440,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"alike": percent(NUMPY_ALIKE)},
)
def numpy_ordinary_stores(record: Record) -> Iterator[Raised]:
    """
    NumPy reaches less than {alike} of the best compiled code, and about the rate of compiled code with ordinary
    stores. So the read before each store (BW015) is the cause, not NumPy's loop. It is normal for scale, add and
    write.

    What to try: operations that write less, such as in-place operations (`out=`), or code that works on blocks that
    fit in a cache, so that each line is read and written once.
    """
    for row, best, ordinary in _behind_native(record):
        if ordinary is not None and not _is_short(row) and ratio(row, ordinary) >= SAME_STORES:
            seen = f"NumPy reaches {rate_text(row)}, {format_percent(ratio(row, best))} of the best compiled code"
            why = f"it uses ordinary stores, and compiled code with them reaches {rate_text(ordinary)}"
            hint = "normal for NumPy code"
            yield Raised(row.result.case.id, f"{seen}; {why}{_more_traffic(ordinary)}", hint)


@rule("BW017", "Stores used by NumPy's copy", rank=450, mark=SOUND, of=HOST, compares=True)
def numpy_copy(record: Record) -> Iterator[Raised]:
    """
    np.copyto of whole arrays is the C library's memcpy. glibc on x86 uses streaming stores for copies above a
    threshold that it derives from the caches (`ld.so --list-tunables` shows it; each thread's part is one copy). So a
    NumPy copy may be as fast as streaming stores with one thread, and as slow as ordinary stores with all threads.
    The finding compares NumPy's copy with both compiled copies of the same run and names the closer one by ratio.
    Where both are alike nothing is reported.

    What to try: GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=16777216 before the command shows the other
    policy.
    """
    rows = in_memory(plain(record))
    partners = Partners(rows)
    verdicts = [words for words in (_copy_verdict(record, partners, row) for row in _numpy_rows(rows)) if words]
    if verdicts:
        hint = "normal: the C library chooses by the size of each copy; scale, add and write use ordinary stores"
        yield Raised(None, f"NumPy's copy is the C library's memcpy: {'; '.join(verdicts)}", hint)


@rule(
    "BW018",
    "NumPy is slower, but not because of its stores",
    rank=460,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={
        "alike": percent(NUMPY_ALIKE),
        "cost": f"{CALL_COST_S * 1e6:g} us",
        "short": format_duration(SHORT_CALL_S),
    },
)
def numpy_itself(record: Record) -> Iterator[Raised]:
    """
    NumPy reaches less than {alike} of compiled code, and its stores do not explain it. With short calls the cause is
    the call itself: Python and NumPy need about {cost} for each, more than one percent of a call below {short}.
    Otherwise it is NumPy's loop: a sum or a dot product of one thread may be limited by arithmetic instead of memory.

    What to try: larger arrays per call; all threads, which together may still saturate the memory.
    """
    for row, best, ordinary in _behind_native(record):
        share_of_best = format_percent(ratio(row, best))
        seen = f"NumPy reaches {rate_text(row)}, {share_of_best} of compiled code's {rate_text(best)}"
        if _is_short(row):
            share = format_percent(CALL_COST_S / _call_s(row))
            why = f"a call takes {format_duration(_call_s(row))}, {share} of it the overhead of NumPy, about 0.3 us"
            hint = "use larger arrays per call: from 30 us per call the overhead is below 1 %"
        elif ordinary is None or ratio(row, ordinary) < SAME_STORES:
            why = f"less than {format_percent(NUMPY_ALIKE)}, and stores do not explain it: NumPy's loop is slower"
            hint = "normal if one thread is compute bound: check whether all threads come closer"
        else:
            continue
        yield Raised(row.result.case.id, f"{seen}; {why}", hint)


@rule(
    "BW019",
    "Zeros are written faster than other data",
    rank=410,
    of=HOST,
    compares=True,
    limits={"gain": percent(ZEROS_GAIN - 1)},
)
def zeros_shortcut(record: Record) -> Iterator[Raised]:
    """
    Some processors and memories have a shortcut for zeros: on one AMD Zen 4 machine a memset of zeros ran two to
    three times as fast as one of ones. The finding is raised when writing zeros is more than {gain} faster than the
    same write of other data and the intervals do not overlap. A benchmark that fills its arrays with zeros, or never
    fills them, measures the shortcut. bandwidth uses random data and writes a new value in each block; it writes
    zeros only on request.
    """
    for pair, gain in _zeros(record):
        if _is_shortcut(pair, gain):
            seen = f"writing zeros is {format_percent(gain - 1)} faster than writing other data"
            limit = f"more than {format_percent(ZEROS_GAIN - 1)}: this machine has a shortcut for zeros"
            hint = "rates measured with zeros (calloc, memset, fresh pages) are too high: use other data"
            yield Raised(pair.zeros.case.id, f"{seen}, {limit}", hint)


@rule(
    "BW020",
    "No shortcut for zeros",
    rank=420,
    mark=SOUND,
    of=HOST,
    compares=True,
    limits={"gain": percent(ZEROS_GAIN - 1)},
)
def no_zeros_shortcut(record: Record) -> Iterator[Raised]:
    """
    Zeros and other data were both written, as requested, and no write of zeros was more than {gain} faster with
    intervals that do not overlap. No action is needed. Another machine, another size or another number of threads may
    differ.
    """
    found = list(_zeros(record))
    if found and not any(_is_shortcut(pair, gain) for pair, gain in found):
        lowest, highest = min(gain for _, gain in found), max(gain for _, gain in found)
        seen = f"zeros were written at {lowest:.2f} to {highest:.2f} times the rate of other data"
        hint = f"nothing to do: a shortcut would exceed {ZEROS_GAIN:.2f}"
        yield Raised(None, f"{seen}: no shortcut for zeros was detected", hint)


# --- what the rules above look at -----------------------------------------------------------------------------------


def _more_traffic(row: ResultRow) -> str:
    """Return how much more the memory moved than the rate counts, where that is known."""
    case = row.result.case
    if case.traffic_bytes_per_call is None or case.traffic_bytes_per_call <= case.bytes_per_call:
        return ""
    return f", {format_percent(case.traffic_bytes_per_call / case.bytes_per_call - 1)} more traffic than counted"


def _numpy_rows(rows: Sequence[ResultRow]) -> list[ResultRow]:
    return [row for row in rows if row.result.case.engine == NUMPY]


def _behind_native(record: Record) -> Iterator[tuple[ResultRow, ResultRow, ResultRow | None]]:
    """Yield NumPy's rows below compiled code, with its best row and the one with ordinary stores.

    A copy from memory has a rule of its own, where it can be told which stores it had.
    """
    rows = plain(record)
    partners = Partners(rows)
    for row in _numpy_rows(rows):
        ordinary = partners.of(row, engine=NATIVE, stores=ORDINARY)
        others = (partners.of(row, engine=NATIVE, stores=kind) for kind in (STREAMING, ORDINARY, None))
        best = max((other for other in others if other is not None), key=lambda other: ratio(other, row), default=None)
        is_told = row.result.case.meets_dram_rule and _copy_verdict(record, partners, row) != ""
        if best is not None and not is_told and ratio(row, best) < NUMPY_ALIKE and are_apart(row, best):
            yield row, best, ordinary


def _call_s(row: ResultRow) -> float:
    return median(row.result.samples.seconds) / row.result.samples.calls_per_sample


def _is_short(row: ResultRow) -> bool:
    return _call_s(row) < SHORT_CALL_S


def _copy_verdict(record: Record, partners: Partners, row: ResultRow) -> str:
    """Return which of compiled code's copies NumPy's is nearer to, empty where the two are too much alike to tell."""
    ordinary, streaming = (partners.of(row, engine=NATIVE, stores=kind) for kind in (ORDINARY, STREAMING))
    if row.result.case.path != "copy" or ordinary is None or streaming is None:
        return ""
    if ratio(ordinary, streaming) >= STORES_ALIKE or not are_apart(ordinary, streaming):
        return ""
    # Nearer by ratio: the share of the way is the same however large the two are.
    is_streaming = ratio(row, ordinary) * ratio(row, streaming) > 1
    nearer = streaming if is_streaming else ordinary
    kind = "streaming" if is_streaming else "ordinary"
    words = f"with {thread_words(row.result.case.threads)}, {rate_text(row)}, closest to {kind} stores"
    return f"{words} ({rate_text(nearer)}){_threshold_words(record, row)}"


def _threshold_words(record: Record, row: ResultRow) -> str:
    """Return the C library's threshold beside the bytes of a thread's copy, where it is known."""
    threshold = positive(record.machine.get("c_library_streaming_threshold_bytes"))
    if threshold is None:
        return ""
    library = record.machine.get("c_library")
    name = library if isinstance(library, str) else "the C library"
    part = row.result.case.payload_bytes_per_call / row.result.case.threads
    return f", with copies of {format_size(part)}; {name} uses streaming stores from {format_size(threshold)}"


def _zeros(record: Record) -> Iterator[tuple[ZerosPair, float]]:
    return ((pair, pair.ratio) for pair in zeros_pairs(record) if pair.other is not None and pair.ratio is not None)


def _is_shortcut(pair: ZerosPair, gain: float) -> bool:
    if pair.other is None or gain <= ZEROS_GAIN:
        return False
    return are_apart(ResultRow(pair.zeros, summarise(pair.zeros)), ResultRow(pair.other, summarise(pair.other)))
