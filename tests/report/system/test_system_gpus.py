"""The GPUs of a machine by the letter: from a driver's captured answers, from captured sysfs, and from broken facts."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from gpu_machine import GIB, PCI, Driver
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.machine.facts import Fact, Facts
from bandwidth.machine.gpu_attributes import KFD_FOLDER, gpu_facts
from bandwidth.machine.reader import CapturedReader
from bandwidth.report import FORMATS, Document, render
from bandwidth.report.system.gpus import gpu_names, gpu_tables

MEMORY_CLOCK = 2  # nvml.h: NVML_CLOCK_MEM
IDLE, POWER_LIMIT = 0x1, 0x4  # nvml.h: nvmlClocksEventReasonGpuIdle, nvmlClocksEventReasonSwPowerCap


class H200(Driver):
    """Idle H200s, with all that the driver tells of them; `answers` replace by function, None is a refusal."""

    def __init__(self, count=1, **answers):
        told = {
            "nvmlDeviceGetMemoryBusWidth": 6144,
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=150_754_820_096),
            "nvmlDeviceGetMaxClockInfo": lambda handle, kind: 3201 if kind == MEMORY_CLOCK else 1980,
            "nvmlDeviceGetClockInfo": lambda handle, kind: 2619 if kind == MEMORY_CLOCK else 345,
            "nvmlDeviceGetCurrPcieLinkGeneration": 1,
            "nvmlDeviceGetPerformanceState": 8,
            "nvmlDeviceGetPowerManagementLimit": 700_000,
            "nvmlDeviceGetPersistenceMode": 1,
            "nvmlDeviceGetVirtualizationMode": 1,
            "nvmlSystemGetConfComputeState": SimpleNamespace(ccFeature=0),
        }
        super().__init__(count, **told | answers)


def h200_with_one_at_work(count, at_work):
    """Return idle H200s but for one, which is at full clocks and held down by its power limit."""

    def clock(handle, kind):
        at_rest, at_most = (2619, 3201) if kind == MEMORY_CLOCK else (345, 1980)
        return at_most if handle == at_work else at_rest

    return H200(
        count,
        nvmlDeviceGetPerformanceState=lambda handle: 0 if handle == at_work else 8,
        nvmlDeviceGetCurrPcieLinkGeneration=lambda handle: 5 if handle == at_work else 1,
        nvmlDeviceGetClockInfo=clock,
        nvmlDeviceGetCurrentClocksEventReasons=lambda handle: POWER_LIMIT if handle == at_work else IDLE,
    )


class Gtx1080(Driver):
    """One card that refuses ECC, MIG and its present clocks, and has no memory of another width than its kind."""

    def __init__(self):
        super().__init__(
            nvmlDeviceGetName="NVIDIA GeForce GTX 1080",
            nvmlDeviceGetMemoryBusWidth=256,
            nvmlDeviceGetMemoryInfo=SimpleNamespace(total=8 * GIB),
            nvmlDeviceGetMaxClockInfo=lambda handle, kind: 5005 if kind == MEMORY_CLOCK else 1911,
            nvmlDeviceGetCurrPcieLinkGeneration=1,
            nvmlDeviceGetMaxPcieLinkGeneration=3,
            nvmlDeviceGetClockInfo=None,
            nvmlDeviceGetCurrentClocksEventReasons=None,
            nvmlDeviceGetEccMode=None,
            nvmlDeviceGetMigMode=None,
        )

    def ask(self, function, *arguments):
        if function == "nvmlDeviceGetPciInfo":
            return SimpleNamespace(domain=0, bus=1, device=0, pciDeviceId=0x1B80_10DE)
        return super().ask(function, *arguments)


def pci(address, kind, vendor, device, **files):
    written = {"class": kind, "vendor": vendor, "device": device, **files}
    return {f"{PCI}/{address}/{name}": f"{text}\n" for name, text in written.items()}


def h200_on_the_bus(count=1):
    """Return sysfs of H200s, four to a node."""
    link = {"current_link_speed": "2.5 GT/s PCIe", "current_link_width": "16"}
    most = {"max_link_speed": "32.0 GT/s PCIe", "max_link_width": "16"}
    files = {}
    for index in range(count):
        address = f"0000:{index + 1:02x}:00.0"
        files |= pci(address, "0x030200", "0x10de", "0x2335", numa_node=str(index // 4), **link, **most)
    return files


def amd(name, device, width, clock, gib):
    """Return sysfs of one AMD card with its node of KFD."""
    node = f"{KFD_FOLDER}/1"
    most = {"max_link_speed": "32.0 GT/s PCIe", "max_link_width": "16"}
    return {
        **pci("0000:26:00.0", "0x120000", "0x1002", f"0x{device:04x}", numa_node="1", **most),
        f"{node}/name": f"{name}\n",
        f"{node}/properties": f"simd_count 1216\nvendor_id 4098\ndevice_id {device}\nlocation_id {0x2600}\ndomain 0\n",
        f"{node}/mem_banks/0/properties": (
            f"heap_type 1\nsize_in_bytes {gib * GIB}\nwidth {width}\nmem_clk_max {clock}\n"
        ),
    }


def found(files, driver=None):
    return Facts(gpu_facts(CapturedReader(files), driver))


def text_of(facts, unit="GB/s", format_name="table"):
    return render(Document(gpu_tables(facts, unit), {}, []), format_name)


def listed(*gpus):
    return Facts({"gpus": Fact([*gpus], "a test", "read")})


ASPEED = pci("0000:00:02.0", "0x030000", "0x1a03", "0x2000")
AT_REST = "\nAn idle GPU may lower its link and its clocks.\n"
ONE_H200 = f"""\
GPU: NVIDIA H200
fact                    value
----------------------  -------------------------------------------
PCI address             0000:01:00.0
PCI ID                  10de:2335
NUMA node               0
memory                  140 GiB, 6144 bit wide
memory clock            at most 3201 MHz
memory clock now        2619 MHz
peak                    2 x 3201 MHz x 6144 bit / 8 = 4,916.74 GB/s
maker's figure          4,800.00 GB/s (catalog: H200)
core clock              at most 1980 MHz
core clock now          345 MHz
link at most            PCIe 5.0 x16, 63.02 GB/s each way
link now                PCIe 1.0 x16
power state             P8
power limit             700 W
ECC                     on
MIG                     off
persistence mode        on
confidential computing  off
virtualization          passed through
driver                  570.86.15
CUDA of the driver      12.8
{AT_REST}"""
EIGHT_H200 = f"""\
GPU: ASPEED 1a03:2000
fact                    value
----------------------  -------------------------------------------
PCI address             0000:00:02.0
PCI ID                  1a03:2000

