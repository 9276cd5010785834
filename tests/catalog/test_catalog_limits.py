"""What processors can move beside their memory: the tables agree with each other, with measurements and with the set.

A wrong width, half a clock and a wrong number of chiplets are planted, by a table of the user's, and have to be found.
"""

from __future__ import annotations

import csv
import shutil
from itertools import combinations
from pathlib import Path

import pytest
from ceiling_hosts import KIB, MIB, case_on, facts_of_host, host_of, layout

from bandwidth.catalog import Catalog, current_catalog
from bandwidth.catalog.entries import specs_folder
from bandwidth.catalog.recognition import Processor
from bandwidth.ceilings.fabric import fabric_ceiling, socket_link_ceiling
from bandwidth.ceilings.platform import instance_ceiling
from bandwidth.errors import BandwidthError
from bandwidth.theory import peak

# Not part of a checkout.
SHARED = Path(__file__).parents[2].parent / "shared" / "data"
TABLES = {
    "microarchitectures.tsv": "microarchitectures",
    "cache_widths.tsv": "cache_widths",
    "lines_in_flight.tsv": "lines_in_flight",
    "chiplet_links.tsv": "chiplet_links",
    "socket_links.tsv": "socket_links",
    "cloud_instances.tsv": "cloud_instances",
}
# Bytes a cycle that one core was measured to read (`load`) and write (`store`): no more than the width, and most of it.
MEASURED_WIDTHS = (
    ("Zen 2", "L2", "load", 31.59, "Chips and Cheese, Deep Diving Neoverse N1, 3950X"),
    ("Zen 3", "L3", "load", 24.0, "chipsandcheese.com/p/amds-zen-4-part-2-memory-subsystem-and-conclusion"),
    (
        "Zen 4",
        "L1",
        "load",
        63.0,
        "chipsandcheese.com/p/amds-mild-hybrid-strategy-ryzen-z1-in-asuss-rog-ally: just under 64",
    ),
    ("Zen 4", "L3", "load", 27.0, "chipsandcheese.com/p/amds-zen-4-part-2-memory-subsystem-and-conclusion"),
    ("Golden Cove client", "L2", "load", 49.9, "chipsandcheese.com/p/popping-the-hood-on-golden-cove: 78 % of 64"),
    ("Neoverse N1", "L2", "load", 19.28, "Chips and Cheese, Deep Diving Neoverse N1"),
    ("Zen 5", "L1", "load", 125.3, "this project, best blocks of a size sweep on a virtual EPYC 9005, November 2026"),
    ("Zen 5", "L1", "store", 63.4, "the same"),
    ("Zen 5", "L2", "load", 61.4, "the same"),
    ("Zen 5", "L2", "store", 61.6, "the same"),
    ("Zen 5", "L3", "load", 22.6, "the same; neighbours use that cache"),
)
# GB/s that were measured to be read over chiplets' links: L3 caches of the socket, those that were used.
MEASURED_LINKS = (
    (
        25,
        97,
        "AMD Ryzen 9 7950X",
        2,
        1,
        60.0,
        "chipsandcheese.com/p/amds-zen-4-part-3-system-level-stuff-and-igpu: near 64",
    ),
    (26, 68, "AMD Ryzen 9 9900X", 2, 1, 62.5, "chipsandcheese.com/p/amds-ryzen-9950x-zen-5-on-desktop"),
    (
        25,
        17,
        "AMD EPYC 9654 96-Core Processor",
        12,
        1,
        50.0,
        "chipsandcheese.com/p/pushing-amds-infinity-fabric-to-its: a core",
    ),
    (25, 17, "AMD EPYC 9354 32-Core Processor", 8, 8, 378.0, "EPYC 9004 with all channels: specs/normal.toml"),
    (26, 2, "AMD EPYC 9355P 32-Core Processor", 8, 1, 99.8, "chipsandcheese.com/p/amds-epyc-9355p-inside-a-32-core"),
)
LEAST_SHARE, LEAST_LINK_SHARE = 0.6, 0.75


