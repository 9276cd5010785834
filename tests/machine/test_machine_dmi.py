"""Another machine's SMBIOS, as people paste it: what is read, and that nothing is believed of half a text."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from dmidecode_text import NEW, OLD, machine_text, structure
from hypothesis import given, settings
from hypothesis import strategies as st

from bandwidth.ceilings.memory import GivenMemory, host_theory
from bandwidth.errors import BandwidthError
from bandwidth.machine.dmi.facts import facts_of_content
from bandwidth.machine.dmi.file import dmi_of, dmi_of_text, text_of

CAPTURED = Path(__file__).parent / "captured"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "machines.jsonl"
GIB = 1024**3


def answer(content, cpuinfo=None):
    """The facts of a text or table, and its theory, as `system --dmi` comes by them."""
    content = content.encode() if isinstance(content, str) else content
    cpuinfo = None if cpuinfo is None else cpuinfo.encode("utf-8", "replace")
    facts = facts_of_content(content, "the file", cpuinfo, "cpuinfo")
    return facts, host_theory(GivenMemory(), facts, facts.integer("sockets") or 1)


def gb_s(content, cpuinfo=None):
    theory = answer(content, cpuinfo)[1]
    return None if theory.peak is None else float(theory.peak.bytes_per_s) / 1e9


def device(locator, size="16 GB", speed="3200 MT/s", bank="", **other):
    filled = {"type": "DDR4", "size": size, "speed": speed, "configured": speed, "data_width": "64 bits"}
    empty = {"type": "Unknown", "size": "No Module Installed"}
    named = {"locator": locator, "bank": bank, "form_factor": "DIMM", "smbios_length": 84}
    return named | (filled if size else empty) | other


DESKTOP = {
    "cpu": "Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz",
    "cpuid": ["GenuineIntel", 6, 158],
    "sockets": 1,
    "maker": "Example Corp.",
    "board": "Z370",
    "devices": [
        device("ChannelA-DIMM0", bank="BANK 0", ranks=2, speed="2666 MT/s"),
        device("ChannelA-DIMM1", size="", bank="BANK 1"),
        device("ChannelB-DIMM0", bank="BANK 2", ranks=2, speed="2666 MT/s"),
        device("ChannelB-DIMM1", size="", bank="BANK 3"),
    ],
}
TEXT = machine_text(DESKTOP)


def test_the_text_of_a_desktop():
    facts, theory = answer(TEXT)
    expected = {
        "system_vendor": "Example Corp.", "board_name": "Z370", "cpu_vendor": "GenuineIntel", "cpu_family": 6,
        "cpu_model_number": 158, "cpu_model": DESKTOP["cpu"], "sockets": 1, "memory_channels": 2,
        "memory_slots": 4, "memory_type": "DDR4", "memory_configured_mt_s": 2666,
    }  # fmt: skip
    assert {name: facts.value(name) for name in expected} == expected
    assert facts["cpu_model"].source == "the file, type 4"
    first = facts.value("memory_modules")[0]
    assert (first["size_bytes"], first["ranks"], first["form_factor"]) == (16 * GIB, 2, "DIMM")
    assert theory.peak.name == "DDR4-2666 x2"
    assert "SECRET" not in repr(facts)


OTHERS = "$ free -h\n              total        used\nMem:  31Gi\n\nMemTotal: 8 kB\nManufacturer: nobody\nSize: 4 GB\n"
WRITTEN = {
    "old words": lambda text: text.replace(NEW, OLD).replace("MT/s", "MHz"),
    "old handles": lambda text: re.sub(r"(Handle 0x\w+), (DMI.*)\n(.*)", r"\1\n\t\2.\n\t\3", text),
    "no indentation": lambda text: text.replace("\t", ""),
    "spaces": lambda text: text.replace("\t", "        "),
    "double spaced": lambda text: text.replace("\n", "\n\n"),
    "no empty lines": lambda text: re.sub(r"\n+", "\n", text),
    "Windows": lambda text: text.replace("\n", "\r\n"),
    "old Mac": lambda text: text.replace("\n", "\r"),
    "mail": lambda text: re.sub(r"(?m)^", "> > ", text),
    "diff": lambda text: re.sub(r"(?m)^", "+", text),
    "grep -n": lambda text: "".join(f"{number}:\t{line}\n" for number, line in enumerate(text.splitlines(), 1)),
    "Markdown": lambda text: f"## RAM\n```\n{text}```\n",
    "bold": lambda text: re.sub(r"\t(.*?): ", r"- **\1:** ", text),
    "BBCode": lambda text: f"[code]{text.replace('Size:', '[b]Size:[/b]')}[/code]",
    "HTML": lambda text: "<pre>" + text.replace("(R)", "(R)").replace("\n", "<br>\n").replace("'", "&#39;") + "</pre>",
    "no handles": lambda text: re.sub(r"Handle .*\n", "", text),
    "no titles": lambda text: re.sub(r"(bytes)\n[A-Z].*", r"\1", text),
    "twice": lambda text: text + "$ sudo dmidecode\n" + text,
    "others around": lambda text: f"привет, вот моя память\n{OTHERS.partition('Manu')[0]}{text}{OTHERS}",
    "no last newline": lambda text: text.rstrip("\n"),
    "whole lines": lambda text: re.sub(r"(?m)$", "   ", text),
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("whole", [True, False])
def test_a_text_says_the_same_however_it_was_pasted(written, whole):
    text = machine_text(DESKTOP, whole=whole)
    assert dmi_of_text(written(text)) == dmi_of_text(text)
    assert gb_s(written(text)) == pytest.approx(42.667, rel=1e-4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_a_text_says_the_same_in_whatever_it_was_saved(encoding):
    assert gb_s(f"Mémoire vive:\n{TEXT}".encode(encoding)) == pytest.approx(42.667, rel=1e-4)


def test_what_grep_leaves_is_read_by_the_order_of_the_fields():
    wanted = re.compile(r"\s(?:Size|Locator|Bank Locator|Type|Speed|Configured Memory Speed|Data Width): ")
    lines = [line for line in machine_text(DESKTOP, whole=False).splitlines() if wanted.match(line)]
    assert gb_s("\n".join(lines)) == pytest.approx(42.667, rel=1e-4)


@pytest.mark.parametrize(("size", "size_bytes"), [
    ("8192 MB", 8 * GIB), ("8 GB", 8 * GIB), ("1 TB", 1024 * GIB), ("524288 kB", GIB // 2), ("Unknown", None),
    ("No Module Installed", None), ("Not Installed", None), ("8", None), ("-8 GB", None), ("8 gigabytes", None),
])  # fmt: skip
def test_sizes(size, size_bytes):
    (slot,) = dmi_of_text(structure(1, 17, 84, "Memory Device", {"Size": size, "Type": "DDR4"})).slots
    assert slot.size_bytes == size_bytes
    assert slot.populated == (size_bytes is not None)


@pytest.mark.parametrize("whole", [True, False])
def test_a_text_that_ends_early_gives_the_right_figure_or_none(whole):
    text = machine_text(DESKTOP, whole=whole)
    figures = Counter()
    for end in range(len(text)):
        try:
            figures[gb_s(text[:end])] += 1
        except BandwidthError:
            figures[None] += 1
    assert set(figures) == {None, gb_s(text)}
    assert figures[None] > len(text) // 2


def test_a_text_that_begins_late_says_so():
    theory = answer(TEXT[TEXT.index("Bank Locator: BANK 0") :])[1]
    assert (theory.peak, theory.reason) == (None, "the beginning of the text is missing: use the complete output")


@pytest.mark.parametrize(
    ("vendor", "product", "firmware", "expected"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "SeaBIOS", "QEMU"),
        ("VMware, Inc.", "VMware7,1", "VMware, Inc.", "VMware"),
        ("Microsoft Corporation", "Virtual Machine", "Microsoft Corporation", "Hyper-V"),
        ("Example", "Cloud Server", "SeaBIOS", "QEMU"),
        ("Amazon EC2", "m6i.large", "Amazon EC2", "Amazon EC2"),
        ("Microsoft Corporation", "Surface Laptop 5", "Microsoft Corporation", None),
        ("Amazon EC2", "m6i.metal", "Amazon EC2", None),
    ],
)
def test_a_virtual_machine_is_known_by_its_firmware(vendor, product, firmware, expected):
    text = structure(0, 0, 24, "BIOS Information", {"Vendor": firmware})
    text += structure(1, 1, 27, "System Information", {"Manufacturer": vendor, "Product Name": product})
    facts, theory = answer(text + machine_text(DESKTOP, whole=False))
    assert facts.text("virtualization") == expected
    assert (theory.peak is None) == (expected is not None)
    assert expected is None or expected in theory.reason


def test_firmware_that_says_it_is_virtual_is_believed():
    text = structure(0, 0, 24, "BIOS Information", {"Vendor": "Example"}) + "\t\tSystem is a virtual machine\n"
    assert answer(text + machine_text(DESKTOP, whole=False))[0].text("virtualization") == "hypervisor"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Version": "AMD EPYC 7763 64-Core Processor", "Signature": "Family 25, Model 1, Stepping 1"}, (25, 1)),
        ({"Version": "Intel(R) Xeon(R) Gold 6338", "ID": "A6 06 06 00 FF FB EB BF"}, (6, 106)),
        ({"Version": "AMD Ryzen 7 1700", "ID": "11 0F 80 00 FF FB 8B 17"}, (23, 1)),
        ({"Version": "Not Specified", "Manufacturer": "Intel", "Signature": "Type 0, Family 6, Model 94"}, (6, 94)),
        ({"Version": "pc-q35-6.2", "Manufacturer": "QEMU"}, (None, None)),
    ],
)
def test_the_processor_s_name_and_numbers(fields, expected):
    text = structure(4, 4, 48, "Processor Information", {"Type": "Central Processor", **fields})
    facts, _ = answer(text + machine_text(DESKTOP, whole=False))
    assert (facts.value("cpu_family"), facts.value("cpu_model_number")) == expected
    name = fields["Version"]
    assert facts.text("cpu_model") == (name if name.startswith(("AMD", "Intel")) else None)


def test_an_arm_server_s_processor_and_empty_sockets():
    arm = {
        "Version": "Not Specified",
        "Signature": "Implementor 0x41, Variant 0x3, Architecture 15, Part 0xd0c, Revision 1",
    }
    text = structure(4, 4, 48, "Processor Information", {"Status": "Populated, Enabled", "Core Count": "80", **arm})
    text += structure(5, 4, 48, "Processor Information", {"Status": "Unpopulated"})
    facts, _ = answer(text + machine_text(DESKTOP, whole=False))
    assert (facts.text("cpu_model"), facts.value("sockets"), facts.value("physical_cores")) == (
        "ARM Neoverse-N1",
        1,
        80,
    )


def test_what_the_kernel_says_of_the_processor_counts_first():
    cpuinfo = (
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t: 33\nmodel name\t: AMD Ryzen 9 5950X\n"
    )
    facts, _ = answer(TEXT, cpuinfo)
    assert (facts.text("cpu_model"), facts["cpu_model"].source) == ("AMD Ryzen 9 5950X", "cpuinfo")
    assert answer(TEXT, "rubbish")[0].text("cpu_model") == DESKTOP["cpu"]
    assert answer(TEXT, "flags\t: fpu hypervisor\n")[1].peak is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (bytes(range(256)) * 40, "contains no processor"),
        (b"_SM3_" + bytes(40), "contains none"),
        (json.dumps({"schema": "bandwidth/record/1", "machine": {}}).encode(), "is a file of this tool"),
        (b'{"a": [', "contains no processor"),
        (b"# dmidecode 3.3\n/sys/firmware/dmi/tables/smbios_entry_point: Permission denied\n", "run it as root"),
    ],
)
def test_what_is_no_smbios_is_refused_in_one_line(content, words):
    with pytest.raises(BandwidthError, match=words) as caught:
        dmi_of(content, "x.txt")
    assert str(caught.value).startswith("x.txt ")
    assert "\n" not in str(caught.value)


def test_a_thousand_modules_and_nothing_but_unknown():
    many = DESKTOP | {"devices": [device(f"Node0_Channel{number % 500}_Dimm{number // 500}") for number in range(1000)]}
    for whole in (True, False):
        facts, theory = answer(machine_text(many, whole=whole))
        assert (theory.peak, "1000 memory devices" in facts.text("memory_modules_reason")) == (None, True)
    unknown = dict.fromkeys(("type", "size", "speed", "configured", "data_width"), "Unknown")
    facts, theory = answer(machine_text(DESKTOP | {"devices": [device("A", **unknown)] * 2}))
    assert (theory.peak, facts.text("memory_modules_reason")) == (None, "no memory device states a size")


DEVICES = st.lists(
    st.builds(
        device,
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12),
        size=st.sampled_from(["", "4096 MB", "16 GB"]),
        speed=st.sampled_from(["Unknown", "2666 MT/s", "3200 MT/s"]),
        bank=st.sampled_from(["", "BANK 0", "P0 CHANNEL A"]),
        ranks=st.sampled_from([None, 1, 2]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(DEVICES, st.booleans(), st.sampled_from([NEW, OLD]))
def test_a_rendered_table_reads_back(devices, whole, configured):
    slots = dmi_of_text(machine_text(DESKTOP | {"devices": devices}, whole=whole, configured=configured)).slots
    assert [slot.locator for slot in slots] == [one["locator"] for one in devices]
    for slot, one in zip(slots, devices, strict=True):
        assert slot.populated == (one["size"] != "No Module Installed")
        speed = one.get("speed", "Unknown").removesuffix(" MT/s")
        assert slot.configured_mt_s == slot.rated_mt_s == (int(speed) if speed.isdigit() else None)
        assert slot.ranks == one.get("ranks")


PIECES = st.sampled_from(
    [
        "model name: A",
        "CPU implementer: 0x41",
        "Socket(s): 2",
        *TEXT.splitlines(),
        "Handle 0x",
        "DMI type 4, 1 bytes",
        "Size: 9999999999 TB",
        "\0",
        "&#x110000;",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.text(), st.lists(PIECES | st.text(max_size=9)).map("\n".join), st.binary()),
    st.none() | st.text(max_size=40),
)
def test_any_content_is_answered_or_refused(content, cpuinfo):
    with suppress(BandwidthError):
        facts, theory = answer(content, cpuinfo)
        json.dumps(facts.to_json(), allow_nan=False)
        assert (theory.peak is None) == bool(theory.hint)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ryzen_7950x_two_of_four", 96.0),
        ("steam_deck_quoted", 88.0),
        ("hr630x_eleven_modules_crlf", 234.667),
        ("one_module_latin1", 25.6),
        ("two_sockets_markdown", 256.0),
        ("zenbook_utf16", 59.733),
    ],
)
def test_texts_of_public_issues(name, expected):
    assert gb_s((CAPTURED / f"{name}.txt").read_bytes()) == pytest.approx(expected, rel=0.001)


def test_text_that_is_no_utf_8_is_latin_1():
    assert text_of("Größe".encode("latin-1")) == "Größe"


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared machines.jsonl does not lie beside this checkout")
def test_every_shared_machine_by_its_text():
    verdicts = Counter()
    for line in SHARED.read_text("utf-8").splitlines():
        machine = json.loads(line)
        found, right = gb_s(machine_text(machine)), machine["right_gbps"]
        if right is None:
            verdict = "refused" if found is None else "invented"
        else:
            verdict = "refused" if found is None else "right" if abs(found / right - 1) <= 0.016 else "wrong"
        verdicts[machine["kind"], right is not None and machine["certain"], verdict] += 1
    certain = {
        verdict: sum(verdicts[key] for key in verdicts if key[1:] == (True, verdict))
        for verdict in ("right", "wrong", "refused")
    }
    assert certain["right"] >= 0.97 * sum(certain.values())
    assert sum(count for (_, _, verdict), count in verdicts.items() if verdict in ("wrong", "invented")) < 0.005 * 900
    assert not [key for key in verdicts if key[0] == "sound" and key[1] and key[2] != "right"]
    assert not [key for key in verdicts if key[2] == "invented"]


XEON = {"cpu": "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "cpuid": ["GenuineIntel", 6, 79], "sockets": 2}
BY_NUMBER = {"devices": [device(f"DIMM{number}", bank=f"BANK {number}", speed="2400 MT/s") for number in range(8)]}
BY_SOCKET = {"devices": [device(f"CPU{number // 4}_{'ABCD'[number % 4]}0", speed="2400 MT/s") for number in range(8)]}


def cpuinfo_of(physical_ids, siblings=1):
    return "\n".join(
        f"processor\t: {cpu}\nmodel name\t: {XEON['cpu']}\nphysical id\t: {socket}\nsiblings\t: {siblings}\n"
        for cpu, socket in enumerate(physical_ids)
    )


@pytest.mark.parametrize(
    ("slots", "whole", "cpuinfo", "sockets", "expected"),
    [
        (BY_NUMBER, True, None, 2, 153.6),
        (BY_NUMBER, False, cpuinfo_of([0, 1, 0, 1]), 2, 153.6),
        (BY_NUMBER, False, cpuinfo_of([0], siblings=28), None, None),  # the first block alone
        (BY_NUMBER, False, f"model name\t: {XEON['cpu']}\n", None, None),
        (BY_SOCKET, False, f"model name\t: {XEON['cpu']}\n", 2, 153.6),
    ],
)
def test_a_processor_that_may_stand_beside_others_is_not_taken_for_the_only_one(
    slots, whole, cpuinfo, sockets, expected
):
    text = machine_text(XEON | slots, whole=whole)
    assert answer(text, cpuinfo)[0].value("sockets") == sockets
    assert gb_s(text, cpuinfo) == (None if expected is None else pytest.approx(expected))
