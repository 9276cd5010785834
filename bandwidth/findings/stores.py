"""What stores cost: the read before an ordinary store, what NumPy code gets of it, and the shortcut for zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bandwidth.analysis.result_pairs import ZerosPair, zeros_pairs
from bandwidth.findings.reading import (
    NATIVE,
    NUMPY,
    ORDINARY,
    STREAMING,
    Partners,
    Raised,
    Row,
    are_apart,
    in_memory,
    plain,
    positive,
    rate_text,
    ratio,
    thread_words,
)
from bandwidth.results import Finding, Record, summarise
from bandwidth.statistics import median
from bandwidth.units import format_duration, format_percent, format_size

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


def write_allocate(record: Record) -> Iterator[Raised]:
    """Yield ordinary stores that fall behind streaming ones: they read each line before they write it."""
    rows = in_memory(plain(record))
    partners = Partners(rows)
    for row in rows:
        case = row.result.case
        streaming = partners.of(row, stores=STREAMING)
        if case.engine != NATIVE or case.variant.get("stores") != ORDINARY or streaming is None:
            continue
        if ratio(row, streaming) < STORES_ALIKE and are_apart(row, streaming):
            share = f"{rate_text(row)} is {format_percent(ratio(row, streaming))} of streaming stores' rate"
            limit = f"below {format_percent(STORES_ALIKE)} it is the read of each line before its first store"
            hint = "normal: streaming stores leave that read out, where the data is not used again soon"
            yield Raised(case.id, Finding("BW015", f"{share}; {limit}{_more_traffic(row)}", hint))


def numpy_ordinary_stores(record: Record) -> Iterator[Raised]:
    """Yield NumPy's rows that are as fast as compiled code with ordinary stores, and slower than with streaming."""
    for row, best, ordinary in _behind_native(record):
        if ordinary is not None and not _is_short(row) and ratio(row, ordinary) >= SAME_STORES:
            seen = f"NumPy reaches {rate_text(row)}, {format_percent(ratio(row, best))} of compiled code's best"
            why = f"it writes with ordinary stores, with which compiled code reaches {rate_text(ordinary)}"
            hint = f"normal: what NumPy code gets; below {format_percent(NUMPY_ALIKE)} a reason is named"
            yield Raised(row.result.case.id, Finding("BW016", f"{seen}; {why}{_more_traffic(ordinary)}", hint))


def numpy_copy(record: Record) -> Iterator[Raised]:
    """Yield which stores the C library's copy, which NumPy's is, behaved like on this machine."""
    rows = in_memory(plain(record))
    partners = Partners(rows)
    verdicts = [words for words in (_copy_verdict(record, partners, row) for row in _numpy_rows(rows)) if words]
    if verdicts:
        hint = "normal: the C library decides by the size of each copy, and scale, add and write have ordinary stores"
        yield Raised(None, Finding("BW017", f"NumPy's copy is the C library's: {'; '.join(verdicts)}", hint))


def numpy_itself(record: Record) -> Iterator[Raised]:
    """Yield NumPy's rows that are slower than compiled code for a reason other than stores: short calls, its loop."""
    for row, best, ordinary in _behind_native(record):
        share_of_best = format_percent(ratio(row, best))
        seen = f"NumPy reaches {rate_text(row)}, {share_of_best} of compiled code's {rate_text(best)}"
        if _is_short(row):
            share = format_percent(CALL_COST_S / _call_s(row))
            why = f"a call takes {format_duration(_call_s(row))}, of which NumPy's own part, about 0.3 us, is {share}"
            hint = "give NumPy larger arrays at a time: from 30 us a call on it is below one percent"
        elif ordinary is None or ratio(row, ordinary) < SAME_STORES:
            why = f"less than {format_percent(NUMPY_ALIKE)}, and stores do not explain it: its loop is the slower one"
            hint = "normal where one thread has to compute: see whether all threads get closer"
        else:
            continue
        yield Raised(row.result.case.id, Finding("BW018", f"{seen}; {why}", hint))


def zeros_shortcut(record: Record) -> Iterator[Raised]:
    """Yield writes of zeros that are faster than those of other data."""
    for pair, gain in _zeros(record):
        if _is_shortcut(pair, gain):
            seen = f"writing zeros is {format_percent(gain - 1)} faster than writing other data"
            limit = f"more than {format_percent(ZEROS_GAIN - 1)}: this machine has a shortcut for them"
            hint = "rates that were measured with zeros (calloc, memset, fresh pages) overstate it: use other data"
            yield Raised(pair.zeros.case.id, Finding("BW019", f"{seen}, {limit}", hint))


def no_zeros_shortcut(record: Record) -> Iterator[Raised]:
    """Yield, where zeros were tried, that none of them was faster."""
    found = list(_zeros(record))
    if found and not any(_is_shortcut(pair, gain) for pair, gain in found):
        lowest, highest = min(gain for _, gain in found), max(gain for _, gain in found)
        seen = f"zeros were written at {lowest:.2f} to {highest:.2f} times the rate of other data"
        hint = f"nothing to do: a shortcut shows above {ZEROS_GAIN:.2f}"
        yield Raised(None, Finding("BW020", f"{seen}: no shortcut for them was seen here", hint))


# --- what the rules above look at -----------------------------------------------------------------------------------


def _more_traffic(row: Row) -> str:
    """Return how much more the memory moved than the rate counts, where that is known."""
    case = row.result.case
    if case.traffic_bytes_per_call is None or case.traffic_bytes_per_call <= case.bytes_per_call:
        return ""
    return f", {format_percent(case.traffic_bytes_per_call / case.bytes_per_call - 1)} more traffic than is counted"


def _numpy_rows(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.result.case.engine == NUMPY]


def _behind_native(record: Record) -> Iterator[tuple[Row, Row, Row | None]]:
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


def _call_s(row: Row) -> float:
    return median(row.result.samples.seconds) / row.result.samples.calls_per_sample


def _is_short(row: Row) -> bool:
    return _call_s(row) < SHORT_CALL_S


def _copy_verdict(record: Record, partners: Partners, row: Row) -> str:
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
    words = f"with {thread_words(row.result.case.threads)}, {rate_text(row)}, it is nearest to {kind} stores"
    return f"{words} ({rate_text(nearer)}){_threshold_words(record, row)}"


def _threshold_words(record: Record, row: Row) -> str:
    """Return the C library's threshold beside the bytes of a thread's copy, where it is known."""
    threshold = positive(record.machine.get("c_library_streaming_threshold_bytes"))
    if threshold is None:
        return ""
    library = record.machine.get("c_library")
    name = library if isinstance(library, str) else "the C library"
    part = row.result.case.payload_bytes_per_call / row.result.case.threads
    return f", a copy of {format_size(part)} where {name} streams from {format_size(threshold)} on"


def _zeros(record: Record) -> Iterator[tuple[ZerosPair, float]]:
    return ((pair, pair.ratio) for pair in zeros_pairs(record) if pair.other is not None and pair.ratio is not None)


def _is_shortcut(pair: ZerosPair, gain: float) -> bool:
    if pair.other is None or gain <= ZEROS_GAIN:
        return False
    return are_apart(Row(pair.zeros, summarise(pair.zeros)), Row(pair.other, summarise(pair.other)))