def width_faults(catalog):
    """What contradicts the measured widths, as (microarchitecture, level, way)."""
    faults = []
    for name, level, way, measured, _ in MEASURED_WIDTHS:
        width = getattr(catalog.limits.cache_widths[name, level], way)
        if not width * LEAST_SHARE <= measured <= width:
            faults.append((name, level, way))
    return faults


def link_faults(catalog, measured=MEASURED_LINKS):
    """The processors whose links contradict what was measured."""
    faults = []
    for family, model, name, caches, used, gb_s, _ in measured:
        host = host_of(layout(cores=caches, l3_cores=1), facts_of_host("AuthenticAMD", family, model, name), catalog)
        ceiling = fabric_ceiling(case_on(host, "read", range(used)), host)
        if ceiling is None or not ceiling.bytes_per_s * LEAST_LINK_SHARE <= gb_s * 1e9 <= ceiling.bytes_per_s:
            faults.append(name)
    return faults


def read_set(name):
    with (SHARED / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def planted(folder, file_name, entry, **cells):
    """Return a catalog whose user has one entry of a table with other cells."""
    lines = [line for line in (specs_folder() / file_name).read_text("utf-8").splitlines() if line[:1] != "#"]
    columns = lines[0].split("\t")
    row = next(line.split("\t") for line in lines[1:] if line.startswith(entry))
    changed = [cells.get(name, cell) for name, cell in zip(columns, row, strict=True)]
    (folder / file_name).write_text("\t".join(columns) + "\n" + "\t".join(changed) + "\n", "utf-8")
    return Catalog([folder])


def test_the_tables_agree_with_what_was_measured():
    assert width_faults(current_catalog()) == []
    assert link_faults(current_catalog()) == []


@pytest.mark.parametrize(
    ("entry", "way", "width", "found"),
    [
        ("Zen 4\tL1", "load", "32", ("Zen 4", "L1", "load")),
        ("Zen 5\tL2", "store", "32", ("Zen 5", "L2", "store")),
        ("Golden Cove client\tL2", "load", "128", ("Golden Cove client", "L2", "load")),
    ],
)
def test_a_wrong_width_is_found(tmp_path, entry, way, width, found):
    assert width_faults(planted(tmp_path, "cache_widths.tsv", entry, **{way: width})) == [found]


@pytest.mark.parametrize(
    ("entry", "cells", "found"),
    [
        ("EPYC 9004, GMI3\t", {"clock": "900"}, "AMD EPYC 9654 96-Core Processor"),
        ("EPYC 9005, GMI wide", {"clock": "1000"}, "AMD EPYC 9355P 32-Core Processor"),
        ("Ryzen 7000", {"clock": "4000"}, "AMD Ryzen 9 7950X"),
        ("EPYC 9004, GMI3\t", {"l3_caches": "2"}, "AMD EPYC 9354 32-Core Processor"),  # half as many chiplets
        (
            "EPYC 9005, GMI wide",
            {"most_chiplets": "<=4"},
            "AMD EPYC 9355P 32-Core Processor",
        ),  # one link, where it has two
        ("Ryzen 9000", {"read": "64"}, "AMD Ryzen 9 9900X"),
    ],
)
def test_half_a_clock_and_a_wrong_number_of_chiplets_are_found(tmp_path, entry, cells, found):
    assert found in link_faults(planted(tmp_path, "chiplet_links.tsv", entry, **cells))


def test_every_line_names_a_microarchitecture_that_there_is_and_none_is_two():
    limits = current_catalog().limits
    names = {one.name for one in limits.microarchitectures}
    assert {name for name, _ in limits.cache_widths} | set(limits.lines_in_flight) <= names
    for one, other in combinations(limits.microarchitectures, 2):
        shared = {
            (mine.vendor, mine.family, mine.kind)
            for mine in one.cpuids
            for theirs in other.cpuids
            if (mine.vendor, mine.family, mine.kind) == (theirs.vendor, theirs.family, theirs.kind)
            and any(low <= top and bottom <= high for low, high in mine.models for bottom, top in theirs.models)
        }
        assert not shared, (one.name, other.name)
        assert not set(one.arm_parts) & set(other.arm_parts)
    parts = {part for one in limits.microarchitectures for part in one.arm_parts}
    assert parts <= set(current_catalog().arm_cores)


def test_links_and_hosts_are_such_as_the_notation_reads():
    limits = current_catalog().limits
    assert {peak(link.link).kind for link in limits.socket_links} == {"link"}
    assert {peak(instance.memory).kind for instance in limits.cloud_instances} == {"memory"}


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        (Processor("AuthenticAMD", 26, 2, "AMD EPYC"), "Zen 5"),
        (Processor("AuthenticAMD", 26, 36, "AMD Ryzen AI 9 HX 370"), "Zen 5 mobile"),
        (Processor("AuthenticAMD", 25, 33, "AMD Ryzen 9 5950X"), "Zen 3"),
        (Processor("GenuineIntel", 6, 183, "13th Gen", "performance"), "Golden Cove client"),
        (Processor("GenuineIntel", 6, 183, "13th Gen", "efficiency"), "Gracemont"),
        (Processor("GenuineIntel", 6, 190, "Intel(R) N100"), "Gracemont"),
        (Processor("GenuineIntel", 6, 151, "12th Gen Intel(R) Core(TM) i3-12100F"), "Golden Cove client"),
        (Processor("GenuineIntel", 6, 151, "12th Gen Intel(R) Core(TM) i9-12900K"), None),  # which core is not told
        (Processor("ARM", None, 0xD4F, "ARM Neoverse-V2"), "Neoverse V2"),
        (Processor("Apple", None, None, "Apple M2 Max", "performance"), "Apple Firestorm"),
        (Processor("Apple", None, None, "Apple M9", "performance"), None),
        (Processor("GenuineIntel", 6, 250, "Intel(R) Xeon(R) 9"), None),
    ],
)
def test_a_microarchitecture_is_recognised_or_there_is_none(processor, expected):
    catalog = current_catalog()
    found = catalog.limits.microarchitecture(processor, catalog.arm_cores.values())
    assert (found and found.name) == expected