GPUs: 8 x NVIDIA H200
fact                    value
----------------------  -------------------------------------------
PCI ID                  10de:2335
memory                  140 GiB, 6144 bit wide
memory clock            at most 3201 MHz
peak                    2 x 3201 MHz x 6144 bit / 8 = 4,916.74 GB/s
maker's figure          4,800.00 GB/s (catalog: H200)
core clock              at most 1980 MHz
link at most            PCIe 5.0 x16, 63.02 GB/s each way
power limit             700 W
ECC                     on
MIG                     off
persistence mode        on
confidential computing  off
virtualization          passed through
driver                  570.86.15
CUDA of the driver      12.8

Where they differ
PCI address   NUMA node  link now      state  memory clock now  core clock now
------------  ---------  ------------  -----  ----------------  --------------
0000:01:00.0  0          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:02:00.0  0          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:03:00.0  0          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:04:00.0  0          PCIe 5.0 x16  P0     3201 MHz          1980 MHz
0000:05:00.0  1          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:06:00.0  1          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:07:00.0  1          PCIe 1.0 x16  P8     2619 MHz          345 MHz
0000:08:00.0  1          PCIe 1.0 x16  P8     2619 MHz          345 MHz

Clocks held down by power limit: 0000:04:00.0
{AT_REST}"""
GTX_1080 = f"""\
GPU: NVIDIA GeForce GTX 1080
fact                value
------------------  ---------------------------------------------------
PCI address         0000:01:00.0
PCI ID              10de:1b80
memory              8 GiB, 256 bit wide
memory clock        at most 5005 MHz
peak                2 x 5005 MHz x 256 bit / 8 = 320.32 GB/s
maker's figure      320.00 GB/s (catalog: GeForce GTX 1080, unverified)
core clock          at most 1911 MHz
link at most        PCIe 3.0 x16, 15.75 GB/s each way
link now            PCIe 1.0 x16
power state         P0
driver              570.86.15
CUDA of the driver  12.8
{AT_REST}"""
MI300X = """\
GPU: AMD Instinct MI300X (by PCI ID)
fact            value
--------------  ----------------------------------------
PCI address     0000:26:00.0
PCI ID          1002:74a1
NUMA node       1
memory          192 GiB, 8192 bit wide
memory clock    at most 1300 MHz
maker's figure  5,300.00 GB/s (catalog: Instinct MI300X)
link at most    PCIe 5.0 x16, 63.02 GB/s each way
"""


def test_one_gpu_whose_driver_tells_all():
    assert text_of(found(h200_on_the_bus(), H200())) == ONE_H200


def test_eight_gpus_share_a_table_and_have_a_row_each_where_they_differ():
    facts = found(h200_on_the_bus(8) | ASPEED, h200_with_one_at_work(8, at_work=3))
    assert text_of(facts) == EIGHT_H200
    assert gpu_names(facts.value("gpus")) == "ASPEED 1a03:2000, 8 x NVIDIA H200"


def test_a_gpu_that_refuses_has_fewer_rows():
    facts = found({"/dev/nvidiactl": ""}, Gtx1080())
    assert text_of(facts) == GTX_1080


def test_an_amd_gpu_has_its_maker_s_figure_and_no_peak_guessed_from_its_clock():
    """KFD's clock counts twice or four times, by a family that it does not tell; its newer cards have no name."""
    assert text_of(found(amd("ip discovery", 0x74A1, 8192, 1300, 192))) == MI300X


