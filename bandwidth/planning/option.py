"""How an option of `measure` is declared: all that its command line, its API and its record need to know of it.

The command line is built from this whenever it starts: what a value needs to be parsed is imported when one is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar, dataclass_transform

from bandwidth.errors import BandwidthError, UsageError

Value = TypeVar("Value")
Parser = Callable[[str, str], Any]
_OPTION = "option"

# --- types: any number of values, kept as a tuple; one alone may be given, and any sequence -------------------------

# What may be given of each of these types, as `help` has it.
GIVEN = {"Names": "str", "Numbers": "int | str", "CpuNumbers": "int"}

if TYPE_CHECKING:
    Given = TypeVar("Given", contravariant=True)
    Kept = TypeVar("Kept", covariant=True)

    class _Several(Generic[Given, Kept]):
        """What a type checker is told of a field that takes more than it gives: those of a descriptor."""

        def __get__(self, instance: object, owner: type | None = None) -> tuple[Kept, ...] | None: ...
        def __set__(self, instance: object, value: Given | Sequence[Given] | None) -> None: ...

    Names = _Several[str, str]
    Numbers = _Several[int | str, str]
    CpuNumbers = _Several[int, int]
else:
    Names = Numbers = tuple[str, ...] | None
    CpuNumbers = tuple[int, ...] | None


def several(one: Field[Any], value: Any) -> Any:
    """Return the value as the field keeps it. A text is one name and not its letters, a number a name too."""
    if value is None or not takes_several(one):
        return value
    values = (value,) if isinstance(value, (str, int)) else tuple(value)
    return values if one.type == "CpuNumbers" else tuple(map(str, values))


def option_value(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """Return `parse(text)`. Raises UsageError that begins with the option's name where the text does not fit."""
    try:
        return parse(text)
    except BandwidthError as error:
        raise UsageError(f"{option}: {error.message}", error.hint) from error


def option_list(option: str, text: str) -> list[str]:
    """Return the parts of a comma-separated value, trimmed. Raises UsageError where one is empty."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise UsageError(f"{option} {text!a} has an empty value", "separate values with single commas")
    return list(dict.fromkeys(parts))


# --- parsers: an option's name and its text become a value; they raise UsageError for a text that is none -----------


def word(_: str, text: str) -> str:
    """Return the text in small letters."""
    return text.lower()


def words(option: str, text: str) -> tuple[str, ...]:
    """Return the parts of a list in small letters."""
    return tuple(option_list(option, text.lower()))


def counts(option: str, text: str) -> tuple[str, ...]:
    """Return the parts of a list as they are: what is no number is for the plan to say."""
    return tuple(option_list(option, text))


def ratios(option: str, text: str) -> tuple[str, ...]:
    """Return ratios of reads to writes; `all` stands for every one."""
    from bandwidth.kernels import MIXES

    return tuple(MIXES) if text.strip().lower() == "all" else words(option, text)


def cpu_numbers(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a list of CPUs such as `0-3,8`."""
    from bandwidth.cpu_list import parse_cpu_list

    return option_value(option, text, parse_cpu_list)


def size(option: str, text: str) -> int:
    """Return a size in bytes."""
    from bandwidth.units import parse_size_bytes

    return option_value(option, text, parse_size_bytes)


def duration(option: str, text: str) -> float:
    """Return a time in seconds."""
    from bandwidth.units import parse_duration_s

    return option_value(option, text, parse_duration_s)


def ends(option: str, text: str) -> tuple[int, int]:
    """Return the two ends of a range, bytes or counts: `4KiB-64MiB`, `1-16`."""
    low, dash, high = text.partition("-")
    if not dash:
        raise UsageError(f"{option} {text!a} is not a range", "write both ends: 4KiB-64MiB, or 1-16 threads")
    return size(option, low), size(option, high)


# --- the declaration ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """An option's name, and what is told of it.

    `help` is empty where other commands have the option too: it is then declared with theirs (cli/options.py).
    `metavar` and `parse` are those of its text, None for an option that is only switched on. `panel` is the part of
    --help where it stands, None for the first. `known` are all names that it takes, where that does not depend on the
    machine; `offered` are those that a shell completes it to where they are others, by a function where it takes long
    to find them. `of` is the only kind of target that it has a meaning for, `device` for those of `pcie` too. An option
    that does not `changes_cases` changes how long measuring may take, or which theory stands beside what is measured.
    """

    name: str
    help: str = ""
    metavar: str | None = None
    parse: Parser | None = None
    panel: str | None = None
    known: tuple[str, ...] = ()
    offered: tuple[str, ...] | Callable[[], tuple[str, ...]] = ()
    of: str | None = None
    changes_cases: bool = True


def option(name: str, help_text: str = "", *, default: Any = None, **told: Any) -> Any:
    """Return the field of a dataclass that is an option; `told` is the rest of what an `Option` says."""
    return field(default=default, metadata={_OPTION: Option(name, help_text, **told)})


def options_of(kind: Any) -> tuple[tuple[Field[Any], Option], ...]:
    """Return those fields of a dataclass that are options, in their order, each with its declaration."""
    return tuple((one, one.metadata[_OPTION]) for one in fields(kind) if _OPTION in one.metadata)


def takes_several(one: Field[Any]) -> bool:
    """Return whether a field holds any number of values."""
    return one.type in GIVEN


@dataclass_transform()
def declares_options(kind: type[Value]) -> type[Value]:
    """Make a class a frozen dataclass, the fields of which a caller may give as their types say."""
    return dataclass(frozen=True)(kind)
