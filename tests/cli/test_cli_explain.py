"""`bandwidth explain` as a user runs it: the list, a text, several, and examples that stay as they are."""

from __future__ import annotations

import json
import re

import pytest
from called import Ran

from bandwidth.findings import explanations
from tests.support.pages import ROOT, TOPICS, blocks


def failed(ran, code, line):
    """Whether a call ended with nothing on standard output and this one line on standard error."""
    return ran == Ran(code, "", f"bandwidth: {line}\n")


def test_explain_lists_every_code_and_topic(run):
    ran = run("explain")
    assert (ran.code, ran.err) == (0, "")
    listed = [line.split("  ")[0] for line in ran.out.splitlines()[2:-2]]
    assert listed == [entry.key for entry in explanations()]
    codes = [key for key in listed if key.startswith("BW")]
    assert codes == [f"BW{number:03}" for number in range(1, len(codes) + 1)]


def test_explain_prints_one_wrapped(run):
    ran = run("explain", "BW001")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("BW001: The data may fit in a cache\n\nA cache is several times faster")
    assert "at least 256 MiB" in ran.out
    assert "What to try: omit --size" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert run("explain", "bw001") == ran


@pytest.mark.parametrize("words", [["first", "touch"], ["First touch"]])
def test_a_topic_of_several_words_and_its_other_names(run, words):
    assert run("explain", *words).out.startswith("first touch: First touch places a page\n")


@pytest.mark.parametrize("entry", explanations(), ids=lambda entry: entry.key)
def test_every_code_and_topic_is_explained(run, entry):
    ran = run("explain", entry.key, "--json")
    (explained,) = json.loads(ran.out)["explanations"]
    assert explained == {"key": entry.key, "title": entry.title, "text": entry.text.strip()}


def test_explain_prints_several_and_keeps_examples_as_they_stand(run):
    ran = run("explain", "xmp", "python", "link")
    assert (ran.code, ran.err) == (0, "")
    titles = [
        line.partition(":")[0] for line in ran.out.splitlines() if line.startswith(("xmp: ", "python: ", "link: "))
    ]
    assert titles == ["xmp", "python", "link"]
    assert "```" not in ran.out
    for block in (*blocks("python"), *blocks("console", *(page for page in TOPICS if page.stem.endswith("-link")))):
        assert f"\n\n{block}\n" in ran.out
    assert [entry["key"] for entry in json.loads(run("explain", "xmp", "vm", "--json").out)["explanations"]] == [
        "xmp",
        "vm",
    ]


@pytest.mark.parametrize(
    ("format_name", "start", "line"),
    [
        ("markdown", "```text", "record = bandwidth.measure("),
        ("html", "<pre>", "    print(result.case.id, "),
        ("latex", "{\\ttfamily", "~~~~print(result.case.id,~"),
    ],
)
def test_examples_stay_as_they_are_in_every_format(run, format_name, start, line):
    ran = run("explain", "python", "--format", format_name)
    assert ran.code == 0
    assert start in ran.out
    assert line in ran.out


def test_items_of_a_list_stay_apart(run):
    out = run("explain", "exit", "codes").out
    assert "\n- 0: done.\n- 1: a SPEC" in out
    assert "\n- 130: interrupted; the results so far are kept.\n" in out
    assert max(map(len, out.splitlines())) <= 80


def test_topics_that_messages_name_are_there(run):
    sources = "".join(path.read_text("utf-8") for path in sorted((ROOT / "bandwidth").rglob("*.py")))
    named = sorted(set(re.findall(r"[`(](?:bandwidth )?explain ([a-z][a-z -]+)[`)]", sources)))
    assert {"ceiling", "ecc"} <= set(named)
    assert [name for name in named if run("explain", *name.split()).code] == []


def test_a_slip_gets_a_suggestion(run):
    assert failed(run("explain", "bw0001x"), 1, "no explanation of 'bw0001x'; did you mean BW001?")
    line = "no explanation of 'quantum chromodynamics'; `bandwidth explain` lists codes and topics"
    assert failed(run("explain", "quantum", "chromodynamics"), 1, line)
