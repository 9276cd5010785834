"""`bandwidth system`: what is in this machine, its theory, and where each fact came from."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bandwidth.cli.machine_options import machine_options
from bandwidth.cli.options import (
    FactsOption,
    FormatOption,
    JsonOption,
    MemoryOption,
    OutputOption,
    QuietOption,
    SocketsOption,
    UnitOption,
    expanded,
)
from bandwidth.cli.output import Output, emit, say
from bandwidth.units import DEFAULT_RATE_UNIT


def system(
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the facts to FILE: saved once as root, they serve everyone by --facts.",
            callback=expanded,
        ),
    ] = None,
    memory: MemoryOption = None,
    sockets: SocketsOption = None,
    facts_path: FactsOption = None,
    format_name: FormatOption = "table",
    as_json: JsonOption = False,
    output: OutputOption = None,
    unit: UnitOption = DEFAULT_RATE_UNIT,
    quiet: QuietOption = False,
) -> None:
    """What is in this machine, what its memory should reach, and where each fact came from.

    bandwidth system

    sudo bandwidth system --save facts.json
    """
    from bandwidth.machine.memory_theory import with_saved_modules
    from bandwidth.machine.probe import collect
    from bandwidth.machine.reader import SystemReader
    from bandwidth.machine.topology import read_topology
    from bandwidth.measuring.memory_theory import host_theory, platform_peak
    from bandwidth.report.system import system_document, system_json
    from bandwidth.text_files import check_writable, write_atomically

    options = Output.checked(format_name, as_json, output, unit, quiet)
    if save is not None:
        check_writable(save)
    asked = machine_options(memory, sockets, facts_path)
    reader = SystemReader()
    facts = collect(reader)
    if asked.saved_facts is not None:
        facts = with_saved_modules(facts, asked.saved_facts)
    theory = host_theory(asked, facts, read_topology(reader))
    platform = platform_peak(facts)
    if save is not None:
        write_atomically(save, json.dumps(system_json(facts, theory, platform), indent=1, allow_nan=False) + "\n")
        if not options.quiet:
            say(f"bandwidth: the facts are saved in {save}; give them by --facts {save}")
    emit(system_document(facts, theory, options.unit, platform), options)