def test_an_amd_gpu_whose_pci_id_stands_for_several_has_no_maker_s_figure():
    module = text_of(found(amd("aldebaran", 0x740C, 4096, 1600, 64)))  # one of the two GPUs of an MI250 or MI250X
    assert module.startswith("GPU: AMD aldebaran\n")
    assert "maker" not in module
    assert "peak" not in module
    assert gpu_names(found(amd("ip discovery", 0x740C, 4096, 1600, 64)).value("gpus")) == "AMD 1002:740c"


def test_the_maker_s_figure_of_a_gpu_whose_pci_id_is_in_a_user_s_file(user_specs):
    folder = user_specs / "devices"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        '["My Card"]\nmaker = "AMD"\nkind = "gpu"\nmemory = "HBM3 5.2Gbps x8"\nvendor_gb_s = 5300\n'
        'pci_ids = ["1002:fff1"]\nsource = "a test"\n'
    )
    text = text_of(found(amd("ip discovery", 0xFFF1, 8192, 1300, 192)))
    assert text.startswith("GPU: AMD My Card (by PCI ID)\n")
    assert "maker's figure  5,300.00 GB/s (catalog: My Card)\n" in text


def test_gpus_of_which_the_bus_alone_is_known():
    facts = found(h200_on_the_bus(2))
    assert gpu_names(facts.value("gpus")) == "2 x NVIDIA H200 (by PCI ID)"
    assert text_of(facts) == (
        "GPUs: 2 x NVIDIA H200 (by PCI ID)\n"
        "fact            value\n"
        "--------------  ---------------------------------\n"
        "PCI addresses   0000:01:00.0, 0000:02:00.0\n"
        "PCI ID          10de:2335\n"
        "NUMA node       0\n"
        "maker's figure  4,800.00 GB/s (catalog: H200)\n"
        "link at most    PCIe 5.0 x16, 63.02 GB/s each way\n"
        "link now        PCIe 1.0 x16\n"
        f"{AT_REST}"
    )


