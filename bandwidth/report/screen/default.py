"""What `measure` prints: the answer first, then why it is not more, one table by role, quality, and where to go on."""

from __future__ import annotations

from collections.abc import Sequence

from bandwidth.analysis.comparable import disturbance_of, is_wide, why_not_comparable
from bandwidth.errors import BandwidthError
from bandwidth.findings.rules import TO_DO
from bandwidth.offload.answer import answer
from bandwidth.offload.figures import Asked, Source
from bandwidth.offload.model import Workload
from bandwidth.offload.sources import find_figures
from bandwidth.report.document import Column, Document, Table
from bandwidth.report.formats import DEFAULT_WIDTH, render, wrapped
from bandwidth.report.labels import INVALID, Line, ceiling_short, rate_cell, runs_words
from bandwidth.report.left_out import left_out
from bandwidth.report.measurement import measurement_document
from bandwidth.report.offload import conclusion
from bandwidth.report.screen.further import further
from bandwidth.report.screen.machine_line import machine_lines
from bandwidth.report.screen.roles import (
    Headline,
    Role,
    gpu_headlines,
    host_headlines,
    paths_of,
    roles,
    share_words,
)
from bandwidth.report.screen.why import lines_of
from bandwidth.report.views.gpus import link_states
from bandwidth.report.views.shown import Shown
from bandwidth.report.views.sweeps import knees
from bandwidth.results import Ceiling, Examination, Record, Result, rates_bytes_per_s, summarise
from bandwidth.units import DEFAULT_RATE_UNIT, format_decimal_size, format_percent, format_rate
from bandwidth.vocabulary import ceiling_words

# A screen, and so many rows of the table: the rest is a number, and there with --all.
MOST_LINES = 40
MOST_ROLES = 8
# What follows from the noise that the first line names: it is not said again.
_OF_NOISE = frozenset({"BW003", "BW004", "BW008", "BW009", "BW012"})
_STUDIES = ("sweep", "latency", "numa", "mixes", "zeros")
_SHARES = "Ceiling, share: of the rate nearest to its ceiling (explain ceiling)."
# What a user is sent to, the most useful first.
_MORE = "More: --all (every case)  --latency  --sweep size  --save run.json"
_STEADY = "What to do: stop other work (see `top`), or use --budget 60s. Every case and finding: --all"
# The plainest question of whether a GPU pays: once over the data, and from how many passes on a gigabyte does.
_SIZE_BYTES = 10**9


def screen_document(
    record: Record, examination: Examination, unit: str = DEFAULT_RATE_UNIT, *, is_quiet: bool = False
) -> Document:
    """Return the default screen of a record; JSON and CSV are those of `measurement_document`.

    `is_quiet`: the result alone, without findings and what to do next.
    """
    whole = measurement_document(record, examination, unit)
    shown = Shown(record, unit)
    found, lines = roles(shown), [] if is_quiet else lines_of(record, examination)
    start: list[Table | str]
    title = "Why not more"
    if not found or _is_study(shown):  # its own tables are the answer
        answer_lines = ["\n".join(knees(shown))] if shown.thread_curves else []
        blocks = [*answer_lines, *whole.blocks, *_why(lines, MOST_LINES, "Findings")]
        return Document(tuple(blocks), whole.data, whole.records)
    told = [_quality(shown), *left_out(record), *record.notes]
    if doubt := _unreliable(record, examination):
        start, table, told = [doubt, *machine_lines(record)], _ranges(shown, found), [*told, _STEADY]
        lines, title = [line for line in lines if line.mark == TO_DO and line.code not in _OF_NOISE], "What was seen"
    else:
        shares = [_SHARES] if any(role.nearest is not None for role in found) else []
        start, table, told = [*machine_lines(record), *_answer(shown)], _by_role(shown, found), [*shares, *told, _MORE]
    end: list[Table | str] = [table, *([] if doubt else further(shown)), "\n".join(told[:-1] if is_quiet else told)]
    taken = render(Document((*start, *end), {}, ()), "table").count("\n")
    blocks = [*start, *_why(lines, MOST_LINES - taken - 1, title), *end]
    return Document(tuple(block for block in blocks if block), whole.data, whole.records)


def _is_study(shown: Shown) -> bool:
    """Return whether a study was asked for, which has tables of its own; of older records, by what there is."""
    if options := shown.record.options:
        if options.get("full"):
            return False
        return any(options.get(name) for name in _STUDIES)
    curves = (shown.thread_curves, shown.size_curves, shown.load_curves, shown.node_matrices)
    others = shown.zeros_pairs or any("mix" in one.case.variant or one.case.is_latency for one in shown.results)
    return any(curves) or bool(others)


# --- the answer -----------------------------------------------------------------------------------------------------


def _answer(shown: Shown) -> list[Table | str]:
    """Return the headline with its theory, and where there is a GPU from when on it pays."""
    host, gpus = host_headlines(shown), gpu_headlines(shown)
    if gpus:
        told = [_theory(shown, host), *link_states(shown), _several(shown.record), _break_even(shown.record)]
        return [_peaks_table([*host, *gpus], shown.unit), "\n".join(filter(None, told))]
    return [_bars(shown, host), _theory(shown, host)] if host else []


