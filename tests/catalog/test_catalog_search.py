"""Devices are found by what people call them, and never by what another product is called."""

import csv
import time
import tomllib
from pathlib import Path

import pytest

from bandwidth.catalog import Catalog, current_catalog, folders, places
from bandwidth.catalog.folders import Folders
from bandwidth.errors import BandwidthError
from bandwidth.theory import peak

# Real names with their numbers, from dumps and makers' pages; not part of a checkout.
CPUID = Path(__file__).parents[2].parent / "shared" / "data" / "cpuid.csv"

CARDS = """
["GeForce RTX 5090"]
maker = "NVIDIA"
kind = "gpu"
memory = "GDDR7 28Gbps 512-bit"
source = "a test"

["GeForce RTX 5090 Laptop GPU"]
maker = "NVIDIA"
kind = "gpu"
memory = "GDDR7 28Gbps 256-bit"
source = "a test"

["GeForce RTX 4070 Ti SUPER"]
maker = "NVIDIA"
kind = "gpu"
memory = "GDDR6X 21Gbps 256-bit"
source = "a test"

["Tesla A1000 PCIe 40GB"]
maker = "NVIDIA"
kind = "gpu"
memory = "HBM2 2.43Gbps x5"
aliases = ["TA1000-40"]
source = "a test"

["Tesla A1000 SXM 40GB"]
maker = "NVIDIA"
kind = "gpu"
memory = "HBM2 3.2Gbps x5"
source = "a test"

["Test CPU 9654"]
maker = "AMD"
kind = "cpu"
memory = "DDR5-4800 x12"
model_names = ["AMD TEST 9654 96-Core Processor", "AMD TEST 9654P"]
source = "a test"

["Test CPU generation"]
maker = "AMD"
kind = "cpu"
memory = "DDR5-4800 x12"
cpuid = ["AuthenticAMD 250 17"]
source = "a test"
"""


@pytest.fixture
def own(tmp_path):
    """Return the folder of devices of a package that has the cards above alone."""
    folder = tmp_path / "own" / "devices"
    folder.mkdir(parents=True)
    (folder / "cards.toml").write_text(CARDS, "utf-8")
    return folder


@pytest.fixture
def users(tmp_path):
    """Return the user's folder of specs, an empty one."""
    folder = tmp_path / "users"
    folder.mkdir()
    return folder


@pytest.fixture
def read(own, users):
    """Return what reads both folders as they are then."""
    return lambda: Catalog([users], own.parent)


@pytest.fixture
def find(read):
    """Return what finds a device in both folders as they are then."""
    return lambda query: read().devices.find(query)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("GeForce RTX 5090", "GeForce RTX 5090"),
        ("rtx5090", "GeForce RTX 5090"),
        ("RTX 5090", "GeForce RTX 5090"),
        ("rtx 5090 laptop", "GeForce RTX 5090 Laptop GPU"),
        ("RTX 5090 Mobile", "GeForce RTX 5090 Laptop GPU"),
        ("rtx-4070-ti-super", "GeForce RTX 4070 Ti SUPER"),
        ("rtx 4070 super ti", "GeForce RTX 4070 Ti SUPER"),
        ("AMD TEST 9654P", "Test CPU 9654"),
        ("a1000 pcie", "Tesla A1000 PCIe 40GB"),
        ("ta1000-40", "Tesla A1000 PCIe 40GB"),
        ("TESLAA1000SXM40GB", "Tesla A1000 SXM 40GB"),
    ],
)
def test_names_as_people_write_them(find, query, name):
    assert find(query).name == name


def answered(find, query):
    """Return the name of the device that a query is answered with, None where it is refused or listed."""
    try:
        device = find(query)
    except BandwidthError:
        return None
    return device and device.name


@pytest.mark.parametrize(
    "query",
    [
        *("RTX 4070", "RTX 4070 Ti", "4070 super", "RTX 50", "RTX 5090 Ti", "9654X", "", "ß"),
        *("5090", "5090 laptop", "40", "40GB", "40GB HBM2", "AMD GeForce RTX 5090", "Intel RTX 5090 Laptop GPU"),
    ],
)
def test_name_never_answers_for_another_product(find, query):
    assert answered(find, query) is None