def test_no_gpus_have_no_table():
    assert gpu_tables(found({})) == gpu_tables(Facts({})) == ()
    assert gpu_names([]) == "none"


def test_two_slots_of_different_width():
    driver = H200(
        2, nvmlDeviceGetMaxPcieLinkWidth=lambda handle: (16, 8)[handle], nvmlDeviceGetCurrPcieLinkGeneration=None
    )
    text = text_of(found({"/dev/nvidiactl": ""}, driver))
    assert (
        "Where they differ\n"
        "PCI address   link at most\n"
        "------------  ---------------------------------\n"
        "0000:01:00.0  PCIe 5.0 x16, 63.02 GB/s each way\n"
        "0000:02:00.0  PCIe 5.0 x8, 31.51 GB/s each way\n"
    ) in text


def test_where_all_differs_it_still_fits():
    driver = H200(
        3,
        nvmlDeviceGetMaxPcieLinkWidth=lambda handle: (16, 8, None)[handle],
        nvmlDeviceGetPerformanceState=lambda handle: (0, 8, None)[handle],
        nvmlDeviceGetClockInfo=lambda handle, kind: (3201, 345, None)[handle],
        nvmlDeviceGetCurrPcieLinkGeneration=lambda handle: handle + 1,
        nvmlDeviceGetCurrentClocksEventReasons=lambda handle: (0x4 | 0x40, 0x4, None)[handle],
    )
    nodes = {f"{PCI}/0000:0{number}:00.0/numa_node": f"{number}\n" for number in (1, 2)}
    text = text_of(found(h200_on_the_bus(2) | nodes, driver))
    assert text.split("Where they differ\n")[1] == (
        "PCI address   NUMA  link at most         link now      state  memory    core\n"
        "              node                                            clock     clock\n"
        "                                                              now       now\n"
        "------------  ----  -------------------  ------------  -----  --------  --------\n"
        "0000:01:00.0  1     PCIe 5.0 x16, 63.02  PCIe 1.0 x16  P0     3201 MHz  3201 MHz\n"
        "                    GB/s each way\n"
        "0000:02:00.0  2     PCIe 5.0 x8, 31.51   PCIe 2.0 x16  P8     345 MHz   345 MHz\n"
        "                    GB/s each way\n"
        "0000:03:00.0  -     PCIe 5.0             PCIe 3.0 x16  -      -         -\n"
        "\n"
        "Clocks held down by power limit; heat, by the hardware: 0000:01:00.0\n"
        "Clocks held down by power limit: 0000:02:00.0\n"
        f"{AT_REST}"
    )


def test_where_places_and_reasons_alone_differ_there_is_no_second_table():
    facts = found({"/dev/nvidiactl": ""}, H200(2, nvmlDeviceGetCurrentClocksEventReasons=lambda handle: handle * 0x8))
    text = text_of(facts)
    assert "PCI addresses           0000:01:00.0, 0000:02:00.0\n" in text
    assert "\n\nClocks held down by hardware slowdown: 0000:02:00.0\n" in text
    assert "Where they differ" not in text


@pytest.mark.parametrize(
    ("reasons", "row"),
    [
        (["power limit", "heat, by the driver"], (("clocks held down by", "power limit; heat, by the driver"),)),
        ([], ()),
        (["", 5, None], ()),
        ("power limit", ()),
    ],
)
def test_what_holds_the_clocks_down_is_told_where_something_does(reasons, row):
    tables = gpu_tables(listed({"throttle_reasons": reasons}))
    assert tuple(rows for table in tables for rows in table.rows) == row


