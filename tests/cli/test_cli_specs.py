"""`bandwidth specs` as a user runs it."""

import json

import pytest

from bandwidth.catalog import current_catalog, specs_folder
from bandwidth.cli.app import run

CARD = """["Toy Card 77"]
maker = "Toys"
kind = "gpu"
memory = "GDDR6 14Gbps 256-bit"
link = "PCIe 3.0 x16"
source = "a test"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "toys.toml").write_text(CARD)
    return tmp_path


def test_own_device_is_shown_listed_found_and_computed(folder, capsys):
    assert run(["specs", "show", "toy 77", "--specs", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "Toy Card 77" in shown
    assert "448.00" in shown
    assert run(["specs", "list", "toy", "--format", "csv"]) == 0
    assert "Toy Card 77,Toys,gpu,GDDR6 14Gbps 256-bit" in capsys.readouterr().out
    assert run(["specs", "search", "77 card"]) == 0
    assert capsys.readouterr().out == "Toy Card 77\n"
    schemas = {}
    for action in ("search", "list", "show"):
        assert run(["specs", action, "toy 77", "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        schemas.setdefault(data["schema"], set()).add(tuple(data["devices"][0]))
    assert len(schemas) == 2
    assert all(len(fields) == 1 for fields in schemas.values()), "one structure by each schema's name"
    assert run(["theory", "toy card 77", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(row["kind"], row["name"]) for row in results] == [
        ("memory", "Toy Card 77"),
        ("link", "Toy Card 77, PCIe 3.0 x16"),
    ]


def test_own_family_of_memory_is_computed(folder, capsys):
    table = (
        "width_bits = 64\nunit = 'channel'\nrate_unit = 'MT/s'\nlowest_mt_s = 1\nhighest_mt_s = 20000\nsource = 'me'\n"
    )
    (folder / "memory.toml").write_text(f"[TOYRAM]\n{table}")
    assert run(["theory", "TOYRAM-1000"]) == 1
    assert run(["theory", "TOYRAM-1000", "--specs", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["peak_bytes_per_s"] == 8e9


BAND = """["mine"]
target = "host"
paths = ["read"]
low = 0.5
high = 0.6
denominator = "peak"
source = "me"
"""


def test_bands_of_what_is_normal_are_no_devices(folder, capsys):
    (folder / "normal.toml").write_text(BAND)
    assert run(["specs", "validate", str(folder)]) == 0
    assert run(["specs", "validate", str(specs_folder())]) == 0
    capsys.readouterr()
    assert run(["specs", "search", "mine", "--specs", str(folder)]) == 1
    assert run(["specs", "list", "--specs", str(folder), "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert "mine" not in captured.out
    assert "passed over" not in captured.err
    assert current_catalog().normal_bands[0].name == "mine"


def test_faults_of_bands_are_named(folder, capsys):
    (folder / "normal.toml").write_text(BAND.replace("0.5", "0.7"))
    assert run(["specs", "validate", str(folder / "normal.toml")]) == 1
    assert capsys.readouterr().err == "bandwidth: normal.toml: [mine]: low is above high\n"
    (folder / "normal.toml").write_text(BAND.replace('"host"', '"disk"'))
    assert run(["specs", "validate", str(folder)]) == 1
    assert "[mine]: target" in capsys.readouterr().err


def test_validate_names_each_fault_and_exits_1(folder, capsys):
    (folder / "bad.toml").write_text(CARD.replace('"gpu"', "5"))
    assert run(["specs", "validate", str(folder / "toys.toml")]) == 0
    assert capsys.readouterr().out == "1 file is whole\n"
    assert run(["specs", "validate", str(folder / "bad.toml"), str(folder / "none.toml")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 2
    assert "bad.toml: [Toy Card 77]: kind" in captured.err


def test_validate_checks_the_whole_catalog(capsys):
    assert run(["specs", "validate"]) == 0
    assert "files are whole" in capsys.readouterr().out


def test_schema_describes_each_kind_of_tables(capsys):
    assert run(["specs", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    expected = {"memory.toml", "links.toml", "normal.toml", "reference.toml", "decoding.toml", "decoding_host.toml"}
    assert set(schema["files"]) == {"devices/*.toml", *expected}
    assert "memory" in schema["files"]["devices/*.toml"]["required"]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["burn"], 2, "unknown action 'burn'; choose from list, show"),
        (["show"], 2, "specs show needs a name"),
        (["search"], 2, "specs search needs a word"),
        (["show", "no such thing 1"], 1, "no device named 'no such thing 1'"),
        (["show", "GeForec RTX 4090"], 1, "no device named 'GeForec RTX 4090'; did you mean GeForce RTX 4090 or"),
        (["search", "nosuchthing"], 1, "no device name contains 'nosuchthing'"),
        (["list", "--specs", "/no/such/folder"], 2, "--specs /no/such/folder is not a folder"),
        ([], 2, "Missing argument"),
    ],
)
def test_bad_use_is_one_line(words, code, part, capsys):
    assert run(["specs", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert len(captured.err.splitlines()) == 1


TABLE = "name\taliases\tmemory\tlink\tcapacity\tpci_ids\tyear\tclass\tvendor_gb_s\tsource\n"


def test_faults_of_a_user_s_table_are_named_by_file_line_and_field(folder, capsys):
    rows = ("Toy 1\t-\tGDDR6 zz\t-\t-", "Toy 2\t-\tGDDR6 14Gbps 64-bit\t-\t12XB", "Toy 3\t-\tGDDR6 14Gbps 64-bit\t-\t-")
    (folder / "graphics.tsv").write_text(TABLE + "".join(f"{row}\t-\t2022\tdesktop\t-\tme\n" for row in rows))
    assert run(["specs", "list", "toy", "--specs", str(folder), "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("Toy 3,") == 1
    assert "graphics.tsv: line 2: memory: 'GDDR6 zz'" in captured.err
    assert "graphics.tsv: line 3: capacity: '12XB' is not a size" in captured.err
    assert run(["theory", "Toy 1"]) == 1
    assert "graphics.tsv: line 2: the entry of Toy 1: memory: 'GDDR6 zz'" in capsys.readouterr().err
    assert run(["theory", "Toy 2"]) == 1
    assert "graphics.tsv: line 3: capacity" in capsys.readouterr().err


def test_search_reads_a_pasted_name(capsys):
    assert (
        run(["specs", "search", "01:00.0 VGA compatible controller: NVIDIA Corporation AD102 [GeForce RTX 4090 D]"])
        == 0
    )
    assert capsys.readouterr().out == "GeForce RTX 4090 D\n"
