"""`bandwidth explain`: what a finding means, and the concepts behind the numbers."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bandwidth.cli.options import FormatOption, JsonOption, OutputOption, QuietOption
from bandwidth.cli.output import Output, emit, text_width
from bandwidth.errors import BandwidthError
from bandwidth.units import DEFAULT_RATE_UNIT

if TYPE_CHECKING:
    from bandwidth.findings import Explanation


def explain(
    subject: Annotated[
        list[str] | None,
        typer.Argument(metavar="CODE|TOPIC", help="A code such as BW003, or a topic; none lists all."),
    ] = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Explain findings by their code, and concepts by their name; several at once.

    bandwidth explain BW001

    bandwidth explain write-allocate
    """
    from bandwidth.findings import explanations
    from bandwidth.report.explanation import explanation_document, explanations_document

    options = Output.checked(format_name, as_json, output, DEFAULT_RATE_UNIT, quiet)
    if not subject:
        emit(explanations_document(explanations()), options)
        return
    emit(explanation_document(_entries(subject), text_width(sys.stdout)), options)


def _entries(subjects: list[str]) -> "list[Explanation]":
    """Return the entry that all words together name, else one for each word. Raises BandwidthError for what is none."""
    from bandwidth.findings import explanation

    try:
        return [explanation(" ".join(subjects))]
    except BandwidthError:
        if len(subjects) == 1:
            raise
        return [explanation(subject) for subject in subjects]