def test_gpus_that_are_held_down_alike_share_the_row():
    text = text_of(found({"/dev/nvidiactl": ""}, H200(2, nvmlDeviceGetCurrentClocksEventReasons=0x20)))
    assert "clocks held down by     heat, by the driver\n" in text
    assert "Clocks" not in text


def test_gpus_whose_ecc_or_mig_differs_have_tables_of_their_own():
    driver = H200(
        3,
        nvmlDeviceGetEccMode=lambda handle: [int(handle != 1), 0],
        nvmlDeviceGetMigMode=lambda handle: [int(handle == 2), 0],
    )
    text = text_of(found({"/dev/nvidiactl": ""}, driver))
    assert text.count("GPU: NVIDIA H200\n") == 3
    assert text.endswith(
        "With MIG on, an instance has some of the memory channels: the peak is that of\n  the whole card.\n"
    )


@pytest.mark.parametrize(
    ("now", "is_told"),
    [
        ({"current_memory_clock_mhz": 3201, "current_sm_clock_mhz": 1980, "current_link_generation": 5}, False),
        ({"current_memory_clock_mhz": 2619}, True),
        ({"current_sm_clock_mhz": 345}, True),
        ({"current_link_generation": 1}, True),
        ({}, False),
    ],
)
def test_what_may_rest_is_told_where_it_is_below_its_most(now, is_told):
    most = {"memory_clock_mhz": 3201, "sm_clock_mhz": 1980, "max_link_generation": 5}
    assert text_of(listed(most | now)).endswith(AT_REST) == is_told


def test_gpus_that_differ_otherwise_have_tables_of_their_own():
    driver = H200(3, nvmlDeviceGetName=lambda handle: "NVIDIA H100 NVL" if handle == 1 else "NVIDIA H200")
    text = text_of(found({"/dev/nvidiactl": ""}, driver))
    assert [line for line in text.splitlines() if line.startswith("GPU")] == [
        "GPUs: 2 x NVIDIA H200",
        "GPU: NVIDIA H100 NVL",
    ]
    assert "PCI addresses           0000:01:00.0, 0000:03:00.0\n" in text


def test_the_unit_counts_for_every_rate():
    text = text_of(found({"/dev/nvidiactl": ""}, H200()), "TB/s")
    assert [line.split("  ")[-1] for line in text.splitlines() if "B/s" in line] == [
        "2 x 3201 MHz x 6144 bit / 8 = 4.92 TB/s",
        "4.80 TB/s (catalog: H200)",
        "PCIe 5.0 x16, 0.06 TB/s each way",
    ]


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ({"max_link_gt_s": 8.0, "max_link_width": 4}, "PCIe 3.0 x4, 3.94 GB/s each way"),
        ({"max_link_gt_s": 16, "max_link_generation": 3, "max_link_width": 16}, "PCIe 3.0 x16, 15.75 GB/s each way"),
        ({"max_link_gt_s": 20.0, "max_link_width": 16}, "20 GT/s x16"),
        ({"max_link_generation": 16, "max_link_width": 16}, "PCIe 16.0 x16"),
        ({"max_link_generation": 5, "max_link_width": 5}, "PCIe 5.0 x5"),
        ({"max_link_gt_s": 16.0}, "PCIe 4.0"),
        ({"max_link_width": 16}, "x16"),
    ],
)
def test_what_is_known_of_a_link(link, text):
    assert gpu_tables(listed(link))[0].rows == (("link at most", text),)