@pytest.mark.parametrize("query", ["5000M", "Card 5000", "M5000M", "X300", "300X", "Card 300"])
def test_letters_on_a_number_make_another_product(own, find, query):
    entry = '["Card {}"]\nmaker = "M"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "a test"\n'
    (own / "cards.toml").write_text(entry.format("M5000") + entry.format("MI300X"))
    assert find("M5000").name == "Card M5000"
    assert find("card mi 300 x").name == "Card MI300X"
    assert answered(find, query) is None


@pytest.mark.parametrize("query", ["GeForce", "RTX", "Test CPU"])
def test_name_of_a_family_lists_its_members(find, query):
    with pytest.raises(BandwidthError, match="fits several devices; choose one: "):
        find(query)


def test_variant_is_not_chosen_because_its_name_is_shortest(own, find):
    text = CARDS.replace("Tesla A1000 PCIe 40GB", "Tesla A1000 40GB")
    (own / "cards.toml").write_text(text, "utf-8")
    with pytest.raises(BandwidthError, match="choose one: Tesla A1000 40GB, Tesla A1000 SXM 40GB"):
        find("Tesla A1000")


def test_laptop_part_never_answers_for_the_card_even_when_it_is_the_only_one(own, find):
    text = CARDS.replace('["GeForce RTX 5090"]', '["GeForce RTX 5091"]')
    (own / "cards.toml").write_text(text, "utf-8")
    assert answered(find, "RTX 5090") is None


def test_tie_lists_the_candidates(find):
    with pytest.raises(BandwidthError) as caught:
        find("A1000 40GB")
    assert caught.value.hint == "choose one: Tesla A1000 SXM 40GB, Tesla A1000 PCIe 40GB"


def test_a_name_is_known_as_it_stands_and_a_number_is_none(find, read):
    devices = read().devices
    known = ["TA1000-40", "GeForce RTX 5090", "RTX 5090", "40GB", "9654", ""]
    assert [devices.has_name(name) for name in known] == [True, True, False, False, False, False]


def test_search_lists_every_device_with_the_words(read):
    assert read().devices.search("rtx 5090") == ["GeForce RTX 5090", "GeForce RTX 5090 Laptop GPU"]


def test_near_miss_is_suggested(read):
    assert read().devices.near_names("GeForec RTX 5090") == ("GeForce RTX 5090",)


def test_what_has_other_numbers_is_not_suggested(read):
    assert read().devices.near_names("GeForce RTX 5080") == ()


@pytest.mark.parametrize("name", ["GeForce RTX 5090", "geforce rtx5090"])
def test_users_entry_takes_the_place_of_ours_under_all_its_names(users, read, find, name):
    entry = f'["{name}"]\nmaker = "me"\nkind = "gpu"\nmemory = "DDR4-3200"\nsource = "x"\n'
    (users / "mine.toml").write_text(entry)
    assert find("RTX 5090").maker == "me"
    assert find("GeForce RTX 5090").maker == "me"
    makers = [device.maker for device in read().devices.all() if "5090" in device.name and "Laptop" not in device.name]
    assert makers == ["me"]


def test_users_file_may_be_written_in_any_way_that_toml_allows(users, find):
    fields = 'maker = "me"\nkind = "gpu"\nmemory = "DDR4-3200"\nsource = """\n["Fake 999"]\n"""\n'
    text = f"""
"Odd 206" = {{maker = "me", kind = "gpu", memory = "DDR4-3200", source = "x"}}
[ "Odd 201" ]  # spaces
{fields}
  ['Odd 202']
  aliases = ["Uneven 203", # not ] the end
    'Uneven 204']
{fields}
["Odd \\u0032\\u0030\\u0035"]
{fields}
"""
    (users / "mine.toml").write_text(text)
    for query in ("Odd 201", "Odd 202", "Uneven 203", "Uneven 204", "Odd 205", "Odd 206"):
        assert find(query).maker == "me", query
    assert find("Fake 999") is None


BROKEN = [b"", b"# nothing\n", b"\xff\xfe", b"x = = 1", b"[Foo.bar]\n", b"x = " + b"[" * 5000, b"x = 1"]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_broken_file_of_the_user_affects_nothing_else(users, find, content):
    (users / "mine.toml").write_bytes(content)
    assert find("RTX 5090").name == "GeForce RTX 5090"
    assert find("No such 1") is None


