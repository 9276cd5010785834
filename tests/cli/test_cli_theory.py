"""`bandwidth theory` as a user runs it: both streams, the exit code, the files."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import stat
import subprocess
import sys

import pytest
from called import Ran

from bandwidth import __version__
from bandwidth.report import FORMATS

FOUR_CHANNELS = """\
              memory or link             peak GB/s
------------  -------------------------  ---------
DDR4-2933 x4  2933.33 MT/s x 64 bit x 4      93.87
"""
PLAIN_FORMULA = """\
                                      rate  peak GB/s       MB/s
----------------------------  ------------  ---------  ---------
1466.67 MHz x 2 x 64 bit x 4  2933.34 MT/s      93.87  93,866.88
"""
ONE_CHANNEL = """\
           memory or link         peak GB/s
---------  ---------------------  ---------
DDR4-2933  2933.33 MT/s x 64 bit      23.47
"""
# The contract's, in its order.
FIELDS = [
    *("query", "name", "kind", "family", "peak_bytes_per_s", "vendor_bytes_per_s", "capacity_bytes", "rate_mt_s"),
    *("width_bits", "units", "coding", "direction", "bidirectional_bytes_per_s", "working", "source", "notes"),
]
FORMULA = ["--clock", "1466.67MHz", "--transfers", "2", "--width", "64"]
SEVERAL = ["DDR4-2933 x4", "GDDR6 14Gbps 256-bit", "PCIe 4.0 x16"]
PEAKS_GB_S = ["93.87", "448.00", "31.51"]


@pytest.fixture
def type_in(monkeypatch):
    def type_in(text):
        data = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))

    return type_in


def plain_environment(**more):
    """The environment without what makes Typer draw in colours, as on a build server."""
    loud = ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "NO_COLOR", "COLUMNS", "TERMINAL_WIDTH")
    return {name: value for name, value in os.environ.items() if name not in loud} | more


def spawn(*arguments, **options):
    command = [sys.executable, "-m", "bandwidth", *arguments]
    options = {"env": plain_environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, text=True, encoding="utf-8", timeout=60, check=False, **options)


def failed(ran, code, line):
    """Whether a call ended with nothing on standard output and this one line on standard error."""
    return ran == Ran(code, "", f"bandwidth: {line}\n")


# --- the results ------------------------------------------------------------------------------------------------------


def test_the_first_example():
    assert Ran(*_outcome(spawn("theory", "DDR4-2933", "--channels", "4"))) == Ran(0, FOUR_CHANNELS, "")


def test_the_second_example():
    assert Ran(*_outcome(spawn("theory", *FORMULA, "--channels", "4"))) == Ran(0, PLAIN_FORMULA, "")


def _outcome(done):
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("DDR4-2933 x4",),
        ("ddr4-2933x4",),
        ("DDR4-2933", "--channels=4"),
        ("DDR4-2933", "--channels", "2", "--sockets", "2"),
    ],
)
def test_the_same_memory_in_other_words(run, arguments):
    assert run("theory", *arguments) == Ran(0, FOUR_CHANNELS, "")


def test_a_rate_stands_for_clock_and_transfers(run):
    ran = run("theory", "--rate", "2933MT/s", "--width", "64", "--channels", "4")
    assert (ran.code, ran.err) == (0, "")
    assert "93,856.00" in ran.out


def test_the_unit_of_the_table_is_chosen(run):
    assert "87.42" in run("theory", "DDR4-2933 x4", "--unit", "GiB/s").out
    assert "peak GiB/s" in run("theory", "DDR4-2933 x4", "--unit", "giB/S").out


@pytest.mark.parametrize("unit", ["Gb/s", "Gbit/s", "gbps"])
def test_bits_are_shown_as_bits(run, unit):
    ran = run("theory", "PCIe 4.0 x16", "--unit", unit)
    assert "peak Gb/s" in ran.out
    assert " 252.06 " in ran.out  # 16 GT/s x 16 x 128/130
    assert "504.12" in ran.out  # both ways
    assert (
        json.loads(run("theory", "PCIe 4.0 x16", "--unit", unit, "--json").out)["results"][0]["peak_bytes_per_s"] < 4e10
    )
    header, row = run("theory", "PCIe 4.0 x16", "--unit", unit, "--format", "csv").out.splitlines()
    assert dict(zip(header.split(","), row.split(","), strict=False))["peak_bytes_per_s"].startswith("31507692307.69")


def test_a_unit_that_may_be_bits_or_bytes_is_refused(run):
    ran = run("theory", "DDR4-2933 x4", "--unit", "gb/s")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "bandwidth: --unit 'gb/s' can mean bytes or bits per second; write GB/s for bytes or Gb/s for bits\n"
    )


def test_the_options_of_the_view_reach_the_table(run):
    ran = run("theory", "DDR4-2933 x4", "--move", " 1GB\n", "--reference", "DDR4-2933 x2", "--explain")
    header = ran.out.splitlines()[0]
    assert header.split("  ")[-3:] == ["of DDR4-2933 x2", " 1GB in", "a second"]
    assert "2.000  10.7 ms     93.87" in ran.out
    assert "(1466.67 MHz x 2) x 8 bytes x 4 channels = 93,866.67 MB/s" in ran.out
    assert "source: JEDEC JESD79-4" in ran.out


def test_quiet_changes_nothing_of_a_result(run):
    assert run("theory", "DDR4-2933 x4", "-q") == Ran(0, FOUR_CHANNELS, "")


# --- the formats ------------------------------------------------------------------------------------------------------


def _cells(text, row, separator):
    return [[html.unescape(cell).strip() for cell in re.split(separator, line)] for line in re.findall(row, text)]


def _peaks(text, format_name):
    """The names and peaks that a text in any format holds, the peaks in GB/s with two decimals."""
    if format_name in ("json", "csv"):
        rows = json.loads(text)["results"] if format_name == "json" else csv.DictReader(io.StringIO(text))
        return [(row["name"], f"{float(row['peak_bytes_per_s']) / 1e9:.2f}") for row in rows]
    if format_name == "html":
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in re.findall(r"<tr>(.*?)</tr>", text)]
    else:
        patterns = {
            "table": (r"(?m)^\S.*$", r"\s{2,}"),
            "markdown": (r"(?m)^\|(.*)\|$", r"\|"),
            "latex": (r"(?m)^(.*)\\\\$", "&"),
        }
        rows = _cells(text, *patterns[format_name])
    rows = [[cell.strip() for cell in row] for row in rows]
    return [(row[0], row[2]) for row in rows if row[0] in SEVERAL]


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_reads_back_to_the_same_numbers(run, format_name):
    ran = run("theory", *SEVERAL, "--format", format_name)
    assert (ran.code, ran.err) == (0, "")
    assert _peaks(ran.out, format_name) == list(zip(SEVERAL, PEAKS_GB_S, strict=True))


def test_json_has_exactly_the_fields_of_the_contract(run):
    ran = run("theory", "DDR4-2933 x4", "PCIe 4.0 x16", "--json", "--unit", "TB/s")
    data = json.loads(ran.out)
    assert list(data) == ["schema", "results"]
    assert data["schema"] == "bandwidth/theory/1"
    assert [list(result) for result in data["results"]] == [FIELDS, FIELDS]
    memory, link = data["results"]
    assert {name: memory[name] for name in FIELDS[:13]} == {
        "query": "DDR4-2933 x4",
        "name": "DDR4-2933 x4",
        "kind": "memory",
        "family": "DDR4",
        "peak_bytes_per_s": 93866666666.66667,
        "vendor_bytes_per_s": None,
        "capacity_bytes": None,
        "rate_mt_s": 2933.3333333333335,
        "width_bits": 64,
        "units": 4,
        "coding": "1/1",
        "direction": None,
        "bidirectional_bytes_per_s": None,
    }
    assert (link["kind"], link["units"], link["coding"]) == ("link", 16, "128/130")
    assert link["bidirectional_bytes_per_s"] == 2 * link["peak_bytes_per_s"]
    assert all(isinstance(note, str) for result in data["results"] for note in result["notes"])


@pytest.mark.parametrize(
    "arguments", [("--json",), ("--format", "json"), ("--format", "JSON"), ("--json", "--format", "json")]
)
def test_json_is_asked_for_in_two_ways(run, arguments):
    assert json.loads(run("theory", "DDR4-2933", *arguments).out)["results"][0]["units"] == 1


# --- standard input ---------------------------------------------------------------------------------------------------


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_line(run, type_in):
    type_in(b"\xef\xbb\xbfDDR4-2933 x4\r\n")
    assert "93.87" in run("theory", "-").out
    type_in(b"DDR4-2933 x4\n\xef\xbb\xbfDDR4-2933 x4\n")
    assert run("theory", "-").err.startswith("bandwidth: line 2: '\\ufeffDDR4-2933 x4' contains characters outside")


def test_lines_of_standard_input_are_read(run, type_in):
    type_in("# the server\n\nDDR4-2933 x4\r\n")
    assert run("theory", "-") == Ran(0, FOUR_CHANNELS, "")


def test_a_bad_line_is_named_by_its_number_and_fails_the_call(run, type_in):
    type_in("DDR4-2933\n\nDDR9-1\nDDR4-3200\nDDR4-0\n")
    ran = run("theory", "-")
    assert (ran.code, ran.out) == (1, "")
    first, second = ran.err.splitlines()
    assert first.startswith("bandwidth: line 3: 'DDR9-1' is not a known memory, link or device; ")
    assert second.startswith("bandwidth: line 5: DDR4 does not exist at 0 MT/s; ")


def test_keep_going_prints_the_others(run, type_in):
    type_in("DDR4-2933\nDDR4-x\n")
    ran = run("theory", "-", "--keep-going")
    assert (ran.code, ran.out) == (1, ONE_CHANNEL)
    assert ran.err.startswith("bandwidth: line 2: 'DDR4-x': 'x' is not understood; ")
    assert ran.err.count("\n") == 1


def test_keep_going_with_nothing_to_print_prints_nothing(run):
    ran = run("theory", "DDR9-1", "--keep-going")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)


def test_bytes_that_are_no_text_are_refused_with_their_line(run, type_in):
    type_in(b"DDR4-2933\n\xff\xfe\n")
    ran = run("theory", "-")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("bandwidth: line 2: '\\ufffd\\ufffd' contains characters outside ASCII; ")


def test_an_empty_standard_input_is_said(run, type_in):
    type_in("\n# nothing\n")
    assert failed(run("theory", "-"), 1, "standard input contains no SPEC; write one per line, such as DDR4-2933 x4")


def test_standard_input_is_read_once(run, type_in):
    type_in("DDR4-2933\n")
    assert failed(run("theory", "-", "-"), 2, "standard input is named twice; use - once")


def test_a_real_pipe_is_read():
    done = spawn("theory", "-", input="DDR4-2933\n")
    assert _outcome(done) == (0, ONE_CHANNEL, "")


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["DDR4-2933 x0"], 1, "'DDR4-2933 x0': 0 units is out of range; use 1 to 65,536"),
        (
            ["DDR4-2933 x4", "--channels", "4"],
            2,
            "'DDR4-2933 x4' and --channels both state the number of units; use one of the two",
        ),
        (["DDR4-2933", "--channels", "-1"], 2, "--channels -1 is out of range; use 1 to 65,536"),
        ([], 2, "nothing to compute; name a SPEC such as DDR4-2933, or use --clock or --rate; see --help"),
        (
            ["DDR4-2933", "--rate", "1Gbps"],
            2,
            "a SPEC and the plain formula exclude each other; use a SPEC, or --clock or --rate",
        ),
        (
            ["--clock", "1466.67", "--transfers", "2", "--width", "64"],
            2,
            "--clock: '1466.67' is not a clock; write it with its unit, such as 1466.67MHz",
        ),
        (
            ["--rate", "1e300000000Gbps", "--width", "64"],
            2,
            "--rate: '1e300000000Gbps' is not a data rate; write it with its unit: 2933MT/s or 14Gbps",
        ),
        (
            ["DDR4-2933", "--move", "much"],
            2,
            "--move: 'much' is not a size; write it as 512MiB, 1GB or 4096",
        ),
        (
            ["DDR4-2933", "--format", "xml"],
            2,
            "--format 'xml' is not known; choose from table, markdown, csv, json, latex, html",
        ),
        (
            ["DDR4-2933", "--json", "--format", "csv"],
            2,
            "--json and --format csv exclude each other; use one of the two",
        ),
        (
            ["DDR4-2933", "--unit", "furlongs"],
            2,
            "--unit 'furlongs' is not a unit of bandwidth; "
            "choose from GB/s, GiB/s, MB/s, MiB/s, TB/s; in bits Gb/s, Mb/s, Tb/s",
        ),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(run, arguments, code, line):
    assert failed(run("theory", *arguments), code, line)


def test_a_bad_reference_is_named_by_its_option(run):
    ran = run("theory", "DDR4-2933", "--reference", "DDR4")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("bandwidth: --reference: 'DDR4' has no rate; add one, such as DDR4-3200 ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["theory", "--nope"], ["No such option", "--nope", "see bandwidth theory --help"]),
        (["theory", "DDR4-2933", "--channels", "four"], ["--channels", "see bandwidth theory --help"]),
        (["theory", "DDR4-2933", "--channels", "9" * 5000], ["--channels", "see bandwidth theory --help"]),
        (["theory", "DDR4-2933", "--unit"], ["--unit", "requires an argument", "--help"]),
        (["measurement"], ["No such command", "measurement", "see bandwidth --help"]),
    ],
)
def test_a_usage_error_of_the_parser_is_one_line_too_and_no_box(run, arguments, words):
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("bandwidth: ")
    assert ran.err.count("\n") == 1
    assert ran.err.isascii(), "no frame around it"
    assert all(word in ran.err for word in words)


def test_all_bad_specs_are_named_before_the_call_fails(run):
    ran = run("theory", "DDR4-1", "DDR4-2933", "DDR4-2")
    assert (ran.code, ran.out) == (1, "")
    assert [line.split(";")[0] for line in ran.err.splitlines()] == [
        "bandwidth: DDR4 does not exist at 1 MT/s",
        "bandwidth: DDR4 does not exist at 2 MT/s",
    ]


def test_no_traceback_but_with_debug(run):
    plain, debug = run("theory", "DDR4-2933", "--unit", "x"), run("theory", "--debug", "DDR4-2933", "--unit", "x")
    assert "Traceback" not in plain.err
    assert debug.err.startswith("Traceback")
    assert debug.err.endswith(plain.err)
    assert (plain.code, debug.code) == (2, 2)


def test_a_defect_is_one_line_too(run, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("bandwidth.theory.peaks", broken)
    line = "internal error: ZeroDivisionError: oh no; run again with --debug and report it"
    assert failed(run("theory", "DDR4-2933"), 1, line)
    assert "Traceback" in run("theory", "DDR4-2933", "--debug").err


# --- files, pipes, terminals ------------------------------------------------------------------------------------------


def test_a_file_takes_the_place_of_standard_output(run, tmp_path):
    path = tmp_path / "peaks.txt"
    path.write_text("what was there before")
    assert run("theory", "DDR4-2933 x4", "-o", str(path)) == Ran(0, "", "")
    assert path.read_text() == FOUR_CHANNELS
    assert list(tmp_path.iterdir()) == [path], "nothing half-written stays"


def test_a_folder_or_a_place_that_is_not_there_is_a_usage_error(run, tmp_path):
    assert failed(run("theory", "DDR4-2933", "-o", str(tmp_path)), 2, f"{tmp_path} is a folder; name a file in it")
    lost = tmp_path / "lost"
    line = f"{lost} is not a folder; create it, or name another folder"
    assert failed(run("theory", "DDR4-2933", "-o", str(lost / "peaks.txt")), 2, line)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_a_usage_error(run, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        ran = run("theory", "DDR4-2933", "-o", str(tmp_path / "peaks.txt"))
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert failed(ran, 2, f"{tmp_path} cannot be written to; name a writable folder")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")  # noqa: PTH112 - beside the others
def test_a_file_that_cannot_be_made_is_a_usage_error_for_root_too(run):
    ran = run("theory", "DDR4-2933", "-o", "/proc/peaks.txt")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith("bandwidth: /proc")


def test_a_failed_call_leaves_the_file_as_it_was(run, tmp_path):
    path = tmp_path / "peaks.txt"
    path.write_text("before")
    assert run("theory", "DDR4-1", "-o", str(path)).code == 1
    assert path.read_text() == "before"


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe is another thing there")
@pytest.mark.parametrize("arguments", [["theory", "DDR4-2933"], ["explain"], ["theory", "--help"]])
def test_a_closed_pipe_is_no_error(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = spawn(*arguments, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - a device, no file
def test_a_full_disk_is_said_and_no_defect():
    with open("/dev/full", "w") as full:  # noqa: PTH123 - the same
        done = spawn("theory", "DDR4-2933", stdout=full)
    assert done.returncode == 1
    assert done.stderr == "bandwidth: standard output cannot be written: No space left on device; free some space\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "is_coloured"), [(None, True), ("", True), ("1", False)])
def test_no_color_keeps_a_terminal_plain(no_color, is_coloured):
    import pty

    leader, follower = pty.openpty()
    environment = plain_environment(TERM="xterm-256color", **({} if no_color is None else {"NO_COLOR": no_color}))
    try:
        done = spawn("theory", "--help", stdout=follower, env=environment)
        os.close(follower)
        shown = _read_all(leader)
    finally:
        os.close(leader)
    assert done.returncode == 0
    assert "theory" in shown
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", shown)) is is_coloured


def _read_all(descriptor):
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the other end has closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode()


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_result_is_plain_on_a_terminal_too():
    import pty

    leader, follower = pty.openpty()
    try:
        spawn("theory", "DDR4-2933 x4", stdout=follower, env=plain_environment(TERM="xterm-256color"))
        os.close(follower)
        assert _read_all(leader).replace("\r\n", "\n") == FOUR_CHANNELS
    finally:
        os.close(leader)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["theory", "--help"], ["explain", "--help"], []])
def test_help_fits_eighty_columns_and_is_plain_in_a_pipe(arguments):
    done = spawn(*arguments, env=plain_environment(COLUMNS="80"))
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout
    assert "Usage: bandwidth" in done.stdout


def test_the_help_names_every_option_and_an_example():
    shown = spawn("theory", "--help", env=plain_environment(COLUMNS="80")).stdout
    assert "Usage: bandwidth theory [OPTIONS] [SPEC]..." in shown
    for option in ("clock", "transfers", "rate", "width", "channels", "sockets", "move", "explain", "reference"):
        assert f"--{option} " in shown
    for option in (
        "--keep-going",
        "--format",
        "--json",
        "-o",
        "--unit",
        "--quiet",
        "bandwidth theory DDR4-2933 --channels 4",
    ):
        assert option in shown


def test_the_version_is_printed(run):
    assert run("--version") == Ran(0, f"bandwidth {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [["theory", "DDR4-2933 x4", "--explain"], ["theory", "--help"], ["explain", "BW001"]]
)
def test_theory_and_explain_need_no_array_library(arguments):
    program = (
        "import sys; from bandwidth.cli.app import run; code = run(sys.argv[1:]); "
        "sys.exit(code or ' '.join({'numpy', 'cupy', 'numba', 'psutil'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_itself_imports_no_room():
    program = "import sys, bandwidth; print(sorted(name for name in sys.modules if name.startswith('bandwidth')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['bandwidth', 'bandwidth.errors', 'bandwidth.version']\n"
