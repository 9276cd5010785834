"""`bandwidth report`: a complete write-up of one or several records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import offering
from bandwidth.cli.options import PRINTED, QuietOption, UnitOption, option_value, with_groups
from bandwidth.cli.output import Output, deliver, say
from bandwidth.errors import UsageError
from bandwidth.units import DEFAULT_RATE_UNIT, parse_flops

if TYPE_CHECKING:
    from bandwidth.report.write_up.content import Form, Section, WriteUp
    from bandwidth.results import Record


def _forms() -> Iterable[str]:
    from bandwidth.report.write_up.files import FORMS

    return FORMS


@dataclass(frozen=True)
class FormOptions:
    """How a write-up is written."""

    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            autocompletion=offering(_forms),
            help="html, markdown or latex; default: by the suffix of PATH. Without -o to standard output.",
            rich_help_panel=PRINTED,
        ),
    ] = None
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also write each figure to DIR, as SVG, PNG and PDF.", rich_help_panel=PRINTED
        ),
    ] = None
    siunitx: Annotated[
        bool, typer.Option("--siunitx", help="LaTeX: number columns with siunitx.", rich_help_panel=PRINTED)
    ] = False
    two_columns: Annotated[
        bool,
        typer.Option("--two-columns", help="LaTeX: two-column layout; tables span both.", rich_help_panel=PRINTED),
    ] = False


@with_groups
def report(
    records: Annotated[
        list[Path], typer.Argument(metavar="RECORD", help="Records saved by `bandwidth measure --save`.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Write to PATH: .html, .md or .tex.", rich_help_panel=PRINTED
        ),
    ] = None,
    *,
    form: FormOptions,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Remove host names, users, serial numbers and paths.")
    ] = False,
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Compare the records first: a summary, and figures with one line per machine."),
    ] = False,
    flops: Annotated[
        str | None, typer.Option(metavar="FLOP/S", help="Peak arithmetic rate, such as 500GFLOP/s: adds a roofline.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the report.")] = "",
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """Write a report of records, in HTML, Markdown or LaTeX.

    It has a headline, figures, findings, tables, and the origin of the numbers.

    bandwidth report run.json -o run.html

    bandwidth report laptop.json server.json -o both.html --overlay

    bandwidth report one-thread.json all-threads.json sweep.json -o article.tex --anonymise
    """
    from bandwidth.comparison.sides import usable
    from bandwidth.report.figures.drawing import MISSING, can_draw
    from bandwidth.report.write_up.anonymise import anonymised
    from bandwidth.report.write_up.content import make_write_up
    from bandwidth.results.files import load

    written_as = _format(form.format_name, output)
    chosen = _form(written_as, siunitx=form.siunitx, two_columns=form.two_columns)
    options = Output.checked(written_as, False, output, unit, quiet)
    peak = None if flops is None else option_value("--flops", flops, parse_flops)
    if form.figures is not None and not can_draw():
        raise UsageError("--figures needs matplotlib, which is not installed", "pip install 'membandwidth[plot]'")
    _refuse_overwriting(records, output)
    loaded = [usable(load(path), str(path)) for path in records]
    shown = [anonymised(record) for record in loaded] if anonymise else loaded
    opening = _overlaid(records, shown, options.unit, is_anonymous=anonymise) if overlay else ()
    write_up = make_write_up(shown, options.unit, flops=peak, title=title, figures=can_draw(), opening=opening)
    _write(write_up, chosen, options, form.figures)
    if not can_draw() and not quiet:
        say(f"bandwidth: {MISSING}")


def _format(name: str | None, output: Path | None) -> str:
    """Return the format by its name, else by the path's end. Raises UsageError where neither tells."""
    from bandwidth.report.write_up.files import FORMS

    known = ", ".join(FORMS)
    if name is not None:
        if name.lower() not in FORMS:
            raise UsageError(f"--format {name!a} is not a format of reports", f"choose from {known}")
        return name.lower()
    if output is None:
        raise UsageError("a report needs an output", f"use -o PATH, or --format {known} for standard output")
    for format_name, form in FORMS.items():
        if output.suffix.lower() in form.suffixes:
            return format_name
    *others, last = (form.suffixes[0] for form in FORMS.values())
    ends = f"{', '.join(others)} or {last}"
    raise UsageError(f"-o {str(output)!a} does not end in {ends}", f"or use --format {known}")


def _form(format_name: str, *, siunitx: bool, two_columns: bool) -> "Form":
    """Return the form of the document. Raises UsageError where LaTeX's options are asked of another."""
    from bandwidth.report.write_up.files import FORMS
    from bandwidth.report.write_up.latex import Look, form_of

    if not siunitx and not two_columns:
        return FORMS[format_name]
    if format_name != "latex":
        raise UsageError("--siunitx and --two-columns need LaTeX", "write to a .tex file, or use --format latex")
    return form_of(Look(siunitx, two_columns))


def _overlaid(
    paths: list[Path], records: Sequence["Record"], unit: str, *, is_anonymous: bool
) -> "tuple[Section, ...]":
    """Return the sections that compare the records, which have the names of their hosts or files, or numbers."""
    from bandwidth.comparison.sides import Side, named, side_by_side
    from bandwidth.report.comparison.page import opening_sections
    from bandwidth.report.figures.drawing import can_draw

    if len(records) < 2:
        raise UsageError("--overlay needs at least two records", "name another record, or omit --overlay")
    sources = [f"record-{number}" if is_anonymous else str(path) for number, path in enumerate(paths, start=1)]
    columns = named([Side("", source, record) for source, record in zip(sources, records, strict=True)])
    return opening_sections(side_by_side(columns), unit, figures=can_draw())


def _refuse_overwriting(records: list[Path], output: Path | None) -> None:
    """Raise UsageError where the write-up would replace one of its records."""
    if output is not None and output.exists() and any(path.exists() and path.samefile(output) for path in records):
        raise UsageError(f"-o {str(output)!a} is one of the records", "name another file")


def _write(write_up: "WriteUp", form: "Form", options: Output, figures: Path | None) -> None:
    """Write the files, or to standard output or a device the document alone."""
    from bandwidth.report.write_up.files import text_alone, write_figures, write_files
    from bandwidth.streams import is_stream

    path = options.path
    if path is not None and not is_stream(path):
        write_files(write_up, form, path, figures)
        return
    if figures is not None:
        write_figures(write_up.figures, figures)
    deliver(text_alone(write_up, form), options)
