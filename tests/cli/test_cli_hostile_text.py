"""Text of a record, a machine or a spec file reaches no terminal as an order and no Markdown as markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bandwidth.cli.app import run
from bandwidth.machine.reader import SystemReader

RECORD = Path(__file__).parents[1] / "data" / "record-1.json"
FORMATS = ("table", "markdown", "csv", "json", "latex", "html")
WRITE_UPS = ("markdown", "latex")
# Colour, a title of the window, C1's CSI, an override of direction, half a character; a heading; an image, a link.
CONTROLS = "\x1b[31mRED\x1b]0;title\x07\x9b1m\u202egnp\u2066{}\r\n# heading\n"
MARKUP = "![](http://evil.example/x.png) [x](javascript:alert(1)) <b>"
EVIL = CONTROLS.format("\ud800") + MARKUP
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# An image, a link, an address that GitHub makes a link of, a heading of a foreign text.
LIVE = re.compile(r"!\[[^\]\\]*\]\(http|(?<!\\)\[x\]\(|\bhttps?://|^\s*# heading|<b>", re.MULTILINE)


def spoilt(place, evil=EVIL):
    """A record with a foreign text in some places."""
    content = json.loads(RECORD.read_text("utf-8"))
    result = content["results"][0]
    if place == "machine":
        content["machine"] |= {"hostname": evil, "cpu_model": evil, "kernel": evil, "bios_version": evil}
    elif place == "command":
        content |= {"command": ["bandwidth", evil], "notes": [evil], "not_run": [{"id": evil, "reason": evil}]}
    elif place == "result":
        result |= {"stopped_by": evil, "theory_source": evil, "failure": evil, "tuning": {evil: evil}}
        texts = dict.fromkeys(("kind", "working", "source"), evil)
        result["ceilings"] = [{**texts, "bytes_per_s": 1e9, "confidence": "high"}]
    else:
        result["variant"] = {"stores": evil, evil: 1}
    return json.dumps(content)


def check_text(format_name, capsys):
    out, err = capsys.readouterr()
    assert CONTROL.findall(out + err) == []
    assert "internal error" not in err
    if format_name == "markdown":
        assert LIVE.findall(out) == []


@pytest.mark.parametrize("place", ["machine", "command", "result", "variant"])
def test_of_a_record(place, tmp_path, capsys):
    path = tmp_path / "evil.json"
    path.write_text(spoilt(place))
    for format_name in FORMATS:
        for command in (
            ("compare", path, RECORD),
            ("check", path, "--baseline", RECORD, "--any-machine"),
            ("check", RECORD, "--baseline", path, "--any-machine"),
            ("fleet", path, RECORD),
            ("offload", "--record", path),
            *([("report", path)] if format_name in WRITE_UPS else []),
        ):
            run([*map(str, command), "--format", format_name])
            check_text(format_name, capsys)


def test_of_a_write_up_with_its_figures(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    (tmp_path / "evil.json").write_text(spoilt("machine"))
    assert run(["report", str(tmp_path / "evil.json"), "--format", "html"]) == 0
    check_text("html", capsys)


def test_of_a_spec_file(tmp_path, capsys):
    text = json.dumps(CONTROLS.format("") + MARKUP)  # TOML's escapes are those of JSON
    table = f'maker = {text}\nkind = "gpu"\nmemory = "GDDR6 14Gbps 256-bit"\nsource = {text}\nnote = {text}\n'
    (tmp_path / "own.toml").write_text(f'["Toy 77"]\n{table}[{text}]\n{table}["Broken"]\nmemory = {text}\n{text} = 1\n')
    run(["specs", "list", "toy", "--specs", str(tmp_path)])
    check_text("table", capsys)
    for command in (("specs", "show", "toy 77"), ("theory", "Toy 77"), ("specs", "search", "red")):
        for format_name in FORMATS:
            run([*command, "--format", format_name])
            check_text(format_name, capsys)
    assert run(["specs", "validate", str(tmp_path / "own.toml")]) == 1
    check_text("table", capsys)


def test_of_this_machine(monkeypatch, capsys):
    monkeypatch.setattr(SystemReader, "hostname", lambda _: EVIL)
    for format_name in FORMATS:
        assert run(["system", "--format", format_name]) == 0
        check_text(format_name, capsys)


def test_of_an_error_and_its_traceback(capsys, tmp_path):
    assert run(["--debug", "compare", str(tmp_path / "a\x1b[31mb.json"), "x.json"]) == 1
    check_text("table", capsys)
