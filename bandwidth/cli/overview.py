"""`bandwidth` alone: this machine's theory in three lines, and the commands to go on with."""

from __future__ import annotations


def overview(unit: str, width: int) -> str:
    """Return the machine, what its memory should reach or the lowest ceiling of all its cores, and what to type next.

    What keeps a machine from being read costs its line, not the help below it.
    """
    from bandwidth.ceilings.memory import GivenMemory, host_theory
    from bandwidth.ceilings.of_machine import machine_ceilings
    from bandwidth.machine.probe import collect
    from bandwidth.machine.reader import SystemReader
    from bandwidth.machine.topology import read_topology
    from bandwidth.report.formats import wrapped
    from bandwidth.report.screen.machine_line import memory_words, processor_words
    from bandwidth.units import format_rate
    from bandwidth.vocabulary import LOW, ceiling_words

    reader = SystemReader()
    facts, topology = collect(reader), read_topology(reader)
    theory = host_theory(GivenMemory(), facts, topology.sockets)
    machine = facts.to_json()
    lines = [", ".join([processor_words(machine), *memory_words(machine)])]
    ceilings = [one.ceiling for one in machine_ceilings(facts, topology, theory) if one.ceiling.confidence != LOW]
    if theory.peak is not None:
        lines.append(f"Theory: {theory.peak.short_working}, from {theory.source}")
    elif ceilings:
        rate = f"{format_rate(ceilings[0].bytes_per_s, unit)} {unit}"
        lines.append(f"At most {rate}, by {ceiling_words(ceilings[0].kind)[1]}; the memory modules cannot be read")
    else:
        lines.append(f"Theory: unknown: {theory.reason}; {theory.hint}")
    lines.append("Next: bandwidth measure, bandwidth system, bandwidth theory SPEC")
    return wrapped("\n".join(lines), width)
