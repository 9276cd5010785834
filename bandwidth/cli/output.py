"""How every command prints: what the shared options say, checked, and where the text goes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bandwidth.cli.printing import print_text, say
from bandwidth.cli.terminal import shows_blocks, text_width
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.plain_text import visible
from bandwidth.report.formats import FORMATS
from bandwidth.units import DEFAULT_RATE_UNIT, canonical_rate_unit

if TYPE_CHECKING:
    from bandwidth.report import Document


@dataclass(frozen=True)
class Output:
    """The shared options, checked. Raises BandwidthError for an unknown format or unit, or options that clash."""

    format_name: str = "table"
    path: Path | None = None
    unit: str = DEFAULT_RATE_UNIT
    quiet: bool = False

    @staticmethod
    def checked(format_name: str, as_json: bool, path: Path | None, unit: str, quiet: bool) -> Output:
        """Return the options as given on the command line, or raise UsageError."""
        name = format_name.lower()
        if name not in FORMATS:
            raise UsageError(f"--format {format_name!a} is not known", f"choose from {', '.join(FORMATS)}")
        if as_json and name not in ("table", "json"):
            raise UsageError(f"--json and --format {name} do not go together", "give one of the two")
        try:
            known_unit = canonical_rate_unit(unit)
        except BandwidthError as error:
            raise UsageError(f"--unit {error.message}", error.hint) from error
        return Output("json" if as_json else name, path, known_unit, quiet)


def emit(document: Document, output: Output, *, is_measured: bool = False) -> None:
    """Print a document, or write it to the file asked for; one that `is_measured` goes elsewhere where that fails.

    Raises UsageError where the file cannot be written, which then says where the document went.
    """
    from dataclasses import replace

    from bandwidth.report import render

    if output.quiet:
        document = replace(document, remarks=())
    # Files are UTF-8, whatever the terminal shows.
    blocks = output.path is not None or shows_blocks(sys.stdout)
    text = render(document, output.format_name, text_width(sys.stdout), blocks=blocks)
    remarks = document.remarks if output.format_name == "csv" else ()
    try:
        deliver(text, output, is_measured=is_measured)
    except BandwidthError:
        say(*(remarks if is_measured else ()))  # they stand nowhere else
        raise
    say(*remarks)


def deliver(text: str, output: Output, *, is_measured: bool = False) -> None:
    """Print a finished text, or write it to the file asked for. Raises as `emit` does."""
    text = visible(text)
    try:
        if output.path is None:
            print_text(text)
        else:
            from bandwidth.text_files import write_atomically

            write_atomically(output.path, text)
    except BandwidthError as error:
        if not is_measured:
            raise
        from bandwidth.cli.keeping import kept_elsewhere

        raise kept_elsewhere(text, error, is_printed=output.path is None) from error
