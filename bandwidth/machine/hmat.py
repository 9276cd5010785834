"""What the firmware promises of each NUMA node's bandwidth: ACPI's HMAT, as the kernel shows it (numaperf.rst)."""

from __future__ import annotations

import re

from bandwidth.machine.facts import Fact, Json, known
from bandwidth.machine.reader import Reader, read_integer

_NODE_FOLDER = "/sys/devices/system/node"
_INITIATORS = "access0/initiators"  # as the best placed processor or other initiator sees the node
_MOST_MB_S = 1_000_000_000  # the table's entry times its base unit may be anything; a petabyte a second is noise


def hmat_facts(reader: Reader) -> dict[str, Fact]:
    """Return `numa_node_read_bandwidth_mb_s` and `numa_node_write_bandwidth_mb_s`: the MB/s of each node by number.

    The figures are the firmware's and nobody has measured them. A node without a figure is left out; most
    machines have none at all.
    """
    return {
        name: fact
        for direction in ("read", "write")
        for name, fact in _direction(reader, f"{direction}_bandwidth").items()
    }


def _direction(reader: Reader, name: str) -> dict[str, Fact]:
    nodes = sorted(
        int(node[4:]) for node in reader.names(_NODE_FOLDER) if re.fullmatch(r"node[0-9]{1,6}", node, re.ASCII)
    )
    read = {str(node): read_integer(reader, f"{_NODE_FOLDER}/node{node}/{_INITIATORS}/{name}") for node in nodes}
    figures: dict[str, Json] = {node: mb_s for node, mb_s in read.items() if mb_s and 0 < mb_s <= _MOST_MB_S}
    return known(f"numa_node_{name}_mb_s", figures or None, f"{_NODE_FOLDER}/node*/{_INITIATORS}/{name} (firmware's)")
