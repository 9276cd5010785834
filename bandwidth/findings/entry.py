"""What a text of `bandwidth explain` is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """A text of `bandwidth explain`: its key (a code, or a topic in lower case), its title and its paragraphs."""

    key: str
    title: str
    text: str
    aliases: tuple[str, ...] = ()