def test_broken_file_and_entry_are_named(users, read, find):
    (users / "broken.toml").write_text("maker = = ")
    (users / "mine.toml").write_text('["Bad 2"]\nmaker = 5\n')
    catalog = read()
    assert len(catalog.devices.all()) == 7
    lines = catalog.folders.broken
    assert any("broken.toml is not TOML" in line for line in lines)
    assert any("mine.toml: [Bad 2]: " in line for line in lines)
    with pytest.raises(BandwidthError, match=r"mine.toml: \[Bad 2\]: "):
        find("Bad 2")


def test_scan_of_our_own_files_finds_what_toml_says():
    for path in current_catalog().folders.own_device_files():
        tables = tomllib.loads(path.read_text("utf-8"))
        found = {place.name: place for place in places.scanned(path)}
        assert list(found) == list(tables)
        for name, table in tables.items():
            for key in ("aliases", "cpuid", "model_names"):
                assert list(getattr(found[name], key)) == table.get(key, []), f"{name}: {key}"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (("AuthenticAMD", 250, 17, "AMD TEST 9654 96-Core Processor"), "Test CPU 9654"),
        (("AuthenticAMD", 250, 17, "AMD TEST 9654P"), "Test CPU 9654"),
        (("AuthenticAMD", 250, 17, "AMD TEST"), "Test CPU generation"),
        (("AuthenticAMD", 250, 17, ""), "Test CPU generation"),
        (("AuthenticAMD", 250, 18, "AMD TEST 9654"), "Test CPU 9654"),
        (("AuthenticAMD", 250, 17, "AMD TEST 9999"), None),
        (("GenuineIntel", 250, 17, ""), None),
    ],
)
def test_processor_by_its_whole_name_else_by_its_numbers(read, identity, name):
    found = read().devices.processor(*identity)
    assert (None if found is None else found.name) == name


@pytest.mark.parametrize(
    ("model_name", "found"),
    [("AMD EPYC", "Test EPYC"), ("AMD Ryzen", "Test Ryzen"), ("AMD Opteron", None), ("AMD", None)],
)
def test_brand_in_the_name_tells_generations_of_the_same_numbers_apart(own, read, model_name, found):
    entry = CARDS[CARDS.index('["Test CPU generation"]') :]
    (own / "cards.toml").write_text(
        entry.replace("Test CPU generation", "Test EPYC") + entry.replace("Test CPU generation", "Test Ryzen")
    )
    device = read().devices.processor("AuthenticAMD", 250, 17, model_name)
    assert (None if device is None else device.name) == found


def test_numbers_that_two_generations_share_tell_neither(users, read):
    (users / "more.toml").write_text(CARDS[CARDS.index('["Test CPU generation"]') :].replace("generation", "sister"))
    assert read().devices.processor("AuthenticAMD", 250, 17, "") is None


def test_look_up_stays_quick_in_a_catalog_of_four_thousand(own, find):
    entry = '["Radeon Card {0}"]\nmaker = "V"\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = "made up"\n\n'
    for part in range(10):
        numbers = range(part * 400, part * 400 + 400)
        (own / f"many{part}.toml").write_text("".join(entry.format(10_000 + number) for number in numbers))
    start = time.perf_counter()
    assert find("Card 13999").name == "Radeon Card 13999"
    assert time.perf_counter() - start < 1.0  # a look-up that parses everything takes several seconds


def test_user_folders_by_variable_option_and_config(tmp_path, monkeypatch):
    by_variable, by_option = tmp_path / "variable", tmp_path / "option"
    config = tmp_path / "config" / "bandwidth" / "specs"
    for folder in (by_variable, by_option, config):
        folder.mkdir(parents=True)
    monkeypatch.setenv("BANDWIDTH_SPECS", str(by_variable))
    monkeypatch.setattr(folders, "_config_folder", lambda: tmp_path / "config")
    assert Folders([by_option]).users == (config, by_variable, by_option)


def test_missing_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BANDWIDTH_SPECS", str(tmp_path / "none"))
    with pytest.raises(BandwidthError, match="none does not exist; correct --specs or BANDWIDTH_SPECS"):
        _ = Folders().users


