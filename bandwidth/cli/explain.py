"""`bandwidth explain`: what a finding means, and the concepts behind the numbers."""

import sys
from typing import Annotated

import typer

from bandwidth.cli.completion import complete_explained
from bandwidth.cli.options import FormatOption, JsonOption, OutputOption, QuietOption
from bandwidth.cli.output import Output, emit, text_width
from bandwidth.units import DEFAULT_RATE_UNIT


def explain(
    subject: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE|TOPIC",
            autocompletion=complete_explained,
            help="Codes such as BW003, or topics; none lists all.",
        ),
    ] = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    quiet: QuietOption = False,
) -> None:
    """Explain findings by code, and concepts by name; several at once.

    bandwidth explain BW001

    bandwidth explain write-allocate

    bandwidth explain xmp vm
    """
    from bandwidth.findings import explanations, explanations_of
    from bandwidth.report.explanation import explanation_document, explanations_document

    options = Output.checked(format_name, as_json, output, DEFAULT_RATE_UNIT, quiet)
    if not subject:
        emit(explanations_document(explanations()), options)
        return
    emit(explanation_document(explanations_of(subject), text_width(sys.stdout)), options)
