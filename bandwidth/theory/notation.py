"""The notation: `DDR4-2933 x4`, `GDDR6 14Gbps 256-bit`, `PC4-23400`, `PCIe 4.0 x16`.

A SPEC is a family or a link's generation, followed in any order by a rate, a bus width and a number of units.
What it does not say is not guessed where a guess would be wrong half of the time: the readings are listed instead.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache, partial

from bandwidth.catalog import Catalog, Memory, current_catalog
from bandwidth.errors import BandwidthError, UsageError
from bandwidth.theory.formula import Peak, memory_peak
from bandwidth.theory.memory_names import memory_words, names_memory
from bandwidth.theory.memory_notation import memory_from_words
from bandwidth.theory.parts import (
    EXAMPLES,
    MAX_RATE_MT_S,
    MAX_TRANSFERS_PER_CLOCK,
    Counts,
    check_count,
    not_understood,
)
from bandwidth.theory.words import as_product_name, first_unknown, is_figure
from bandwidth.units import format_decimal

MAX_SPEC_LENGTH = 200
# The thousands of devices have some 800 notations among them: to list or check them all, each is read once.
MOST_NOTATIONS = 1024
_LETTERS = re.compile(r"[a-z]{3,}", re.ASCII)
LONGEST_SLIP = 3  # letters


def peak(spec: str, *, channels: int | None = None, width_bits: int | None = None, sockets: int | None = None) -> Peak:
    """Return the peak bandwidth of one SPEC: `peak("DDR4-2933 x4").bytes_per_s` is 93866666666.66667.

    `channels` counts what `xN` counts, `width_bits` is of one of them, `sockets` multiplies a memory.
    Raises BandwidthError for a SPEC that cannot be read, UsageError for options that do not fit it.
    """
    return peaks(spec, Counts(channels, width_bits, sockets))[0]


def peaks(spec: str, counts: Counts | None = None, catalog: Catalog | None = None) -> tuple[Peak, ...]:
    """Return the peaks of one SPEC: one for a memory or a link; a device's memory, then its link. Raises as `peak`.

    `catalog` is the one that the process uses where none is given.
    """
    counts, catalog = counts or Counts(), catalog or current_catalog()
    text = _checked_text(spec)
    return _notation_peaks(text, counts, catalog) or _device_peaks(text, counts, catalog)


def notation_peak(spec: str, counts: Counts, catalog: Catalog | None = None) -> Peak:
    """Return the peak of a memory's or a link's notation, never a device's. Raises as `peak` does."""
    return _notation_peak(_checked_text(spec), counts, catalog or current_catalog())


@lru_cache(maxsize=MOST_NOTATIONS)
def _notation_peak(text: str, counts: Counts, catalog: Catalog) -> Peak:
    found = _notation_peaks(text, counts, catalog)
    if not found:
        raise BandwidthError(f"{text!r} is not a memory or link", EXAMPLES)
    return found[0]


def _notation_peaks(text: str, counts: Counts, catalog: Catalog) -> tuple[Peak, ...]:
    """Return the peak of a notation, nothing where the text may be a device's name. Raises BandwidthError."""
    words = as_product_name(memory_words(text, catalog), text)
    is_memory, unknown = any(map(names_memory, words)), first_unknown(words)
    if is_memory and unknown is None:
        return (memory_from_words(text, words, counts, catalog),)
    if len(words) == 1 and is_figure(words[0]):  # "x2" of an unquoted SPEC, "5600", "16GB"; but "7R13" is a device
        return _alone_or_name(text, catalog)
    # A device's whole name is no notation (`specs validate` holds it): for one the file of links is not read.
    if not may_name_link(text, catalog) and not is_memory and catalog.devices.has_name(text):
        return ()
    # Imported here and below: the peak of a memory needs no link and no device, and is to be answered at once.
    from bandwidth.theory.link_notation import link_from_words, link_words, names_link, of_lspci

    line = of_lspci(text)
    words_of_link = link_words(line, catalog)
    unknown_of_link = first_unknown(words_of_link)
    if any(map(names_link, words_of_link)) and unknown_of_link is None:
        return (link_from_words(line, words_of_link, counts, catalog),)
    if all(word.kind == "dropped" for word in words_of_link):  # "NVMe", "M.2" and "slot" say of what, not how fast
        return _alone_or_name(text, catalog)
    if unknown is not None and names_memory(words[0]):
        raise not_understood(text, unknown)
    if unknown_of_link is not None and words_of_link[0].kind in ("link", "link family"):
        raise not_understood(text, unknown_of_link)
    return ()


def may_name_link(text: str, catalog: Catalog) -> bool:
    """Return whether a text has a word of three letters or more that the file of links has: then links are read first.

    It decides what is read first, not what a text means.
    """
    return not catalog.link_words.isdisjoint(_LETTERS.findall(text.lower()))


def _device_peaks(text: str, counts: Counts, catalog: Catalog) -> tuple[Peak, ...]:
    from bandwidth.theory.device_notation import named_peaks

    found = named_peaks(text, counts, catalog, partial(notation_peak, catalog=catalog))
    if not found:
        raise _unknown(text, catalog)
    return found


