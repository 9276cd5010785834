"""The words and cells that the views of a record share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bandwidth.analysis.recorded import all_threads
from bandwidth.findings.rules import SOUND, TO_DO, UNTOLD, Mark, mark_of
from bandwidth.kernels import KERNELS, kernel_of
from bandwidth.report.document import Column
from bandwidth.results import Case, Ceiling, Finding, Latency, Record, Result, Summary, summarise
from bandwidth.statistics import Interval
from bandwidth.units import format_percent, format_rate, format_size
from bandwidth.vocabulary import BETWEEN_CORES, HOST, LOW, NATIVE, NUMPY, PAIR, STORES, Target, ceiling_words

# Results beyond this share of their theory are not printed as a plain percentage.
WHOLE = 1.0
UNKNOWN = "-"
INVALID = "INVALID"
# Digits of a NUMA node's number, and of a size in bytes.
_LONGEST_NODE, _LONGEST_SIZE = 3, 18
_CACHE_LEVEL = re.compile("L[1-4]")
# What the memory can do comes before what NumPy code gets.
_ENGINES = (NATIVE, NUMPY)
# Numbers of threads that are all named; of more, the ends.
MOST_COUNTS = 4
# The driver's own copies within a GPU, and what goes over its link.
COUNTED_COPIES = {"memcpy": "8 read + 8 written", "memset": "8 written"}
_PATHS = (*KERNELS, *COUNTED_COPIES, "h2d", "d2h", "bidirectional", "peer")
_PATH_WORDS = {BETWEEN_CORES: "core to core"}


def rate_columns(unit: str) -> tuple[Column, ...]:
    """Return the columns of `rate_cells`."""
    median = Column(f"median {unit}", "right", two_lines=True)
    share, count = Column("share", "right"), Column("n", "right")
    return (median, Column("95 % interval", "right"), Column("ceiling", "right"), Column("of"), share, count)


def rate_cells(result: Result, unit: str) -> tuple[str, ...]:
    """Return a result's median, interval, lowest ceiling and what that is, share of it and number of blocks."""
    summary = summarise(result)
    if summary.median_bytes_per_s is None:
        return (INVALID, UNKNOWN, *ceiling_cells(result, unit), str(summary.count))
    marked = marked_rate(summary.median_bytes_per_s, result.theory_bytes_per_s, unit)
    return (marked, rate_interval(summary.reported, unit), *ceiling_cells(result, unit), str(summary.count))


def ceiling_cells(result: Result, unit: str) -> tuple[str, str, str]:
    """Return a result's lowest ceiling that is not of low confidence, what it is in a few letters, and the share of it.

    Of a record from before ceilings were kept it is the theory.
    """
    summary, ceiling = summarise(result), result.binding
    if ceiling is None and result.theory_bytes_per_s is not None:
        return (format_rate(result.theory_bytes_per_s, unit), "theory", _share(summary, summary.efficiency))
    if ceiling is None:
        return ("", "", "")
    return (format_rate(ceiling.bytes_per_s, unit), ceiling_short(ceiling), _share(summary, summary.share))


def rate_cell(summary: Summary, unit: str) -> str:
    """Return the median rate, or INVALID where the data was wrong."""
    return INVALID if summary.median_bytes_per_s is None else format_rate(summary.median_bytes_per_s, unit)


def known_rate(bytes_per_s: float | None, unit: str) -> str:
    """Return a rate, or a dash where it is not known."""
    return UNKNOWN if bytes_per_s is None else format_rate(bytes_per_s, unit)


def share_of(share: float | None) -> str:
    """Return a share in percent, or a dash where it is not known."""
    return UNKNOWN if share is None else format_percent(share)


def rate_interval(interval: Interval | None, unit: str) -> str:
    """Return both ends of an interval of rates."""
    return UNKNOWN if interval is None else f"{format_rate(interval.low, unit)}-{format_rate(interval.high, unit)}"


def runs_words(results: Iterable[Result]) -> str:
    """Return of how many earlier runs intervals know, `12 earlier runs`; empty where they are of this run alone.

    Where that is so of some, in how many cases they are not: `3 to 12 earlier runs in 4 of 6 cases`.
    """
    summaries = [one for result in results if (one := summarise(result)).count]
    counts = [one.earlier_runs for one in summaries if one.reported_is_of_runs]
    if not counts:
        return ""
    words = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    some = f" in {len(counts)} of {len(summaries)} cases" if len(counts) < len(summaries) else ""
    return f"{words} earlier runs{some}"


