"""What the words of a notation state together: a rate, a width, numbers of units, modules and sockets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from bandwidth.errors import AmbiguousName, BandwidthError, UsageError
from bandwidth.theory.formula import Peak
from bandwidth.theory.words import MODULES, Word
from bandwidth.units import format_rate

# Far beyond anything built (a wafer-scale part has some 10^5 bits), and small enough that no figure is absurd.
MAX_UNITS = 65_536
MAX_WIDTH_BITS = 1_048_576
MAX_RATE_MT_S = 1_000_000
MAX_TRANSFERS_PER_CLOCK = 64
_MT_S_BY_LETTER = {"": 1, "m": 1, "g": 1000, "t": 1_000_000}
EXAMPLES = "write it as DDR4-2933 x4, GDDR6 14Gbps 256-bit, HBM3 6.4Gbps x5 or PCIe 4.0 x16"


@dataclass(frozen=True)
class Counts:
    """What the options say beside the SPEC: units (channels, stacks, lanes), bits of one unit, sockets; None: not said.

    Raises UsageError for a number that is zero, negative or absurd.
    """

    channels: int | None = None
    width_bits: int | None = None
    sockets: int | None = None

    def __post_init__(self) -> None:
        check_count("--channels", self.channels, MAX_UNITS)
        check_count("--width", self.width_bits, MAX_WIDTH_BITS)
        check_count("--sockets", self.sockets, MAX_UNITS)


@dataclass
class Parts:
    """What the words beside the name state; None where they do not.

    `times` stands before the name (`12x DDR5`), `part_bits` are of each of `units` where they were written together
    (`4 x 16 bit`), `modules` are a kit's (a shop's, where its capacity stands beside it), which `16GB x4` leaves open;
    `units_end` is where in the text the number of units ends, `dropped` what says nothing of bandwidth.
    """

    rate: Fraction | None = None
    rate_unit: str = ""
    width_bits: int | None = None
    part_bits: int | None = None
    units: int | None = None
    unit: str = ""
    units_end: int = 0
    times: int | None = None
    sockets: int | None = None
    modules: int | None = None
    modules_per_channel: int | None = None
    generation: str = ""
    is_dual: bool = False
    is_socket_guessed: bool = False
    is_kit_of_shop: bool = False
    may_be_channels: bool = False
    rate_text: str = ""
    dropped: list[str] = field(default_factory=list)

    @property
    def mt_s(self) -> Fraction | None:
        """The rate in MT/s as it was written; GHz and MHz, which may be a clock, count as one transfer."""
        return None if self.rate is None else self.rate * _MT_S_BY_LETTER[self.rate_unit[:1]]

    @property
    def is_clock(self) -> bool:
        """Whether the rate was written in MHz or GHz."""
        return self.rate_unit.endswith("hz")


def read_parts(words: Iterable[Word], text: str, name_start: int) -> Parts:
    """Return what the words beside a name state. Raises BandwidthError for an unknown word, or one said twice."""
    parts, is_whole_kit = Parts(), False
    for word in words:
        _take(parts, word, text, is_before=word.start < name_start)
        is_whole_kit |= word.kind == "capacity"
    parts.is_kit_of_shop = parts.modules is not None and is_whole_kit
    return parts


def _take(parts: Parts, word: Word, text: str, *, is_before: bool) -> None:
    number = int(word.number)
    if word.kind == "rate":
        _take_rate(parts, word, text)
    elif word.kind == "width":
        _refuse_twice(parts.width_bits, "widths", text)
        parts.width_bits = _bounded(number, MAX_WIDTH_BITS, "bits wide", text)
    elif word.kind == "times" and is_before:
        _refuse_twice(parts.times, "numbers of units", text)
        parts.times = _bounded(number, MAX_UNITS, "units", text)
    elif word.kind == "sockets":
        _refuse_twice(parts.sockets, "numbers of sockets", text)
        parts.sockets = _bounded(number, MAX_UNITS, "sockets", text)
    elif word.kind in ("count", "named_count", "times", "units", "parts"):
        _take_units(parts, word, text)
    elif word.kind in MODULES:
        if parts.modules not in (None, number):
            _refuse_twice(parts.modules, "numbers of modules", text)
        parts.modules = _bounded(number, MAX_UNITS, "modules", text)
        parts.may_be_channels = word.kind == "pieces" and " x" in word.text.lower()  # "16GB x4"
    elif word.kind == "generation":
        _refuse_twice(parts.generation or None, "generations", text)
        parts.generation = word.unit
    elif word.kind == "dpc":
        parts.modules_per_channel = number
    elif word.kind == "unknown":
        raise not_understood(text, word)
    else:
        parts.dropped.append(word.text)


def _take_rate(parts: Parts, word: Word, text: str) -> None:
    unit = word.unit
    if unit.endswith(("B/s", "B/S", "Bps", "Bs")):
        raise BandwidthError(f"{text!r}: {word.text!r} is a bandwidth, not a data rate per pin", "write Gbps")
    earlier = parts.mt_s
    parts.rate, parts.rate_unit = word.number, "".join(unit.lower().split("/pin")[0].split("per")[0].split())
    parts.rate_text = word.text
    if earlier not in (None, parts.mt_s):
        _refuse_twice(earlier, "rates", text)


def _take_units(parts: Parts, word: Word, text: str) -> None:
    unit = "channel" if word.kind == "named_count" else word.unit
    parts.is_dual = word.text.lower().startswith("dual")
    number = _bounded(int(word.number), MAX_UNITS, "units", text)
    is_next = not text[parts.units_end : word.start].strip()  # "x4 / x8" and "x4 or x8" are alternatives
    if word.kind == "units" and not parts.unit and is_next and parts.sockets is None and number < (parts.units or 0):
        parts.sockets, parts.is_socket_guessed = number, True  # "x12 x2": twelve channels, on each of two sockets
        return
    parts.units_end = word.end
    _refuse_twice(parts.units, "numbers of units", text)
    parts.units, parts.unit = number, unit
    if word.kind == "parts":
        _refuse_twice(parts.width_bits, "widths", text)
        parts.part_bits = _bounded(word.each, MAX_WIDTH_BITS, "bits wide", text)


def ambiguous(text: str, why: str, readings: Iterable[Peak]) -> AmbiguousName:
    """Return the refusal of a text with several readings, each with its figure."""
    peaks = tuple(readings)
    listed = "; ".join(f"{peak.name} {format_rate(peak.bytes_per_s)} GB/s" for peak in peaks)
    return AmbiguousName(f"{text!r}: {why}", f"choose one: {listed}", readings=peaks)


def not_understood(text: str, word: Word) -> BandwidthError:
    """Return the refusal that names a word, and says how a notation is written."""
    return BandwidthError(f"{text!r}: {word.text!r} is not understood", EXAMPLES)


def _refuse_twice(earlier: object, what: str, text: str) -> None:
    if earlier is not None:
        raise BandwidthError(f"{text!r} states two {what}", "state one")


def _bounded(number: int, most: int, what: str, text: str) -> int:
    if not 1 <= number <= most:
        raise BandwidthError(f"{text!r}: {number:,} {what} is out of range", f"use 1 to {most:,}")
    return number


def check_count(option: str, number: int | None, most: int) -> None:
    """Raise UsageError where an option's number is not in 1 to `most`."""
    if number is not None and not 1 <= number <= most:
        raise UsageError(f"{option} {number} is out of range", f"use 1 to {most:,}")


def count_units(text: str, parts: Parts, counts: Counts, unit: str) -> int | None:
    """Return the number of units that the text or the options state, or None; `unit` is what the family counts.

    Raises UsageError where both state it, BandwidthError where the text counts something else.
    """
    if parts.units is not None and counts.channels is not None:
        raise UsageError(f"{text!r} and --channels both state the number of units", "use one of the two")
    if parts.unit and parts.unit != unit:
        known = f"its units are {unit}s" if unit else "add its bus width, such as 128-bit"
        raise BandwidthError(f"{text!r} has no {parts.unit}s", known)
    return parts.units if parts.units is not None else counts.channels
