"""How a rule is registered: in one place, with its text, at a place of its own in the order."""

from __future__ import annotations

import re
import string
from pathlib import Path
from types import FunctionType

import pytest

from bandwidth.findings import examine, explanations, rules
from bandwidth.findings.reading import Raised
from bandwidth.findings.rules import ALL, MACHINE, THEORY, also, in_words, percent, rule
from bandwidth.vocabulary import HOST

FOLDER = Path(rules.__file__).parent
RULES = rules.rules()
WITH_TEXT = [one for one in RULES if one.title]


@pytest.fixture
def own_rules(monkeypatch):
    """Let a test register rules for itself alone; its list of them is returned."""
    planted = list(RULES)
    monkeypatch.setattr(rules, "_RULES", planted)
    return planted


def finds_something(_):
    """Say in a text of its own what this is, to {limit}."""
    yield Raised(None, "something was seen here", "nothing is to be done")


@pytest.mark.parametrize("one", WITH_TEXT, ids=lambda one: one.code)
def test_every_rule_has_a_code_a_title_a_text_and_its_limits(one):
    assert re.fullmatch(r"BW\d{3}", one.code)
    assert len(one.title) > 10
    assert len(one.find.__doc__) > 150
    assert {name for _, name, _, _ in string.Formatter().parse(one.find.__doc__) if name} == set(one.limits)


def test_every_code_has_one_text_and_none_is_left_out():
    codes = sorted(one.code for one in WITH_TEXT)
    assert codes == [f"BW{number:03}" for number in range(1, len(codes) + 1)]
    assert {one.code for one in RULES} == set(codes)


def test_every_rule_has_a_rank_of_its_own():
    ranks = [one.rank for one in RULES]
    assert ranks == sorted(set(ranks))
    assert all(one.of in {HOST, ALL} for one in RULES if one.compares)


def test_no_rule_of_any_theme_is_forgotten():
    sources = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.py")}
    written = {theme for theme, source in sources.items() if "\n@rule(" in source}
    registered = {one.find for one in RULES}
    assert {find.__module__.rpartition(".")[2] for find in registered} == written
    public = {
        value
        for find in registered
        for name, value in find.__globals__.items()
        if isinstance(value, FunctionType) and value.__module__ == find.__module__ and not name.startswith("_")
        if value.__annotations__.get("return") == "Iterator[Raised]"
    }
    assert public == registered
    assert len(RULES) == len(registered)


def test_long_lines_stand_in_texts_alone():
    for path in FOLDER.glob("*.py"):
        texts = "".join(one.find.__doc__ for one in WITH_TEXT if one.find.__module__.endswith(f".{path.stem}"))
        long = [line for line in path.read_text("utf-8").splitlines() if len(line) > 120]
        assert [line for line in long if line.strip() not in texts] == []


def test_one_function_is_all_that_a_rule_takes(own_rules, make_record, make_result):
    rule("BW999", "A planted finding", rank=15, of=HOST, limits={"limit": percent(0.05)})(finds_something)
    also("BW999", rank=16, of=HOST)(finds_something)
    (first, second) = examine(make_record(make_result())).general
    assert first == second
    assert (first.code, first.text, first.hint) == ("BW999", "something was seen here", "nothing is to be done")
    explanations.cache_clear()
    try:
        (text,) = [entry for entry in explanations() if entry.key == "BW999"]
    finally:
        explanations.cache_clear()
    assert (text.title, text.text) == ("A planted finding", "Say in a text of its own what this is, to 5 %.")


def test_findings_come_by_rank_and_not_in_the_order_of_registration(own_rules, make_record, make_result):
    for code, rank in (("BW997", 17), ("BW999", 15), ("BW998", 16)):
        rule(code, "A planted finding", rank=rank, of=ALL)(finds_something)
    assert [one.code for one in examine(make_record(make_result())).general] == ["BW999", "BW998", "BW997"]


def test_a_code_or_a_rank_that_is_taken_is_refused(own_rules):
    with pytest.raises(ValueError, match="BW015 is the code of another rule"):
        rule("BW015", "A second text", rank=15, of=HOST)(finds_something)
    with pytest.raises(ValueError, match="rank 10 of BW999 is that of another rule"):
        rule("BW999", "A planted finding", rank=10, of=HOST)(finds_something)
    with pytest.raises(ValueError, match="rank 10 of BW015 is that of another rule"):
        also("BW015", rank=10, of=HOST)(finds_something)
    assert tuple(own_rules) == RULES


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (HOST, lambda record: [one.case.target for one in record.results] == ["host"]),
        (ALL, lambda record: len(record.results) == 2),
        (MACHINE, lambda machine: machine == {"physical_cores": 8}),
        (THEORY, lambda memory: memory == {"reason": 7}),
    ],
)
def test_a_rule_is_shown_what_it_looks_at(own_rules, make_record, make_case, make_result, of, expected):
    def find(seen):
        assert expected(seen)
        return finds_something(seen)

    rule("BW999", "A planted finding", rank=15, of=of)(find)
    results = make_result(), make_result(make_case(target="device:0", engine="cuda"))
    record = make_record(*results, machine={"physical_cores": 8}, memory={"reason": 7})
    assert "BW999" in examine(record).codes()


@pytest.mark.parametrize(("of", "is_asked"), [(HOST, False), (ALL, True), (MACHINE, False), (THEORY, False)])
def test_of_gpus_alone_nothing_is_said_of_the_host(own_rules, make_record, make_case, make_result, of, is_asked):
    rule("BW999", "A planted finding", rank=15, of=of)(finds_something)
    record = make_record(make_result(make_case(target="device:0", engine="cuda")))
    assert ("BW999" in examine(record).codes()) is is_asked


def test_numbers_are_written_as_texts_do():
    assert (percent(0.05), percent(1.1 - 1), percent(1 - 0.95), percent(0.025)) == ("5 %", "10 %", "5 %", "2.5 %")
    assert (in_words(6), in_words(0.1)) == ("six", "a tenth")
    with pytest.raises(KeyError):
        in_words(7)