def test_families_of_the_user_override_and_extend(user_specs):
    table = (
        "width_bits = 64\nunit = 'channel'\nrate_unit = 'MT/s'\nlowest_mt_s = 1\nhighest_mt_s = 9\nsource = 'mine'\n"
    )
    (user_specs / "memory.toml").write_text(f"[DDR9]\n{table}\n[DDR4]\n{table}")
    families = {family.name: family for family in Catalog().families}
    assert families["DDR9"].source == families["DDR4"].source == "mine"
    assert families["DDR5"].source != "mine"


def test_a_card_is_found_by_its_pci_id_and_else_by_its_exact_name():
    assert current_catalog().devices.by_pci_id("10de", "2335", "NVIDIA H200").name == "H200"
    assert current_catalog().devices.by_pci_id("10DE", "2335", "a name that a vendor made up").name == "H200"
    assert current_catalog().devices.by_pci_id("", "", "NVIDIA GeForce RTX 4090").name == "GeForce RTX 4090"
    assert current_catalog().devices.by_pci_id("10de", "20b0", "NVIDIA A100-SXM4-40GB").name == "A100 40GB"
    assert current_catalog().devices.by_pci_id("1002", "74a1", "ip discovery").name == "Instinct MI300X"
    assert current_catalog().devices.by_pci_id("8086", "e20b", "").name == "Arc B580"
    assert current_catalog().devices.by_pci_id("10de", "ffff", "NVIDIA GeForce") is None
    assert current_catalog().devices.by_pci_id("", "", "") is None


# What amdgpu.ids, pci.ids and Intel's compute-runtime give to several products, told apart by a revision or not at all.
@pytest.mark.parametrize(
    "shared",
    [
        "1002:66a1",  # Instinct MI50 and MI60, Radeon Pro VII
        "1002:6860",  # Instinct MI25 and MI25x2, Radeon Pro V320 and V340
        "1002:740c",  # Instinct MI250 and MI250X
        "1002:744c",  # Radeon RX 7900 XTX, XT, GRE and M
        "1002:7480",  # Radeon RX 7600, 7600 XT, 7650 GRE, Radeon Pro W7600
        "1002:7550",  # Radeon RX 9070, 9070 XT, 9070 GRE
        "1002:7551",  # Radeon AI PRO R9700 and R9600D
        "8086:56a0",  # Arc A770 with 8 and with 16 GB
        "8086:56b1",  # Arc Pro A40 and A50
    ],
)
def test_an_id_of_several_products_names_none_of_them(shared):
    assert current_catalog().devices.by_pci_id(*shared.split(":"), "ip discovery") is None


def test_an_id_that_several_cards_share_is_decided_by_the_name(user_specs):
    cards = "".join(
        f'["My Card {size}GB"]\nmaker = "AMD"\nkind = "gpu"\nmemory = "GDDR6 16Gbps 256-bit"\n'
        f'pci_ids = ["1002:fff1"]\nsource = "a test"\n'
        for size in (8, 16)
    )
    (user_specs / "devices").mkdir()
    (user_specs / "devices" / "mine.toml").write_text(cards)
    found = [Catalog().devices.by_pci_id("1002", "fff1", name) for name in ("AMD My Card 16GB", "My Card", "")]
    assert [device and device.name for device in found] == ["My Card 16GB", None, None]


@pytest.mark.skipif(not CPUID.is_file(), reason="the processors with their numbers do not lie beside the checkout")
def test_numbers_of_cpuid_tell_what_all_of_their_products_have_else_a_range():
    """A name decides; without one the numbers answer where all products have one memory, and tell the most else."""
    devices, figures = current_catalog().devices, {}
    with CPUID.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            is_slip = row["vendor"] == "AuthenticAMD" and row["family"] == "6"  # Xeons under AMD's vendor
            accepted = [float(figure) for figure in f"{row['right_gbps']};{row['accepted_gbps']}".split(";") if figure]
            if not is_slip:
                figures.setdefault((row["vendor"], int(row["family"]), int(row["model"])), []).append(accepted)
    settled = 0
    for numbers, accepted in figures.items():
        known = [peak(device.memory).bytes_per_s / 1e9 for device in devices.processors_of_numbers(*numbers)]
        if known:
            assert max(known) > 0.98 * max(max(one) for one in accepted), numbers
        if (device := devices.processor(*numbers, "")) is not None:
            settled += 1
            rate = peak(device.memory).bytes_per_s / 1e9
            assert all(any(rate == pytest.approx(figure, rel=0.016) for figure in one) for one in accepted), numbers
    assert settled > 10
