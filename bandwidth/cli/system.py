"""`bandwidth system`: what is in this machine, its theory, and where each fact came from."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bandwidth.cli.options import MachineOptions, PrintOptions, expanded, with_groups
from bandwidth.cli.output import Output, emit, say
from bandwidth.errors import UsageError

if TYPE_CHECKING:
    from bandwidth.ceilings.memory import HostTheory
    from bandwidth.machine.facts import Facts
    from bandwidth.machine.topology import Topology
    from bandwidth.planning.options import MeasureOptions


@with_groups
def system(
    *,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Save the facts to FILE. Run once as root; others then use --facts FILE.",
            callback=expanded,
        ),
    ] = None,
    dmi: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Show another machine, from the output of dmidecode or the file of dmidecode --dump-bin; - is a pipe.",
        ),
    ] = None,
    cpuinfo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The other machine's /proc/cpuinfo, or the output of its lscpu."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Show every fact with its source, and the ceilings of writes.")
    ] = False,
    machine: MachineOptions,
    printing: PrintOptions,
) -> None:
    """Show the memory, the peak, the ceilings and the GPUs of this machine.

    bandwidth system

    sudo bandwidth system --save facts.json

    ssh node7 sudo dmidecode | bandwidth system --dmi -
    """
    from bandwidth.ceilings.memory import host_theory
    from bandwidth.ceilings.of_machine import machine_ceilings
    from bandwidth.ceilings.platform import platform_peak
    from bandwidth.report.system.facts import system_document, system_json
    from bandwidth.text_files import check_writable

    options = printing.checked()
    if save is not None:
        check_writable(save)
    asked = machine.options()
    if dmi is None and cpuinfo is None:
        facts, topology = _this_machine(asked)
        theory = host_theory(asked.given_memory, facts, topology.sockets)
        ceilings = machine_ceilings(facts, topology, theory)
    else:
        facts, sockets_found = _other_machine(dmi, cpuinfo, asked)
        # BANDWIDTH_MEMORY speaks of this machine; the number of sockets stands among the facts.
        asked = replace(asked, memory=machine.memory, sockets=None)
        ceilings = ()
        theory = _with_its_hint(host_theory(asked.given_memory, facts, sockets_found), facts)
    platform = platform_peak(facts)
    if save is not None:
        _save_facts(save, system_json(facts, theory, platform, ceilings), options)
    document = system_document(facts, theory, options.unit, platform, ceilings, every=every, is_quiet=options.quiet)
    emit(document, options)


def _save_facts(path: Path, facts: dict[str, Any], options: Output) -> None:
    """Write the facts to a file, and say how they are given again."""
    from bandwidth.text_files import write_atomically

    write_atomically(path, json.dumps(facts, indent=1, allow_nan=False) + "\n")
    if not options.quiet:
        say(f"bandwidth: facts saved in {path}; use them with --facts {path}")


def _this_machine(asked: "MeasureOptions") -> "tuple[Facts, Topology]":
    """Return the facts of this machine and its layout."""
    from bandwidth.ceilings.memory import with_saved_modules
    from bandwidth.engines.registry import device_facts
    from bandwidth.machine.facts import Facts
    from bandwidth.machine.probe import collect
    from bandwidth.machine.reader import SystemReader
    from bandwidth.machine.topology import read_topology

    reader = SystemReader()
    facts = Facts({**collect(reader), **device_facts()})
    if asked.saved_facts is not None:
        facts = with_saved_modules(facts, asked.saved_facts)
    return facts, read_topology(reader)


def _other_machine(dmi: Path | None, cpuinfo: Path | None, asked: "MeasureOptions") -> "tuple[Facts, int]":
    """Return the facts of the machine that the files are of. Raises BandwidthError where they are something else."""
    from bandwidth.machine.dmi.facts import CPUINFO_HINT, facts_of_content
    from bandwidth.machine.dmi.file import HINT, STANDARD_INPUT, read_content

    if dmi is None:
        raise UsageError("--cpuinfo needs --dmi", "add --dmi FILE with the output of that machine's dmidecode")
    if asked.saved_facts is not None:
        raise UsageError("--facts and --dmi both describe a machine", "use one of the two")
    if str(dmi) == STANDARD_INPUT == str(cpuinfo):
        raise UsageError("--dmi and --cpuinfo cannot both be standard input", "name a file for one of them")
    name = "standard input" if str(dmi) == STANDARD_INPUT else str(dmi)
    content = read_content(dmi, "the output of dmidecode", HINT)
    kernel = None if cpuinfo is None else read_content(cpuinfo, "the contents of /proc/cpuinfo", CPUINFO_HINT)
    facts = facts_of_content(content, name, kernel, str(cpuinfo), asked.sockets)
    return facts, facts.integer("sockets") or 1


def _with_its_hint(theory: "HostTheory", facts: "Facts") -> "HostTheory":
    """Return the theory with a hint that helps with another machine: nothing can be read there as root from here."""
    if theory.peak is not None:
        return theory
    name = "" if "cpu_model" in facts else "add its /proc/cpuinfo (--cpuinfo FILE), or "
    name = name if "sockets" in facts or "cpu_model" not in facts else "add its number of sockets (--sockets N), or "
    at_hand = theory.hint if "--facts" not in theory.hint else 'use --memory "DDR5-4800 x12"'
    return replace(theory, hint=f"{name}{at_hand.replace(' or BANDWIDTH_MEMORY', '')}")
