"""The words and cells that the views of a record share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from bandwidth.kernels import KERNELS, kernel_of
from bandwidth.report.document import Column
from bandwidth.results import Case, Finding, Latency, Result, Summary, summarise
from bandwidth.statistics import Interval
from bandwidth.units import format_percent, format_rate
from bandwidth.vocabulary import HOST, NATIVE, NUMPY, STORES

# Results beyond this share of their theory are not printed as a plain percentage.
WHOLE = 1.0
UNKNOWN = "-"
INVALID = "INVALID"
# What the memory can do comes before what NumPy code gets.
_ENGINES = (NATIVE, NUMPY)
# Numbers of threads that are all named; of more, the ends.
MOST_COUNTS = 4
# The driver's own copies within a GPU, and what goes over its link.
COUNTED_COPIES = {"memcpy": "8 read + 8 written", "memset": "8 written"}
_PATHS = (*KERNELS, *COUNTED_COPIES, "h2d", "d2h", "bidirectional", "peer")


def rate_columns(unit: str) -> tuple[Column, ...]:
    """Return the columns of `rate_cells`."""
    headers = ("95 % interval", "best", "theory", "share", "n")
    return (Column(f"median {unit}", "right", two_lines=True), *(Column(header, "right") for header in headers))


def rate_cells(result: Result, unit: str) -> tuple[str, ...]:
    """Return a result's median, interval, best, theory, share of it and number of blocks."""
    summary = summarise(result)
    if summary.median_bytes_per_s is None or summary.best_bytes_per_s is None:
        return (INVALID, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, str(summary.count))
    theory = result.theory_bytes_per_s
    return (
        _marked(summary.median_bytes_per_s, theory, unit),
        rate_interval(summary.ci95, unit),
        _marked(summary.best_bytes_per_s, theory, unit),
        UNKNOWN if theory is None else format_rate(theory, unit),
        _share(summary),
        str(summary.count),
    )


def rate_cell(summary: Summary, unit: str) -> str:
    """Return the median rate, or INVALID where the data was wrong."""
    return INVALID if summary.median_bytes_per_s is None else format_rate(summary.median_bytes_per_s, unit)


def known_rate(bytes_per_s: float | None, unit: str) -> str:
    """Return a rate, or a dash where it is not known."""
    return UNKNOWN if bytes_per_s is None else format_rate(bytes_per_s, unit)


def rate_interval(interval: Interval | None, unit: str) -> str:
    """Return both ends of an interval of rates."""
    return UNKNOWN if interval is None else f"{format_rate(interval.low, unit)}-{format_rate(interval.high, unit)}"


def latency_cells(latency: Latency | None) -> tuple[str, str, str]:
    """Return nanoseconds, cycles and the interval of the nanoseconds."""
    if latency is None:
        return (INVALID, UNKNOWN, UNKNOWN)
    interval = latency.ci95_ns
    ends = UNKNOWN if interval is None else f"{format_ns(interval.low)}-{format_ns(interval.high)}"
    return (format_ns(latency.median_ns), format_cycles(latency.median_cycles), ends)


def format_ns(nanoseconds: float | None) -> str:
    """Return nanoseconds with two decimals: the first cache answers within two of them."""
    return UNKNOWN if nanoseconds is None else f"{nanoseconds:,.2f}"


def format_cycles(cycles: float | None) -> str:
    """Return cycles with one decimal: makers publish whole ones."""
    return UNKNOWN if cycles is None else f"{cycles:,.1f}"


def _share(summary: Summary) -> str:
    if summary.efficiency is None:
        return UNKNOWN
    return INVALID if summary.is_impossible else format_percent(summary.efficiency)


def _marked(rate: float, theory: float | None, unit: str) -> str:
    """Return a rate, marked where it exceeds its theory: it is not to be read as a plain number."""
    return format_rate(rate, unit) + ("!" if theory is not None and rate > theory else "")


# --- what a case is called ------------------------------------------------------------------------------------------


def stores_in_words(case: Case) -> str:
    """Return the kind of store, a dash where the case has none to choose."""
    return str(case.variant.get("stores", UNKNOWN))


def path_of(case: Case) -> str:
    """Return the path, with its ratio where it is one of the mixes."""
    return f"{case.path} {case.variant['mix']}" if "mix" in case.variant else case.path


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
    return str(value) if key == "data" else f"{key.replace('_', ' ')} {value}"


def case_words(case: Case, *left_out: str, threads: bool = True) -> str:
    """Return a case in words, such as `copy, native, streaming stores, 2 threads`; a GPU's has its device's number."""
    parts = [path_of(case), case.engine, *variant_words(case.variant, *left_out)]
    if case.target != HOST and threads:
        return ", ".join([*parts, target_words(case)])
    return ", ".join([*parts, threads_in_words([case.threads])] if threads else parts)


def target_words(case: Case) -> str:
    """Return what a case is about in words: `device 0`, `link of device 0`, `devices 0,1`."""
    kind, _, numbers = case.target.partition(":")
    devices = f"{'devices' if ',' in numbers else 'device'} {numbers}" if numbers else case.target
    return f"link of {devices}" if kind == "pcie" and numbers else devices


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