def _bars(shown: Shown, lines: Sequence[Headline]) -> Table:
    """Return the headline of the host with a bar to each line, the peak or the lowest ceiling above them."""
    unit, record = shown.unit, shown.record
    peak = record.memory.get("bytes_per_s")
    ceiling = lines[0].result.binding
    with_normal = any(line.normal for line in lines)
    of = "of peak" if peak is not None else "of ceiling"
    top = ("theory", float(peak)) if peak is not None else _ceiling_row(ceiling)
    rows, bars = [], []
    if top is not None:
        rows.append((top[0], format_rate(top[1], unit), "100 %", *([""] if with_normal else [])))
        bars.append(top[1])
    for line in lines:
        summary = summarise(line.result)
        rate = summary.median_bytes_per_s
        share = None if rate is None or top is None else summary.efficiency or rate / top[1]
        words = INVALID if summary.is_impossible else share_words(share)
        rows.append((line.words, rate_cell(summary, unit), words, *([line.normal] if with_normal else [])))
        bars.append(rate or 0.0)
    columns = [Column("Memory bandwidth"), Column(unit, "right"), Column(of if top is not None else "", "right")]
    columns += [Column("normal", "right")] if with_normal else []
    return Table(tuple(columns), tuple(rows), bars=tuple(bars))


def _ceiling_row(ceiling: Ceiling | None) -> tuple[str, float] | None:
    return None if ceiling is None else (f"ceiling ({ceiling_short(ceiling)})", ceiling.bytes_per_s)


def _peaks_table(lines: Sequence[Headline], unit: str) -> Table:
    """Return the headline of a machine with GPUs: every memory and link with its ceiling, rate, share and normal."""
    columns = (
        Column("Bandwidth"),
        *(Column(head, "right") for head in (f"peak {unit}", "measured", "share", "normal")),
    )
    rows = []
    for line in lines:
        result, summary = line.result, summarise(line.result)
        peak = result.theory_bytes_per_s or (None if result.binding is None else result.binding.bytes_per_s)
        rate = summary.median_bytes_per_s
        share = INVALID if summary.is_impossible else share_words(None if not peak or rate is None else rate / peak)
        peak_text = "" if peak is None else format_rate(peak, unit)
        words = line.words.replace("measured", "CPU memory")
        rows.append((words, peak_text, rate_cell(summary, unit), share, line.normal))
    return Table(columns, tuple(rows))


def _theory(shown: Shown, lines: Sequence[Headline]) -> str:
    """Return how the peak is worked out and from where; without one, the lowest ceiling and why there is no peak."""
    memory, unit = shown.record.memory, shown.unit
    if memory.get("bytes_per_s") is not None:
        working = str(memory.get("short_working") or f"{format_rate(memory['bytes_per_s'], unit)} {unit}")
        return f"Theory: {working}, from {memory.get('source', 'the record')}"
    if not lines:
        return ""
    ceiling = lines[0].result.binding
    if ceiling is None:
        return "Theory: unknown, and no ceiling of this processor is known."
    mark = "" if ceiling.confidence == "high" else f" ({ceiling.confidence} confidence)"
    return f"Ceiling: {ceiling_words(ceiling.kind)[1]}: {ceiling.working}{mark}"


def _several(record: Record) -> str:
    used = {number for result in record.results for number in result.case.devices}
    return f"{len(used)} GPUs: the slowest is shown." if len(used) > 1 else ""


def _break_even(record: Record) -> str:
    """Return in a sentence from how many passes over a gigabyte the GPU is faster, as `offload` works it out."""
    try:
        figures = find_figures(Asked(sources=(Source("this run", record, "measured"),)))
    except BandwidthError:
        return ""
    whole = answer(figures, Workload(), [_SIZE_BYTES], [1])
    if figures.shared:
        return f"{conclusion(whole).removesuffix('.')} (bandwidth offload)."
    found = whole.by_size[0]
    if found.break_even_passes is None:
        return "At these rates, moving data to the GPU never pays (explain offload)."
    passes = "1 pass" if found.break_even_passes == 1 else f"{found.break_even_passes:,} passes"
    size = format_decimal_size(found.size_bytes)
    return f"The GPU is faster from {passes} over {size}, transfer included (explain offload)."


# --- why not more ---------------------------------------------------------------------------------------------------


def _why(lines: Sequence[Line], room: int, title: str) -> list[str]:
    """Return the findings that fit in so many lines of 80 columns, one at least, and the number of the others."""
    if not lines:
        return []
    kept, left = [title], room - 1
    for line in lines:
        left -= wrapped(str(line), DEFAULT_WIDTH).count("\n") + 1
        if left < (0 if line is lines[-1] else 1) and len(kept) > 1:
            break
        kept.append(str(line))
    more = len(lines) - len(kept) + 1
    kept += [f"  {more} more {'finding' if more == 1 else 'findings'}: --all"] if more else []
    return ["\n".join(kept)]


