"""`bandwidth compare`: records side by side, beside theory, and beside published figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.completion import complete_device
from bandwidth.cli.options import PrintOptions, SpecsOption, with_groups
from bandwidth.cli.output import Output, deliver_page, emit
from bandwidth.cli.specs_option import use_specs
from bandwidth.errors import UsageError

if TYPE_CHECKING:
    from bandwidth.comparison.sides import Side, SideBySide

RECORD_SUFFIX = ".json"


@with_groups
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORD|SPEC",
            autocompletion=complete_device,
            help="Saved records; a SPEC such as H200 adds its peak.",
        ),
    ],
    *,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="RECORD|SPEC",
            autocompletion=complete_device,
            help="Divide the others by this record or SPEC; default: the first.",
        ),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every result and every point of a sweep.")] = False,
    reference_set: Annotated[
        bool, typer.Option("--reference-set", help="Compare with published figures of the same path.")
    ] = False,
    specs_folder: SpecsOption = None,
    printing: PrintOptions,
) -> None:
    """Compare machines: by role first, then all common results.

    Roles are all cores, one core, GPU memory and link.

    bandwidth compare before.json after.json

    bandwidth compare mine.json "EPYC 9755" H200

    bandwidth compare --reference-set mine.json
    """
    from bandwidth.comparison.sides import side_by_side

    options = printing.checked()
    use_specs(specs_folder)
    if reference_set:
        if reference is not None or show_all:
            raise UsageError("--reference-set cannot be combined", "omit --reference and --all")
        _beside_references(sources, options)
    else:
        all_sources, index = _with_reference(sources, reference)
        _refuse_twice(all_sources)
        _print(side_by_side(_columns(all_sources), index), options, with_all=show_all)


def is_record(source: str) -> bool:
    """Return whether a source is a record and no SPEC: it exists as a file, or its name ends in .json."""
    try:
        return source.lower().endswith(RECORD_SUFFIX) or Path(source).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _print(sides: SideBySide, options: Output, *, with_all: bool) -> None:
    """Print a comparison; as HTML it is a page with its figures."""
    from bandwidth.report.comparison.page import comparison_write_up
    from bandwidth.report.comparison.side_by_side import comparison_document
    from bandwidth.report.figures.drawing import can_draw

    if options.format_name == "html":
        deliver_page(comparison_write_up(sides, options.unit, with_all=with_all, figures=can_draw()), options)
        return
    document = comparison_document(sides, options.unit, with_all=with_all, format_name=options.format_name)
    emit(document, options)


def _beside_references(sources: Sequence[str], options: Output) -> None:
    from bandwidth.comparison.sides import placed
    from bandwidth.report.comparison.references import reference_document

    for source in sources:
        if source == "-" or not is_record(source):
            raise UsageError(f"{source[:60]!a} is not a file", "--reference-set takes records")
    _refuse_twice(sources)
    columns = _columns(sources)
    found = [(column, placed(column.record)) for column in columns if column.record is not None]
    emit(reference_document(found, options.unit), options)


def _with_reference(sources: Sequence[str], reference: str | None) -> tuple[list[str], int]:
    """Return all sources and the index of the reference; one that is not among them comes first."""
    if reference is None:
        return list(sources), 0
    keys = [_key(source) for source in sources]
    if _key(reference) in keys:
        return list(sources), keys.index(_key(reference))
    return [reference, *sources], 0


def _refuse_twice(sources: Sequence[str]) -> None:
    seen: set[str] = set()
    for source in sources:
        if _key(source) in seen:
            raise UsageError(f"{source[:60]!a} is named twice", "name it once")
        seen.add(_key(source))


def _key(source: str) -> str:
    """Return what tells sources apart: the file, whatever way leads to it, or the SPEC."""
    if not is_record(source):
        return " ".join(source.split()).lower()
    try:
        return str(Path(source).resolve())
    except (OSError, RuntimeError):  # its links run in a circle: reading it says so
        return source


def _columns(sources: Sequence[str]) -> list[Side]:
    """Return a column for each source, with a short name. Raises BandwidthError for one that cannot be read."""

    from bandwidth.comparison.sides import Side, named, usable
    from bandwidth.results.files import load
    from bandwidth.theory import peaks

    columns: list[Side] = []
    for source in sources:
        if source == "-":
            raise UsageError("a record cannot be read from standard input (-)", "save it and name the file")
        if is_record(source):
            columns.append(Side("", source, record=usable(load(source), source)))
        else:
            found = peaks(source)
            memory = next((peak for peak in found if peak.kind == "memory"), None)
            link = next((peak for peak in found if peak.kind == "link"), None)
            columns.append(Side("", source, memory=memory, link=link))
    return named(columns)
