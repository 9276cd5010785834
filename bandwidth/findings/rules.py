"""What a rule is, all rules in the order in which findings are printed, `examine`, which asks them, and their texts.

A rule is one function of a theme. `rule` above it says its code, its title, its place in the order and what it looks
at; its docstring is what `bandwidth explain` prints of the code. It yields what was seen, the limit that it crossed and
what to try; one that is informative says that it is normal. Importing bandwidth.findings registers those of all themes.
The concepts that one needs to read a figure are in topics/, a Markdown file each, in the order of their numbers.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from bandwidth.analysis.comparable import only_comparable
from bandwidth.errors import BandwidthError
from bandwidth.findings.evidence import Raised
from bandwidth.results import Examination, Finding, Record
from bandwidth.vocabulary import HOST

# What a rule looks at: the record with its results of the host's processor and memory alone (HOST), the
# record with those of GPUs and their links too, a machine's facts, or what is said of the theory of its memory.
ALL: Final = "all"
MACHINE: Final = "machine"
THEORY: Final = "theory"
# How a finding stands on the screen: something to do, looked at and sound, cannot be told here.
TO_DO: Final = "!!"
SOUND: Final = "ok"
UNTOLD: Final = "--"
Mark = Literal["!!", "ok", "--"]
Of = Literal["host", "all", "machine", "theory"]
# How alike a name has to be to be the one that was meant (difflib's ratio): one slip in four letters; and how many
# letters more or less it may have, as one name may be a part of another.
_NEAR: Final = 0.75
_MOST_LETTERS_MORE: Final = 2
_TOPICS = Path(__file__).parent / "topics"
_TOPIC = re.compile(
    r"---\nkey: (?P<key>[^\n]+)\naliases: ?(?P<aliases>[^\n]*)\n---\n\n# (?P<title>[^\n]+)\n\n(?P<text>.+)", re.DOTALL
)

Find = TypeVar("Find", bound=Callable[[Any], Iterator[Raised]])


@dataclass(frozen=True)
class Rule:
    """A function that raises a code, with what is said above it; only the first of a code has a title and a text."""

    code: str
    rank: int
    of: Of
    compares: bool
    find: Callable[[Any], Iterator[Raised]]
    title: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    in_a_line: bool = False
    mark: Mark = TO_DO

    def findings(self, seen: Any) -> Iterator[tuple[str | None, Finding]]:
        """Yield what is found in what the rule looks at, with the id of the result that it is about."""
        return ((case_id, Finding(self.code, text, hint)) for case_id, text, hint in self.find(seen))


_RULES: list[Rule] = []


def rule(
    code: str,
    title: str,
    *,
    rank: int,
    of: Of,
    compares: bool = False,
    in_a_line: bool = False,
    mark: Mark = TO_DO,
    limits: Mapping[str, str] | None = None,
) -> Callable[[Find], Find]:
    """Register the function below as the rule that raises `code`. Raises ValueError where code or rank is taken.

    `rank` is its place in the order: findings that invalidate a figure come first (from 10), then those that colour it
    (from 130), then those that explain it (from 290); leave ten to its neighbours, for rules to come. `compares`: it
    compares results with each other or with what is normal, so it sees no result in which noise took part.
    `in_a_line`: its first words stand in lines that say other things too. `mark`: whether the reader has to do
    something, has nothing to do, or something cannot be told here. `limits` are the values in the docstring's
    braces, made from the constants that the function goes by, so that text and code have the same.
    """

    def register(find: Find) -> Find:
        if any(other.code == code and other.title for other in _RULES):
            raise ValueError(f"{code} is the code of another rule: take the next that is free")
        _add(Rule(code, rank, of, compares, find, title, limits or {}, in_a_line, mark))
        return find

    return register


def also(code: str, *, rank: int, of: Of, compares: bool = False) -> Callable[[Find], Find]:
    """Register the function below as one more that raises a code, which has its title and text at its `rule`."""

    def register(find: Find) -> Find:
        _add(Rule(code, rank, of, compares, find))
        return find

    return register


def _add(added: Rule) -> None:
    if any(other.rank == added.rank for other in _RULES):
        raise ValueError(f"rank {added.rank} of {added.code} is that of another rule: take one between two")
    _RULES.append(added)
    _RULES.sort(key=lambda one: one.rank)


def rules() -> tuple[Rule, ...]:
    """Return every rule of every theme, in the order in which findings are printed."""
    return tuple(_RULES)


def mark_of(code: str) -> Mark:
    """Return how the findings of a code are marked; those of a later version's are something to do."""
    return next((one.mark for one in _RULES if one.code == code and one.title), TO_DO)


# --- asking them ----------------------------------------------------------------------------------------------------


def examine(record: Record) -> Examination:
    """Return all findings of a record, in the order of the rules; none where nothing was measured."""
    if not record.results:
        return Examination({}, ())
    by_id: dict[str, tuple[Finding, ...]] = {}
    general: tuple[Finding, ...] = ()
    of_host = replace(record, results=tuple(result for result in record.results if result.case.kind == HOST))
    seen: dict[Of, Any] = {ALL: record, HOST: of_host, MACHINE: record.machine, THEORY: record.memory}
    # What compares results sees those alone that may be compared: noise is not explained by how memory works.
    comparable: dict[Of, Any] = {ALL: only_comparable(record), HOST: only_comparable(of_host)}
    for one in _RULES if of_host.results else [one for one in _RULES if one.of == ALL]:
        for case_id, finding in one.findings((comparable if one.compares else seen)[one.of]):
            if case_id is None:
                general += (finding,)
            else:
                by_id[case_id] = (*by_id.get(case_id, ()), finding)
    return Examination(by_id, general)