# --- the table ------------------------------------------------------------------------------------------------------


def _by_role(shown: Shown, found: Sequence[Role]) -> Table:
    """Return the rates by role; beside each row what the figure nearest to its ceiling has as that, and its share."""
    unit, paths = shown.unit, paths_of(found)
    kept = found[:MOST_ROLES]
    with_ceilings = any(role.nearest is not None for role in kept)
    columns = [Column(unit), *(Column(path, "right") for path in paths)]
    if with_ceilings:
        columns += [Column("ceiling", "right", spare=2), Column("of", spare=1), Column("share", "right")]
    rows = []
    for role in kept:
        cells = [_cell(role.results[path], unit) if path in role.results else "" for path in paths]
        rows.append((role.words, *cells, *(_nearest(role, unit) if with_ceilings else ())))
    return Table(tuple(columns), tuple(rows))


def _cell(result: Result, unit: str) -> str:
    """Return a rate, from a thousand on without decimals: the table is narrow."""
    text = rate_cell(summarise(result), unit)
    return text.partition(".")[0] if "," in text else text


def _nearest(role: Role, unit: str) -> tuple[str, str, str]:
    """Return the ceiling of the figure that is nearest to its own, the kind in a few letters, and the share."""
    result = role.nearest
    if result is None or result.binding is None:
        return ("", "", "")
    summary = summarise(result)
    share = INVALID if summary.is_impossible else share_words(summary.share)
    return (format_rate(result.binding.bytes_per_s, unit), ceiling_short(result.binding), share)


# --- how good it is -------------------------------------------------------------------------------------------------


def _unreliable(record: Record, examination: Examination) -> str:
    """Return the first line of a run that nothing is concluded from, empty for one that is sound."""
    rated = [one for one in record.results if one.samples.seconds and "sweep_point" not in one.case.variant]
    reasons = [why_not_comparable(record, one) for one in rated]
    if not rated or (not all(reasons) and "BW046" not in examination.codes()):
        return ""
    busy = next((str(found) for one in rated if (found := disturbance_of(record, one)) is not None), "")
    few = sum("blocks that an interval" in reason for reason in reasons)
    wide = sum(is_wide(summarise(one)) for one in rated)
    if busy:
        why = f"the machine was busy: {busy} (BW004)"
    elif wide:
        why = f"{wide} of {len(rated)} cases vary by more than 5 % (BW003)"
    else:
        why = f"{few} of {len(rated)} cases have too few blocks for an interval (BW008)"
    return f"UNRELIABLE: {why}. No conclusions."


def _ranges(shown: Shown, found: Sequence[Role]) -> Table:
    """Return the lowest and the highest rate of each role and path: all that an unreliable run can say."""
    paths, unit = paths_of(found), shown.unit
    columns = [Column(f"{unit}, from to"), *(Column(path, "right", spare=at) for at, path in enumerate(paths))]
    rows = []
    for role in found[:MOST_ROLES]:
        cells = [_range(role.results[path], unit) if path in role.results else "" for path in paths]
        rows.append((role.words, *cells))
    return Table(tuple(columns), tuple(rows))


def _range(result: Result, unit: str) -> str:
    rates = rates_bytes_per_s(result) if result.is_verified else ()
    if not rates or summarise(result).is_impossible:
        return INVALID
    low, high = format_rate(min(rates), unit), format_rate(max(rates), unit)
    return low if low == high else f"{low}-{high}"


def _quality(shown: Shown) -> str:
    """Return how many cases there were, how long each was measured, and how far their intervals reach."""
    own = [one for one in shown.own if "sweep_point" not in one.case.variant]
    counts = [len(one.samples.seconds) for one in own]
    summaries = [summarise(one) for one in own]
    doubted = [one for one in own if why_not_comparable(shown.record, one)]
    verdict = "good" if not doubted else "poor" if len(doubted) == len(own) else "fair"
    ends = "1 block" if max(counts) == 1 else f"{max(counts)} blocks"
    blocks = ends if min(counts) == max(counts) else f"{min(counts)} to {ends}"
    verified = "verified" if all(one.is_verified for one in own) else "INVALID: some data was wrong (BW006)"
    reaches = [one.half_width for one in summaries if one.half_width is not None]
    interval = f", intervals within {format_percent(max(reaches))}" if reaches else ""
    if runs := runs_words(own):
        known = [one.reach for one in summaries if one.reach is not None and one.reported_is_of_runs]
        interval += f", from run to run {format_percent(max(known))} ({runs})"
    cases = "1 case" if len(own) == 1 else f"{len(own)} cases"
    each = " each" if len(own) > 1 else ""
    doubt = f" {len(doubted)} cannot be compared." if doubted and len(doubted) < len(own) else ""
    return f"Quality: {verdict}. {cases}, {blocks}{each}, {verified}{interval}.{doubt}"
