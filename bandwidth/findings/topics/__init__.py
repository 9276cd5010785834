"""The concepts that one needs to read a figure: one Markdown file each, in the order of their numbers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from bandwidth.findings.entry import Explanation

_FOLDER = Path(__file__).parent
_TOPIC = re.compile(
    r"---\nkey: (?P<key>[^\n]+)\naliases: ?(?P<aliases>[^\n]*)\n---\n\n# (?P<title>[^\n]+)\n\n(?P<text>.+)", re.DOTALL
)


@cache
def topics() -> tuple[Explanation, ...]:
    """Return every topic. Raises ValueError for a file that has no key, aliases, title and text."""
    return tuple(_topic(path) for path in sorted(_FOLDER.glob("*.md")))


def _topic(path: Path) -> Explanation:
    match = _TOPIC.fullmatch(path.read_text("utf-8"))
    if match is None:
        raise ValueError(f"{path.name} is no topic: key, aliases, a title and a text")
    aliases = tuple(filter(None, match["aliases"].split(", ")))
    return Explanation(match["key"], match["title"], match["text"], aliases)
