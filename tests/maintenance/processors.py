"""Rebuilds specs/processors.tsv from public sets and checks every row against a second source.

    python -m tests.maintenance.processors --josuacarl DIR --felixsteinke DIR --intel DIR --buildcores DIR \
        --printed FILE

Each DIR is a checkout of a public repository (the folder where its README lies):
    github.com/JosuaCarl/cpu-spec-dataset       Intel's and AMD's product pages, 2025-02
    github.com/felixsteinke/cpu-spec-dataset    Intel's and AMD's product pages, 2023-07
    github.com/toUpperCase78/intel-processors   Intel's product pages, 2025-05
    github.com/buildcores/buildcores-open-db    names, types and channels of what shops sell (ODC-By 1.0)
FILE holds names as processors print them, a line each, for what no page is left of: the lines "Version:" of
github.com/linuxhw/DMI (CC BY 4.0, hw-probe) and "CPUID CPU Name" of github.com/InstLatx64/InstLatx64.
Rows whose source is none of `REBUILT` were written by hand: they stay as they are and win over a rebuilt row of the
same name. What two sources say differently goes to disagreements.tsv beside this file, with the
reason for our choice.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bandwidth.catalog import Catalog, current_catalog
from tests.maintenance.amd_pages import REPORTED, amd_facts, core_facts, printed_facts, rule_of, shop_facts
from tests.maintenance.disagreements import disagreements, is_consistent
from tests.maintenance.facts import COLUMNS, Fact, fact_of_line, key_of, natural
from tests.maintenance.intel_pages import intel_facts

TABLE = Path(__file__).parents[2] / "specs" / "processors.tsv"
DISAGREEMENTS = Path(__file__).with_name("disagreements.tsv")
# Sources that this script reads itself; the rows of all others are written by hand.
REBUILT = ("ark", "ark23", "amd", "amd23", "rule", "shop", "printed")
# Read to check rows and not to make them: names that only this set has are slips of others (m3-6Y54 for m5-6Y54).
_CHECKED_AGAINST = ("ark25", "cores")
# Core i3 to i7 of the first generation print the letters of the name before its number: "i7 CPU M 640" is i7-640M.
_PRINTED_AFTER = r" (?:with|w/) .*| [\w-]+ ?-Core Processor.*| \d+-Cores.*"
_FIRST_LETTERS = {"M": "M", "UM": "U", "LM": "L", "QM": "Q", "XM": "X", "X": "X", "K": "K", "S": "S", "E": "E"}


def main() -> None:
    """Rebuild the table and the list of disagreements from the folders of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("josuacarl", "felixsteinke", "intel", "buildcores", "printed"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    folders = parser.parse_args()
    catalog = current_catalog()
    head, standing = read_table(TABLE)
    read = read_sets(folders, catalog)
    rows = merged(read, standing)
    lines = [*head, "\t".join(COLUMNS), *(row.line() for row in rows)]
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")
    DISAGREEMENTS.write_text(disagreements(rows, read), "utf-8")
    sys.stdout.write(f"{TABLE.name}: {len(rows)} rows, {TABLE.stat().st_size / 1000:.0f} kB\n")


def read_table(path: Path) -> tuple[list[str], list[Fact]]:
    """Return the comment lines of the table's head, and its rows."""
    lines = path.read_text("utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if line and not line.startswith("#")]
    return head, [fact_of_line(line) for line in rows[1:]]


def read_sets(folders: argparse.Namespace, catalog: Catalog) -> list[Fact]:
    """Return every fact of every set, the sets that win first."""
    sets = [
        intel_facts(folders.josuacarl / "dataset" / "intel-cpus.csv", "ark", catalog),
        intel_facts(folders.felixsteinke / "dataset" / "intel-cpus.csv", "ark23", catalog),
        *(
            intel_facts(path, "ark25", catalog)
            for path in sorted(folders.intel.glob("*rocessors_v1_[89].csv"), reverse=True)
        ),
        amd_facts(folders.josuacarl / "dataset" / "amd-cpus.csv", "amd", catalog),
        amd_facts(folders.felixsteinke / "dataset" / "amd-cpus.csv", "amd23", catalog),
        shop_facts(folders.buildcores / "open-db" / "CPU", "shop"),
        printed_facts(folders.printed, "printed"),
        core_facts(folders.josuacarl / "dataset" / "cpuworld-cpus.csv", "cores"),
    ]
    return [fact for facts in sets for fact in facts]


def newest_first(folder: Path) -> list[Path]:
    """Return the files of toUpperCase78's set that hold memory types, the newest version first."""
    return sorted(folder.glob("*rocessors_v1_[89].csv"), key=lambda path: path.stem[-1], reverse=True)


def merged(read: list[Fact], standing: Iterable[Fact]) -> list[Fact]:
    """Return the rows: those by hand, and for every other name the first fact that knows its memory."""
    entries = {key_of(name) for name in entry_names()}
    rows = {key_of(row.name): row for row in standing if row.source.rstrip("?") not in REBUILT}
    by_hand = set(rows)
    proven = proven_rules(read)
    aliases: dict[str, list[str]] = {key: row.aliases.split("; ") for key, row in rows.items()}
    for fact in read:
        key = key_of(fact.name)
        aliases.setdefault(key, [printed_name(fact.name)]).append(fact.aliases)
        if fact.source in _CHECKED_AGAINST:
            continue
        row = completed(fact, proven)
        if key in entries or key in by_hand or not row.memory or (row.source == "shop" and "Intel" in row.name):
            continue
        known = rows.get(key)
        if known is None or (known.source == row.source and len(row.memory) > len(known.memory)):
            rows[key] = row  # of two pages of one product, the one that states more
    taken = entries | set(rows)
    named = [replace(row, aliases=_own(aliases.get(key, []), taken)) for key, row in rows.items()]
    named = [row if is_consistent(row) else replace(row, vendor_gb_s="") for row in named]
    return sorted(named, key=lambda row: natural(row.name))


def _own(aliases: Iterable[str], taken: set[str]) -> str:
    by_key = {key_of(alias): alias for alias in reversed(list(aliases)) if alias}
    return "; ".join(alias for key, alias in sorted(by_key.items()) if key not in taken)


def completed(fact: Fact, proven: set[str]) -> Fact:
    """Return a fact of AMD's with the memory of its series where its page states no speed, unverified if none does."""
    if not fact.name.startswith("AMD ") or (fact.memory and fact.source != "shop"):
        return fact
    rule = rule_of(fact.name)
    if rule is None:
        return replace(fact, memory="")
    source = fact.source if fact.source in ("shop", "printed") else "rule"
    return replace(fact, memory=rule.memory, source=source if rule.pattern in proven else f"{source}?")


def proven_rules(read: Iterable[Fact]) -> set[str]:
    """Return the patterns of the rules that a page with a speed, an entry of specs/devices or a report bears out."""
    stated = [*REPORTED, *((fact.name, fact.memory) for fact in read if fact.source.startswith("amd"))]
    for path in sorted((TABLE.parent / "devices").glob("*.toml")):
        for name, entry in tomllib.loads(path.read_text("utf-8")).items():
            if entry["maker"] == "AMD" and not entry.get("unverified"):
                printed = [re.sub(_PRINTED_AFTER, "", other) for other in entry.get("model_names", ())]
                stated += [(other, entry["memory"]) for other in (f"AMD {name}", *printed)]
    found = ((rule_of(name), memory) for name, memory in stated if memory)
    return {rule.pattern for rule, memory in found if rule and memory.split("; ")[0] in rule.memory.split("; ")}


def printed_name(name: str) -> str:
    """Return how an Intel processor prints its name where that follows from it, empty elsewhere."""
    first = re.match(r"Intel Core (i[357])-(\d{3})([A-Z]+)$", name)
    if first and first[3] in _FIRST_LETTERS:
        return f"Intel Core {first[1]} {_FIRST_LETTERS[first[3]]} {first[2]}"
    if re.match(r"Intel Xeon E5-\d{4}[LW]?$", name):
        return f"{name} 0"
    old = re.match(r"Intel Xeon E3-(12\d\d[LC]?)$", name)
    if old:
        return f"Intel Xeon E3{old[1]}"
    if re.match(r"Intel Xeon E-24\d\d", name):
        return name.replace("Xeon E-", "Xeon E E-")
    core_m = re.match(r"Intel Core M-(5Y\d\d[ac]?)$", name)
    if core_m:
        return f"Intel {core_m[1]}"
    optane = re.match(r"Intel Core (i[57])-(8700|8400|8500)$", name)
    if optane:
        return f"Intel Core {optane[1]}+{optane[2]}"
    atom = re.match(r"Intel Atom x[57]-(E39\d\d)$", name)
    if atom:
        return f"Intel Atom {atom[1]}"
    gold = re.match(r"Intel Pentium Gold (\d{4}[UY]|6\d{3})$", name)
    return f"Intel Pentium {gold[1]}" if gold else ""


def entry_names() -> list[str]:
    """Return every name that an entry of specs/devices answers to."""
    entries = [
        (name, entry)
        for path in sorted((TABLE.parent / "devices").glob("*.toml"))
        for name, entry in tomllib.loads(path.read_text("utf-8")).items()
    ]
    return [
        other
        for name, entry in entries
        for other in (name, f"{entry['maker']} {name}", *entry.get("aliases", ()), *entry.get("model_names", ()))
    ]


if __name__ == "__main__":
    main()