def _unknown(text: str, catalog: Catalog) -> BandwidthError:
    """Return the refusal of what is no memory, link or device: it names the word that stands in the way."""
    from bandwidth.theory.link_notation import link_words, names_link

    for words, names in ((memory_words(text, catalog), names_memory), (link_words(text, catalog), names_link)):
        if not words or (first_unknown(words) is None and not any(map(names, words))):
            return _alone(text)
        # "v9" of "Xeon E5-2690 v9" is no link's generation.
        is_named = any(names(word) and word.kind != "generation" for word in words)
        if is_named and (unknown := first_unknown(words)) is not None:
            return not_understood(text, unknown)
    return BandwidthError(f"{text!r} is not a known memory, link or device", _suggestion(text, catalog))


def _alone_or_name(text: str, catalog: Catalog) -> tuple[Peak, ...]:
    """Return nothing for a product's whole name, which is read as a device's; raise for what is no SPEC by itself."""
    if catalog.devices.has_name(text):
        return ()
    raise _alone(text)


def _alone(text: str) -> BandwidthError:
    return BandwidthError(
        f"{text!r} alone is not a SPEC", 'write it with its memory or link, in quotes: "DDR4-2933 x4"'
    )


def plain_peak(
    *,
    clock_mhz: Fraction | None = None,
    transfers: int | None = None,
    rate_mt_s: Fraction | None = None,
    counts: Counts,
) -> Peak:
    """Return the peak of the plain formula: a clock and its transfers, or a rate, with width and channels.

    Raises UsageError for a part that is missing, or one too many, or absurd.
    """
    rate, clock = _plain_rate(clock_mhz, transfers, rate_mt_s)
    if counts.width_bits is None:
        raise UsageError("the formula needs a width", "add --width BITS, the data bits of one channel (64 for a DIMM)")
    if rate > MAX_RATE_MT_S:
        raise UsageError(
            f"{format_decimal(rate)} MT/s is too high for a pin", f"use at most {MAX_RATE_MT_S:,} MT/s (1 Tb/s per pin)"
        )
    channels, sockets = counts.channels or 1, counts.sockets or 1
    name = f"{clock or format_decimal(rate) + ' MT/s'} x {counts.width_bits} bit x {channels * sockets}"
    memory = Memory(
        family="formula",
        rate_mt_s=rate,
        width_bits=counts.width_bits,
        units=channels * sockets,
        unit="channel",
        sockets=sockets,
        source="the given numbers",
    )
    return memory_peak(memory, name, name, clock=f"({clock})" if clock else "")


def _plain_rate(clock_mhz: Fraction | None, transfers: int | None, rate_mt_s: Fraction | None) -> tuple[Fraction, str]:
    if (clock_mhz is None) == (rate_mt_s is None):
        raise UsageError("the formula needs a clock or a rate, not both", "use --clock F --transfers N, or --rate R")
    if rate_mt_s is not None:
        if transfers is not None:
            raise UsageError("--transfers needs --clock", "--rate already counts the transfers")
        return rate_mt_s, ""
    if transfers is None:
        raise UsageError(
            "--clock needs --transfers N", "use 2 for DDR: a clock alone does not give the transfers per cycle"
        )
    check_count("--transfers", transfers, MAX_TRANSFERS_PER_CLOCK)
    assert clock_mhz is not None  # noqa: S101 - the first line saw to it
    return clock_mhz * transfers, f"{format_decimal(clock_mhz, 4)} MHz x {transfers}"


def _checked_text(spec: str) -> str:
    text = " ".join(spec.split()) if len(spec) <= MAX_SPEC_LENGTH else spec
    if len(spec) > MAX_SPEC_LENGTH:
        raise BandwidthError(f"a SPEC of {len(spec)} characters", f"at most {MAX_SPEC_LENGTH} are read; {EXAMPLES}")
    if not text:
        raise BandwidthError("an empty SPEC", EXAMPLES)
    text = text.replace("\u00d7", "x")
    if not text.isascii():  # a name as it is pasted from a page
        from bandwidth.catalog.names import unmarked

        text = unmarked(text)
    if not text.isascii() or not text.isprintable():
        raise BandwidthError(f"{text!a} contains characters outside ASCII", "write digits and letters in ASCII")
    return text


def _suggestion(text: str, catalog: Catalog) -> str:
    import difflib  # needed for a slip only, and not free to import

    word = re.split(r"[\s@,-]", text.lower(), maxsplit=1)[0]
    near = catalog.devices.near_names(text)
    if not near and (alike := {name.lower(): name for name in _names(catalog) if _may_be_slip(name.lower(), word)}):
        near = tuple(alike[key] for key in difflib.get_close_matches(word, alike, 1, 0.6))
    return f"did you mean {' or '.join(near)}? {EXAMPLES}" if near else EXAMPLES


@lru_cache(maxsize=1)
def _names(catalog: Catalog) -> tuple[str, ...]:
    return (*(family.name for family in catalog.families), *(link.name for link in catalog.links))


def _may_be_slip(name: str, word: str) -> bool:
    """Return whether a name is near enough in length and letters to be compared: most are not, and that takes long."""
    return abs(len(name) - len(word)) <= LONGEST_SLIP and len(set(name) & set(word)) > len(word) // 2