def latency_cells(latency: Latency | None) -> tuple[str, str, str]:
    """Return nanoseconds, cycles and the interval of the nanoseconds."""
    if latency is None:
        return (INVALID, UNKNOWN, UNKNOWN)
    interval = latency.reported_ns
    ends = UNKNOWN if interval is None else f"{format_ns(interval.low)}-{format_ns(interval.high)}"
    return (format_ns(latency.median_ns), format_cycles(latency.median_cycles), ends)


def format_ns(nanoseconds: float | None) -> str:
    """Return nanoseconds with two decimals: the first cache answers within two of them."""
    return UNKNOWN if nanoseconds is None else f"{nanoseconds:,.2f}"


def format_cycles(cycles: float | None) -> str:
    """Return cycles with one decimal: makers publish whole ones."""
    return UNKNOWN if cycles is None else f"{cycles:,.1f}"


def ceiling_short(ceiling: Ceiling) -> str:
    """Return what a ceiling is in a few letters, of a cache its level; one of low confidence has a ~ before it."""
    level = _CACHE_LEVEL.match(ceiling.working)
    short = level[0] if ceiling.kind == "cache" and level else ceiling_words(ceiling.kind)[0]
    return f"~{short}" if ceiling.confidence == LOW else short


def _share(summary: Summary, share: float | None) -> str:
    if summary.is_impossible:
        return INVALID
    return "" if share is None else format_percent(share)


def marked_rate(rate: float, theory: float | None, unit: str) -> str:
    """Return a rate, marked where it exceeds its theory: it is not to be read as a plain number."""
    return format_rate(rate, unit) + ("!" if theory is not None and rate > theory else "")


# --- what a case is called ------------------------------------------------------------------------------------------


def stores_in_words(case: Case) -> str:
    """Return the kind of store, a dash where the case has none to choose."""
    return str(case.variant.get("stores", UNKNOWN))


def path_of(case: Case) -> str:
    """Return the path in words, with its ratio where it is one of the mixes."""
    path = _PATH_WORDS.get(case.path, case.path)
    return f"{path} {case.variant['mix']}" if "mix" in case.variant else path


def threads_in_words(counts: Sequence[int]) -> str:
    """Return numbers of threads in words: `1 thread`, `1, 2 and 4 threads`."""
    texts = [str(count) for count in sorted(set(counts))]
    joined = " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
    return f"{joined} {'thread' if joined == '1' else 'threads'}"


def variant_words(variant: Mapping[str, str | int], *left_out: str) -> list[str]:
    """Return what tells a case apart in words, but for the keys left out and a mix, which `path_of` names."""
    return [_variant_word(key, value) for key, value in variant.items() if key not in (*left_out, "mix")]


def _variant_word(key: str, value: str | int) -> str:
    """Return one key of a variant with its value in words; a record of another version may hold any key."""
    if key in ("stores", "cores", "pages"):
        return f"{value} {key}"
    if key == PAIR and (cpus := re.fullmatch(r"cpu([0-9]{1,6})-cpu([0-9]{1,6})", str(value), re.ASCII)):
        return f"CPUs {cpus[1]} and {cpus[2]}"
    return str(value) if key == "data" else f"{key.replace('_', ' ')} {value}"


def case_words(case: Case, *left_out: str, threads: bool = True) -> str:
    """Return a case in words, such as `copy, native, streaming stores, 2 threads`; a GPU's has its device's number."""
    parts = [path_of(case), case.engine, *variant_words(case.variant, *left_out)]
    if case.target != HOST and threads:
        return ", ".join([*parts, target_words(case)])
    return ", ".join([*parts, threads_in_words([case.threads])] if threads else parts)


def id_words(case_id: str) -> str:
    """Return what an id says in words, of a case that did not run: `copy, native, 2 threads, streaming`."""
    target, *parts = case_id.split("/")
    parts[:1] = [_PATH_WORDS.get(path, path) for path in parts[:1]]
    if target == HOST and len(parts) > 2 and parts[2].isdecimal():
        parts[2] = threads_in_words([int(parts[2])])
    elif len(parts) > 2:
        parts[2] = Target.parse(target).words
    if len(parts) > 3 and parts[-1].isdecimal() and len(parts[-1]) > _LONGEST_NODE:
        parts[-1] = format_size(int(parts[-1][:_LONGEST_SIZE]))  # a point of a sweep
    return ", ".join(parts)


def target_words(case: Case) -> str:
    """Return what a case is about in words: `device 0`, `link of device 0`, `devices 0,1`."""
    return Target.parse(case.target).words


