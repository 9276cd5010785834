"""What shell completion offers for the values of options and arguments, and how it gets through the shells.

Typer asks for the values and speaks with bash, zsh, fish and PowerShell. Nothing is imported here that a command which
completes nothing would have to wait for.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import typer

from bandwidth.cli.output import print_text

# Set by the shell's function to what is asked: `complete_bash`, `source_zsh`.
VARIABLE = "_BANDWIDTH_COMPLETE"
# How the function of bash tells the words so far, one a line, and the place of the one that is completed.
_WORDS, _PLACE = "COMP_WORDS", "COMP_CWORD"
# How those of the others tell the line up to there.
_LINE = "_TYPER_COMPLETE_ARGS"
# Bash parts words at these (COMP_WORDBREAKS) and puts what is offered in the place of the last part alone.
_BREAKS = frozenset({":", "="})
_PLAIN = re.compile(r"[^\w@%+=:,./-]")

Names = Iterable[str] | Callable[[], Iterable[str]]
Completer = Callable[[str], list[str]]


# --- the values -----------------------------------------------------------------------------------------------------


def offering(names: Names, *, several: bool = False, folds: bool = True) -> Completer:
    """Return what completes a value to some names, given by a function where it takes long to find them.

    With `several` it is the last of a list parted by commas, and no name is offered twice. With `folds` a name may be
    begun in upper or lower case, and goes on from what was typed: shells take nothing else.
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",") if several else ("", "", incomplete)
        named = before.lower().split(",")
        return [
            f"{before}{comma}{last}{name[len(last) :]}"
            for name in (names() if callable(names) else names)
            if (name.lower().startswith(last.lower()) if folds else name.startswith(last)) and name.lower() not in named
        ]

    return complete


def complete_device(incomplete: str) -> list[str]:
    """Return what was typed of a device's name with the rest of it, its maker's and line's name left out or not."""
    from bandwidth.catalog import current_catalog

    if not incomplete.strip():
        return []  # thousands
    names = current_catalog().devices.names_from(incomplete)
    return list(dict.fromkeys(filter(None, (_gone_on(incomplete, name) for name in names))))


def complete_spec(incomplete: str) -> list[str]:
    """Return the memories, links and devices that begin with what was typed."""
    return [*complete_memory(incomplete), *complete_link(incomplete), *complete_device(incomplete)]


def complete_memory(incomplete: str) -> list[str]:
    """Return the families of memory and their standard rates that begin with what was typed."""
    return offering(_memories)(incomplete)


def complete_link(incomplete: str) -> list[str]:
    """Return the generations of links that begin with what was typed."""
    return offering(_links)(incomplete)


def complete_kernel(incomplete: str) -> list[str]:
    """Return the kernels and sets of them that begin with what was typed."""
    from bandwidth.planning.options import kernel_names

    return offering(kernel_names)(incomplete)


def complete_explained(incomplete: str) -> list[str]:
    """Return the codes of findings and the names of topics that begin with what was typed."""
    return offering(_explained)(incomplete)


def _memories() -> Iterator[str]:
    from bandwidth.catalog import current_catalog

    for family in current_catalog().families:
        yield family.name
        yield from (f"{family.name}-{speed}" for speed in family.speeds_mt_s if family.rate_unit == "MT/s")


def _links() -> Iterator[str]:
    from bandwidth.catalog import current_catalog

    return (link.name for link in current_catalog().links)


def _explained() -> Iterator[str]:
    from bandwidth.findings import explanations

    names = (name for entry in explanations() for name in (entry.key, *entry.aliases))
    return (name for name in dict.fromkeys(names) if not name.startswith("-"))


def _gone_on(begun: str, name: str) -> str:
    """Return what was typed with the rest of a name, "" where none of its words go on in the name.

    `NVIDIA rtx 40` goes on with `90`, as `GeForce RTX 4090` does: the words before may be left out of either.
    """
    wanted, whole = begun.lower(), name.lower()
    for start in _starts_of_words(wanted):
        part = wanted[start:]
        place = next((at for at in _starts_of_words(whole) if whole.startswith(part, at)), None)
        if part and place is not None:
            return begun + name[place + len(part) :]
    return ""


def _starts_of_words(text: str) -> list[int]:
    return [0, *(found.end() for found in re.finditer(" ", text))]


# --- the shells -----------------------------------------------------------------------------------------------------


def is_asked() -> bool:
    """Return whether a shell asks for completion, and no command is to be run."""
    return bool(os.environ.get(VARIABLE))


def answer(build: Callable[[Sequence[str]], typer.Typer], commands: Sequence[str]) -> int:
    """Answer the shell on standard output, and return the exit code. `build` returns the application of some commands.

    Only the command that is completed is built.
    """
    bash = BashLine.read() if os.environ[VARIABLE] == "complete_bash" else None
    if bash is not None:
        os.environ |= bash.joined()
    words = bash.words if bash is not None else os.environ.get(_LINE, "").split()
    called = [word for word in words[1:2] if word in commands] or commands
    with redirect_stdout(io.StringIO()) as told:
        code = _left_with(build(called))
    lines = filter(None, told.getvalue().splitlines())
    print_text("".join(f"{line if bash is None else bash.written(line)}\n" for line in lines))
    return code


def _left_with(app: typer.Typer) -> int:
    try:
        app([], prog_name="bandwidth", standalone_mode=False)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0
    return 0


@dataclass(frozen=True)
class BashLine:
    """The words of a line as bash has them, and the place of the one that is completed."""

    words: tuple[str, ...]
    place: int

    @staticmethod
    def read() -> BashLine | None:
        """Return what bash tells, None where it tells no word that could be completed."""
        words, place = tuple(os.environ.get(_WORDS, "").split("\n")), os.environ.get(_PLACE, "")
        return BashLine(words, int(place)) if place.isdecimal() and int(place) < len(words) else None

    def joined(self) -> dict[str, str]:
        """Return the same for Typer, the words that bash has parted at `:` and `=` in one again: `--mix 2:1,1:1`."""
        words: list[str] = []
        place, is_open = 0, False
        for number, word in enumerate(self.words):
            # A word of its own that begins with = is none of an option's.
            is_break = word in _BREAKS and bool(words) and (word == ":" or words[-1].startswith("-"))
            if is_break or is_open:
                words[-1] += word
            else:
                words.append(word)
            is_open = is_break
            place = len(words) - 1 if number == self.place else place
        return {_WORDS: "\n".join(words), _PLACE: str(place)}

    def written(self, value: str) -> str:
        """Return a value as bash is to write it: behind the last `:` of the word, and quoted where it is not yet."""
        if self.words[self.place].startswith(("'", '"')):
            return value
        joined = self.joined()
        parts = joined[_WORDS].split("\n")[int(joined[_PLACE])].count(":")
        return _PLAIN.sub(r"\\\g<0>", value.split(":", parts)[-1])