def examine_facts(machine: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what the facts of a machine say of its set-up; a saved record may hold anything among them."""
    return _all_of(MACHINE, machine)


def examine_memory(memory: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what there is to say of a machine's theory (`HostTheory.to_json`): that there is none, and why."""
    return _all_of(THEORY, memory)


def in_short(machine: Mapping[str, Any]) -> dict[str, str]:
    """Return what is seen in a few words each, by code, for a line that says other things too."""
    short = {one.code for one in _RULES if one.in_a_line}
    return {one.code: one.text.partition(":")[0] for one in examine_facts(machine) if one.code in short}


def _all_of(of: Of, seen: Mapping[str, Any]) -> tuple[Finding, ...]:
    return tuple(finding for one in _RULES if one.of == of for _, finding in one.findings(seen))


# --- what texts say of limits ---------------------------------------------------------------------------------------

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 8: "eight", 10: "ten", 0.1: "a tenth", 0.2: "a fifth"}


def percent(share: float) -> str:
    """Return a share as a text says it: `5 %`."""
    return f"{share * 100:g} %"


def in_words(number: float) -> str:
    """Return a number as a text says it: `six`, `a tenth`. Raises KeyError for one that is better written in digits."""
    return _NUMBERS[number]


# --- the texts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Explanation:
    """A text of `bandwidth explain`: its key (a code, or a topic in lower case), its title and its paragraphs."""

    key: str
    title: str
    text: str
    aliases: tuple[str, ...] = ()


@cache
def explanations() -> tuple[Explanation, ...]:
    """Return the texts of all codes, in their order, and then of all topics.

    Raises BandwidthError where Python was told to leave out docstrings (-OO) and the source is not there either, and
    ValueError for a topic without key, aliases, title and text.
    """
    codes = [_of_code(one) for one in rules() if one.title]
    topics = map(_topic, sorted(_TOPICS.glob("*.md")))
    return (*sorted(codes, key=lambda entry: entry.key), *topics)


def explanation(key: str) -> Explanation:
    """Return the explanation of a code (`BW001`) or a topic, in any case, words joined by spaces or hyphens.

    Raises BandwidthError, with the name that was probably meant where one is near.
    """
    entries = _by_name()
    if _folded(key) not in entries:
        raise _not_explained(key)
    return entries[_folded(key)][1]


def explanations_of(words: Sequence[str]) -> tuple[Explanation, ...]:
    """Return the explanations of codes and topics named one after the other, each once; a name may have several words.

    At each place the longest name counts. Raises BandwidthError for what is no name: all words where together they are
    near to one, else the first that belong to none.
    """
    entries = _by_name()

    def end_of_name(place: int) -> int | None:
        ends = range(len(words), place, -1)
        return next((end for end in ends if _folded(" ".join(words[place:end])) in entries), None)

    found: list[Explanation] = []
    place = 0
    while place < len(words):
        end = end_of_name(place)
        if end is None:
            behind = next((later for later in range(place + 1, len(words)) if end_of_name(later)), len(words))
            whole = " ".join(words)
            raise _not_explained(whole if _near(whole) else " ".join(words[place:behind]))
        found.append(entries[_folded(" ".join(words[place:end]))][1])
        place = end
    return tuple(dict.fromkeys(found))


def _not_explained(key: str) -> BandwidthError:
    near = _near(key)
    hint = f"did you mean {near}?" if near else "`bandwidth explain` lists codes and topics"
    return BandwidthError(f"no explanation of {key[:60]!a}", hint)


def _near(key: str) -> str | None:
    """Return the name that was probably meant, as it is written; None where none is near."""
    import difflib

    entries, wanted = _by_name(), _folded(key)
    as_long = [name for name in entries if abs(len(name) - len(wanted)) <= _MOST_LETTERS_MORE]
    near = difflib.get_close_matches(wanted, as_long, n=1, cutoff=_NEAR)
    return entries[near[0]][0] if near else None


def _by_name() -> Mapping[str, tuple[str, Explanation]]:
    """Return each entry by all of its names as they are compared, with the name as it is written."""
    return {_folded(name): (name, entry) for entry in explanations() for name in (entry.key, *entry.aliases)}


def _folded(name: str) -> str:
    """Return a name as names are compared: `Write-Allocate` is `write allocate`, `--latency` is `latency`."""
    return " ".join(re.split(r"[\s_-]+", name.lower())).strip()


def _of_code(rule: Rule) -> Explanation:
    docstring = inspect.getdoc(rule.find) or _docstring_in_source(rule.find)
    return Explanation(rule.code, rule.title, docstring.strip().format_map(rule.limits))


def _docstring_in_source(find: Callable[..., Any]) -> str:
    """Return a function's docstring as its file has it: Python keeps none with -OO."""
    try:
        (function,) = ast.parse(inspect.getsource(find)).body
    except OSError as error:
        hint = "run without -OO and without PYTHONOPTIMIZE=2"
        raise BandwidthError("the texts of findings are docstrings, which Python omits with -OO", hint) from error
    return ast.get_docstring(cast("ast.FunctionDef", function)) or ""


def _topic(path: Path) -> Explanation:
    match = _TOPIC.fullmatch(path.read_text("utf-8"))
    if match is None:
        raise ValueError(f"{path.name} is not a topic: it needs key, aliases, a title and a text")
    aliases = tuple(filter(None, match["aliases"].split(", ")))
    return Explanation(match["key"], match["title"], match["text"], aliases)