@pytest.mark.parametrize(
    ("file_name", "entry", "cells", "fault"),
    [
        ("cache_widths.tsv", "Zen 4\tL1", {"load": "0"}, "[Zen 4 L1]: load: 0 is not above zero"),
        (
            "cache_widths.tsv",
            "Zen 4\tL1",
            {"load": "-", "store": "-"},
            "[Zen 4 L1]: load: either load or store is needed",
        ),
        ("cache_widths.tsv", "Zen 4\tL1", {"confidence": "sure"}, "[Zen 4 L1]: confidence: 'sure' is not one of high"),
        ("lines_in_flight.tsv", "Zen 4", {"l2": "-3"}, "[Zen 4]: l2: -3 is not above zero"),
        ("lines_in_flight.tsv", "Zen 4", {"latency_ns": "nan"}, "[Zen 4]: latency_ns: nan is not above zero"),
        ("chiplet_links.tsv", "EPYC 9004, GMI3\t", {"clock": "-"}, "[EPYC 9004, GMI3]: clock: it is empty"),
        ("chiplet_links.tsv", "EPYC 9004, GMI3\t", {"clock": "fast"}, "clock: 'fast' is not a number"),
        ("chiplet_links.tsv", "EPYC 9004, GMI3\t", {"cpuids": "-"}, "[EPYC 9004, GMI3]: cpuids: it is empty"),
        ("chiplet_links.tsv", "EPYC 9004, GMI3\t", {"names": "("}, "[EPYC 9004, GMI3]: names: '(' is not a pattern"),
        ("microarchitectures.tsv", "Zen 4", {"cpuids": "AMD"}, "[Zen 4]: cpuids: 'AMD' does not look like"),
        ("microarchitectures.tsv", "Zen 4", {"cpuids": "-"}, "[Zen 4]: cpuids: the entry has no way to be recognised"),
        ("socket_links.tsv", "EPYC 9004", {"source": ""}, "[EPYC 9004, xGMI]: source: it is empty"),
    ],
)
def test_a_bad_entry_of_the_users_is_named_with_file_entry_and_field_and_passed_over(
    tmp_path, file_name, entry, cells, fault
):
    catalog = planted(tmp_path, file_name, entry, **cells)
    assert getattr(catalog.limits, TABLES[file_name]) == getattr(current_catalog().limits, TABLES[file_name])
    (line,) = catalog.folders.broken
    assert line.startswith(f"{tmp_path / file_name}: ")
    assert fault in line
    assert "\n" not in line