def test_no_fact_is_passed_over():
    driver = H200(nvmlDeviceGetCurrentClocksEventReasons=POWER_LIMIT)
    facts = found(h200_on_the_bus() | amd("aldebaran", 0x740C, 4096, 1600, 64), driver)
    nvidia, card = facts.value("gpus")
    # The driver's generation of the link counts, and the bus says the same in GT/s.
    nvidia = {name: value for name, value in nvidia.items() if not name.endswith("_gt_s")}
    for gpu in (nvidia, card):
        for name in gpu:
            without = {key: value for key, value in gpu.items() if key != name}
            assert text_of(listed(without)) != text_of(listed(gpu)), name


def test_every_format_has_the_peak_and_the_maker_s_figure():
    facts = found(h200_on_the_bus(2), H200(2))
    for format_name in set(FORMATS) - {"json", "csv"}:
        text = text_of(facts, format_name=format_name)
        assert "2 x 3201 MHz x 6144 bit / 8 = 4,916.74 GB/s" in text
        assert "4,800.00 GB/s" in text
        assert "GPUs: 2 x NVIDIA H200" in text


# --- facts that are not what they should be


def assert_legible(facts):
    assert gpu_names(facts.value("gpus", [])).isprintable()
    for format_name in set(FORMATS) - {"json", "csv"}:
        lines = text_of(facts, format_name=format_name).splitlines()
        assert all(line.isprintable() for line in lines)
        assert format_name != "table" or max(map(len, lines)) <= 80


def test_a_name_with_escape_characters_stays_text():
    hostile = {"name": "\x1b[31mred\x07\n<b>|\u202e\ud800", "vendor": "\x9b\t", "address": "\r0000:01:00.0"}
    facts = listed(hostile, hostile | {"vendor": "X" * 300}, hostile | {"address": "y" * 300})
    assert gpu_names([hostile]) == "[31mred <b>|"
    assert_legible(facts)
    assert "&lt;b&gt;" in text_of(facts, format_name="html")


@pytest.mark.parametrize(
    "value",
    ["3201", "", None, True, [], [1], {"a": 1}, -1, 0, 10**400, float("inf")],
    ids=["text", "empty", "null", "true", "no list", "list", "object", "below 0", "0", "10**400", "infinite"],
)
def test_values_that_are_not_what_is_due_are_unknown(value):
    gpu = found(h200_on_the_bus(), H200()).value("gpus")[0]
    numbers = [name for name, own in gpu.items() if isinstance(own, (int, float)) and not isinstance(own, bool)]
    assert len(numbers) == 14
    for name in numbers:
        if name != "numa_node" or value != 0:
            without = {key: own for key, own in gpu.items() if key != name}
            assert gpu_tables(listed(gpu | {name: value})) == gpu_tables(listed(without))
    facts = listed(gpu | dict.fromkeys(gpu, value))
    assert_legible(facts)


@pytest.mark.parametrize(
    ("value", "names"),
    [(["odd", 1, None, []], "unknown"), ("odd\x1b", "unknown"), ({"a": 1}, "unknown"), ([{}, "odd"], "unnamed")],
)
def test_entries_that_are_not_objects_are_passed_over(value, names):
    assert gpu_names(value) == names
    assert gpu_tables(Facts({"gpus": Fact(value, "a test", "given")})) == ()


def test_a_broken_entry_of_the_catalog_leaves_the_figure_out(user_specs):
    folder = user_specs / "devices"
    folder.mkdir()
    (folder / "mine.toml").write_text('["My Card"]\npci_ids = ["10de:2335"]\nmemory = 5\n')
    text = text_of(found({"/dev/nvidiactl": ""}, H200(nvmlDeviceGetName="My Card")))
    assert "maker" not in text
    assert "4,916.74 GB/s" in text


KEYS = sorted(found(h200_on_the_bus(), H200()).value("gpus")[0])
JSON = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(st.characters(max_codepoint=sys.maxunicode), max_size=90),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(JSON | st.dictionaries(st.sampled_from(KEYS), JSON), max_size=4))
def test_any_facts_are_survived(gpus):
    assert_legible(listed(*gpus))