def thread_role(case: Case, record: Record) -> str:
    """Return who works on a case: `one core`, `all cores`, `4 threads`, or a hybrid's `performance cores`."""
    kind = case.variant.get("cores")
    if case.threads == 1:
        return "one core" if kind is None else f"one {kind} core"
    if kind is not None:
        return f"{kind} cores"
    return "all cores" if case.threads == all_threads(record) else f"{case.threads} threads"


def subject(case: Case, record: Record) -> str:
    """Return a case as people speak of it: `copy, all cores, streaming stores`; never its id."""
    if case.kind != HOST:
        return ", ".join([case.path, *variant_words(case.variant), target_words(case)])
    stores = [f"{stores_in_words(case)} stores"] if "stores" in case.variant else []
    others = variant_words(case.variant, "stores", "cores")
    if case.pair is not None:
        return ", ".join([path_of(case), *others])
    engine = ["NumPy"] if case.engine == NUMPY else []
    return ", ".join([path_of(case), thread_role(case, record), *engine, *stores, *others])


def counted_names(names: Iterable[str]) -> str:
    """Return names with how often each stands there: `8 x NVIDIA H200, ASPEED 1a03:2000`."""
    return ", ".join(counted_name(name, count) for name, count in Counter(names).items())


def counted_name(name: str, count: int) -> str:
    """Return `2 x NVIDIA H200`, or the name alone where there is one."""
    return name if count == 1 else f"{count} x {name}"


def setting_words(cases: Iterable[Case]) -> str:
    """Return with how many threads, and on which devices or links, some cases ran: `2 threads; device 0`."""
    known = list(cases)
    targets = dict.fromkeys(target_words(case) for case in known if case.target != HOST)
    return "; ".join([*_threads(case.threads for case in known if case.target == HOST), *targets])


def _threads(counts: Iterable[int]) -> list[str]:
    known = sorted(set(counts))
    if len(known) > MOST_COUNTS:
        return [f"{known[0]} to {known[-1]} threads"]
    return [threads_in_words(known)] if known else []


def counted_bytes(results: Iterable[Result]) -> str:
    """Return what the rates of some results count, bytes an element by kernel in the order of the tables.

    It is empty where none counts by the element: a latency, a link, a path of a later version.
    """
    cases = [result.case for result in results]
    names = {name for case in cases if (name := _kernel_name(case)) is not None}
    words = [f"{name} {kernel.counted}" for name, kernel in KERNELS.items() if name in names]
    paths = {case.path for case in cases}
    return ", ".join([*words, *(f"{name} {counted}" for name, counted in COUNTED_COPIES.items() if name in paths)])


def finding_line(finding: Finding) -> str:
    """Return a finding that is about no single result as one line."""
    return f"{finding.code}: {finding.text}; {finding.hint}."


def place(case: Case) -> tuple[int, int, int]:
    """Return where a case stands in a table: by its kernel, its engine and its stores, streaming ones first."""
    name = _kernel_name(case) or case.path
    kernel = _PATHS.index(name) if name in _PATHS else len(_PATHS)
    engine = _ENGINES.index(case.engine) if case.engine in _ENGINES else len(_ENGINES)
    stores = stores_in_words(case)
    return (kernel, engine, STORES.index(stores) if stores in STORES else len(STORES))


def _kernel_name(case: Case) -> str | None:
    """Return the name of a case's kernel, None where it runs none that is known here."""
    try:
        return kernel_of(case.path, case.variant).name
    except KeyError:
        return None


# --- findings as lines ----------------------------------------------------------------------------------------------

# The most useful first.
MARKS: tuple[Mark, ...] = (TO_DO, UNTOLD, SOUND)


class Line(NamedTuple):
    """One thing that was looked at: its mark, what was seen, what to do, and the code for `explain`."""

    mark: Mark
    seen: str
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        """Return it as the screen has it: `  !!  What was seen. What to do. (BW042)`."""
        hint = "" if self.mark == SOUND or not self.hint else f" {_sentence(self.hint)}"
        return f"  {self.mark}  {_sentence(self.seen)}{hint}{f' ({self.code})' if self.code else ''}"


def findings_lines(found: Sequence[Finding]) -> list[Line]:
    """Return findings that are about no single result as lines, the most useful first."""
    lines = [Line(mark_of(one.code), one.text, one.hint, one.code) for one in found]
    return sorted(lines, key=lambda line: MARKS.index(line.mark))


def _sentence(text: str) -> str:
    """Return a text that begins with a capital, but for a name or an option, and ends with a full stop."""
    first = text.split(" ", 1)[0]
    start = text if not first.isalpha() or not first.islower() else text[0].upper() + text[1:]
    return start if start.endswith((".", "?")) else f"{start}."
