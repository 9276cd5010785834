"""Measured rates of a cloud's machines against the lowest ceiling that is named from what they show.

The set is CC BY-SA 4.0 (SpareCores/sc-inspector-data) and not part of a checkout.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from ceiling_hosts import KIB, MIB, case_on, facts_of_host, host_of, layout, theory_of

from bandwidth.ceilings.of_results import ceilings_of

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the set of clouds' machines is not beside this checkout")
PARTS = {"Neoverse-N1": 0xD0C, "Neoverse-V1": 0xD40, "Neoverse-V2": 0xD4F, "Neoverse-V3": 0xD84, "Cortex-A72": 0xD08}
# L3 caches of a socket, one a chiplet, where AMD's pages settle them: the set does not have them.
CHIPLETS = {"7443P": 4, "9254": 4, "9255": 4, "9354P": 8, "9354": 8, "4345P": 1, "4245P": 1, "9R14": 12, "9R45": 12}
# Virtual machines that read more than one socket's memory gives: they show one socket and have the memory of two.
OF_HIDDEN_SOCKETS = {
    "c3.4xlarge", "c4.4xlarge", "m4.4xlarge", "r3.4xlarge", "Standard_D96ads_v5", "Standard_E96ads_v5",
    "64xCPU-384GB", "HIMEM-24xCPU-512GB", "ecs.gn6i-c24g1.24xlarge", "Standard_D48s_v3",
}  # fmt: skip
# The memory of an E7 is buffered: behind the four links that its row has stand eight channels.
OF_BUFFERED_MEMORY = {"x1.16xlarge", "x1.32xlarge", "x1e.8xlarge"}


def read_set(name):
    with (SHARED / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def facts_of(row, **others):
    part, numbers = PARTS.get(row["cpu"]), row["cpu_family_model"].split()
    named = {"system_vendor": row["sys_vendor"], "product_name": row["product_name"], **others}
    if part is not None:
        return facts_of_host("ARM", None, part, f"ARM {row['cpu']}", **named)
    vendor = "AuthenticAMD" if "AMD" in row["cpu"] else "GenuineIntel"
    return facts_of_host(vendor, int(numbers[0]), int(numbers[-1]), row["cpu"], **named)


def ceilings(row, host, memory=None):
    case = case_on(host, "read", host.topology.cpus_allowed)
    found = ceilings_of(case, host.facts, host.catalog, host.topology, theory_of(host, memory))
    return [ceiling for ceiling in found if ceiling.confidence != "low"]


def layout_of(row, cores):
    sockets = int(row["sockets"] or 1)
    chiplets = next((count for name, count in CHIPLETS.items() if name in row["cpu"]), 0)
    a_socket = max(cores // sockets, 1)
    each = max(a_socket // chiplets, 1) if chiplets else a_socket
    sizes = (32 * KIB, MIB, 32 * MIB) if chiplets else (32 * KIB, MIB)
    return layout(sockets=sockets, cores=each * max(chiplets, 1), l3_cores=each, sizes=sizes)


def test_no_bare_machine_reads_more_than_its_lowest_ceiling():
    kinds, over = Counter(), []
    for row in read_set("cloud_metal.csv"):
        rate = int(row["dmi_configured_MTs"])
        host = host_of(layout_of(row, int(row["vcpus"]) // 2), facts_of(row, memory_configured_mt_s=rate))
        channels = round(float(row["theory_GBs"]) * 1e3 / rate / 8 / host.topology.sockets)
        known = ceilings(row, host, f"{row['memory_type']}-{rate} x{channels}")
        kinds[known[0].kind] += 1
        over += [row["instance"]] if float(row["read_GBs_bw_mem"]) * 1e9 > known[0].bytes_per_s else []
    assert over == []
    # Two have one chiplet, whose link is slower than their memory.
    assert kinds == {"memory": 123, "fabric": 2}


def test_no_bare_machine_reads_more_than_is_known_of_it_without_its_modules():
    kinds, over = Counter(), []
    for row in read_set("cloud_metal.csv"):
        host = host_of(layout_of(row, int(row["vcpus"]) // 2), facts_of(row))
        known = ceilings(row, host)
        kinds[known[0].kind if known else "none"] += 1
        over += [row["instance"]] if known and float(row["read_GBs_bw_mem"]) * 1e9 > known[0].bytes_per_s else []
    assert over == []
    assert kinds["platform"] >= 75
    assert kinds["fabric"] >= 3


def test_virtual_machines_that_exceed_a_ceiling_are_explained_and_none_of_it_was_sure():
    over, sure = [], []
    for row in read_set("cloud_vm.csv"):
        read = max(float(row[name] or 0) for name in ("read_GBs_bw_mem", "read_GBs_membench")) * 1e9
        host = host_of(layout_of(row, int(row["vcpus"])), facts_of(row, virtualization="KVM"))
        known = ceilings(row, host)
        over += [row["instance"]] if known and read > known[0].bytes_per_s else []
        sure += [one for one in known if one.confidence == "high" and read > one.bytes_per_s]
    assert set(over) - OF_HIDDEN_SOCKETS - OF_BUFFERED_MEMORY == set()
    assert sure == []