def test_a_link_or_a_memory_that_the_notation_does_not_read_is_named_where_it_is_needed(tmp_path):
    planted(tmp_path, "socket_links.tsv", "EPYC 9004", link="DDR5-4800 x12")
    catalog = planted(tmp_path, "cloud_instances.tsv", "EC2, Graviton3", memory="Gravitas 3")
    named = {"system_vendor": "Amazon EC2", "product_name": "m7g.large", "virtualization": "Amazon EC2"}
    facts = facts_of_host("AuthenticAMD", 25, 17, "AMD EPYC 9654 96-Core Processor", **named)
    host = host_of(layout(sockets=2), facts, catalog)
    assert socket_link_ceiling(case_on(host, "read", cpu_node=0, memory_node=1), host) is None
    assert instance_ceiling(case_on(host, "read"), host) is None
    link, memory = catalog.folders.broken
    assert link.startswith("socket_links.tsv: [EPYC 9004, xGMI]: link: 'DDR5-4800 x12' is not a link")
    assert memory.startswith("cloud_instances.tsv: [EC2, Graviton3]: memory: ")


def test_an_entry_twice_and_a_line_that_is_short_are_named(tmp_path):
    path = tmp_path / "microarchitectures.tsv"
    shutil.copy(specs_folder() / path.name, path)
    path.write_text(path.read_text("utf-8") + "Zen 4\tAuthenticAMD 99 1\t-\t-\t64\t-\ta test\nZen 9\tx\n", "utf-8")
    catalog = Catalog([tmp_path])
    assert catalog.limits.microarchitecture(Processor("AuthenticAMD", 25, 97, ""), ()).name == "Zen 4"
    assert [line.split(": ", 1)[1] for line in catalog.folders.broken] == [
        "[Zen 4]: name: duplicate entry; keep one of them",
        "[Zen 9]: 2 cells in a table of 7 columns; separate them with single tabs, and write - for an empty cell",
    ]


def test_a_bad_table_of_the_package_stops_and_one_of_the_users_does_not(tmp_path):
    (tmp_path / "socket_links.tsv").write_text("name\n", "utf-8")
    with pytest.raises(BandwidthError, match="its first line does not name the columns"):
        _ = Catalog(own=tmp_path).limits.socket_links
    users = Catalog([tmp_path])
    assert users.limits.socket_links == current_catalog().limits.socket_links
    assert len(users.folders.broken) == 1


def test_a_users_table_overrides_one_entry_and_adds_another(tmp_path):
    catalog = planted(tmp_path, "cache_widths.tsv", "Zen 4\tL2", load="48")
    assert catalog.limits.cache_widths["Zen 4", "L2"].load == 48
    assert catalog.limits.cache_widths["Zen 4", "L1"].load == 64
    new = planted(tmp_path, "microarchitectures.tsv", "Zen 4", name="Zen 9", cpuids="AuthenticAMD 99 1")
    assert new.limits.microarchitecture(Processor("AuthenticAMD", 99, 1, ""), ()).name == "Zen 9"
    assert new.limits.microarchitecture(Processor("AuthenticAMD", 25, 97, ""), ()).name == "Zen 4"


# --- against the set of published widths ----------------------------------------------------------------------------

# The set's names in ours; it has one line for several of them.
IN_THE_SET = {
    "Haswell / Broadwell": ("Haswell / Broadwell", "Haswell-EP / Broadwell-EP"),
    "Haswell-EP / Broadwell-EP": ("Haswell-EP / Broadwell-EP",),
    "Sandy Bridge-EP / Ivy Bridge-EP": ("Sandy Bridge / Ivy Bridge",),
    "Skylake client (to Comet Lake)": ("Skylake client",),
    "Skylake-X / Skylake-SP / Cascade Lake": ("Skylake-SP / Cascade Lake",),
    "Ice Lake-SP (Sunny Cove server)": ("Ice Lake-SP",),
    "Golden Cove client (Alder/Raptor Lake P)": ("Golden Cove client",),
    "Sapphire / Emerald Rapids (Golden/Raptor Cove)": ("Sapphire Rapids / Emerald Rapids",),
    "Granite Rapids (Redwood Cove)": ("Granite Rapids",),
    "Gracemont / Crestmont (E)": ("Gracemont", "Crestmont"),
    "Zen 1 / Zen+": ("Zen 1",),
    "Zen 2": ("Zen 2",),
    "Zen 3": ("Zen 3",),
    "Zen 4 / Zen 4c": ("Zen 4",),
    "Zen 5 desktop/server": ("Zen 5",),
    "Zen 5 mobile (Strix Point) / Zen 5c mobile": ("Zen 5 mobile",),
    "Zen 5": ("Zen 5", "Zen 5 mobile"),
    "Neoverse V1": ("Neoverse V1",),
    "Neoverse V2": ("Neoverse V2",),
    "A64FX": ("A64FX",),
    "ThunderX2": ("ThunderX2",),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the set of published widths is not beside this checkout")
def test_the_widths_are_those_of_the_set_and_its_copies_follow_from_ours():
    rows = read_set("cache_bandwidths.csv")
    widths, compared, copies = current_catalog().limits.cache_widths, 0, 0
    for row in rows:
        for name in IN_THE_SET.get(row["microarchitecture"], ()):
            ours = widths.get((name, row["level"]))
            if ours is None or not row["load_bytes_per_cycle"]:
                continue
            assert (ours.load, ours.store) == tuple(float(row[f"{way}_bytes_per_cycle"]) for way in ("load", "store"))
            compared += 1
            stated = float(row["copy_bytes_per_cycle"] or 0)
            if stated and row["level"] != "L3":  # a victim beside each read of an L3: no copy of a kernel
                assert _copied(name, row["level"]) == pytest.approx(stated, rel=0.01), (name, row["level"])
                copies += 1
    assert compared >= 45
    assert copies >= 25


def _copied(name, level):
    """Bytes a cycle that a copy with ordinary stores counts at most in a level."""
    from bandwidth.ceilings.bounds import traffic_of

    host = host_of(layout(), facts_of_host("x", 1, 1, "x"))
    case = case_on(host, "copy", size=64 * KIB if level == "L1" else MIB, stores="ordinary")
    width = current_catalog().limits.cache_widths[name, level]
    return traffic_of(case, allocates=level != "L1").most(width.load, width.store, width.total)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the set of published links is not beside this checkout")
def test_the_links_are_those_of_the_set():
    rows = {row["product"]: row for row in read_set("fabric_links.csv")}
    links = {link.name: link for link in current_catalog().limits.chiplet_links}
    for product, name in {
        "Ryzen 3000 (Zen 2, Matisse)": "Ryzen 3000, IFOP",
        "Ryzen 5000 (Zen 3, Vermeer)": "Ryzen 5000, IFOP",
        "Ryzen 7000 / EPYC 4004 (Zen 4, Raphael)": "Ryzen 7000, GMI narrow",
        "EPYC 9004 (Genoa)": "EPYC 9004, GMI3",
        "EPYC 9004 with 4 CCDs or fewer": "EPYC 9004, GMI3 wide",
        "EPYC 9005 (Turin)": "EPYC 9005, GMI",
    }.items():
        row, link = rows[product], links[name]
        assert (link.read, link.write) == (float(row["read_bytes_per_clk"]), float(row["write_bytes_per_clk"]))
        assert str(int(link.clock.mhz)) in row["clk_MHz"]
