"""The texts of `bandwidth explain`: prose wrapped for the terminal, examples as they stand."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from bandwidth.findings import Explanation
from bandwidth.report.document import Column, Document, Table, Verbatim

SCHEMA = "bandwidth/explain/1"
# A fenced block of Markdown, from the start of a line: its language, and what stands in it.
_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"^- ", re.MULTILINE)


def explanation_document(entries: Sequence[Explanation], width: int) -> Document:
    """Return explanations one below the other, their prose wrapped to `width` columns, their examples as they stand."""
    blocks = tuple(block for entry in entries for block in (f"{entry.key}: {entry.title}", *_blocks(entry.text, width)))
    records = [_record(entry) for entry in entries]
    return Document(blocks, {"schema": SCHEMA, "explanations": records}, records)


def explanations_document(entries: Sequence[Explanation]) -> Document:
    """Return the list of all codes and topics."""
    table = Table((Column("code or topic"), Column("subject")), tuple((entry.key, entry.title) for entry in entries))
    records = [_record(entry) for entry in entries]
    line = "`bandwidth explain CODE|TOPIC ...` prints one or more of them."
    return Document((table, line), {"schema": SCHEMA, "explanations": records}, records)


def _record(entry: Explanation) -> Mapping[str, str]:
    return {"key": entry.key, "title": entry.title, "text": entry.text.strip()}


def _blocks(text: str, width: int) -> Iterator[str]:
    """Yield the prose between two examples as one text, each example as it stands."""
    end = 0
    for fenced in _FENCED.finditer(text):
        yield from _prose(text[end : fenced.start()], width)
        yield Verbatim(fenced["content"].rstrip("\n"))
        end = fenced.end()
    yield from _prose(text[end:], width)


def _prose(text: str, width: int) -> Iterator[str]:
    paragraphs = [_wrapped(part, width) for part in re.split(r"\n{2,}", text.strip()) if part]
    if paragraphs:
        yield "\n\n".join(paragraphs)


def _wrapped(paragraph: str, width: int) -> str:
    """Return a paragraph filled, or each item of a list, what follows set in behind its mark."""
    if not _ITEM.match(paragraph):
        return textwrap.fill(" ".join(paragraph.split()), width)
    items = (" ".join(item.split()) for item in _ITEM.split(paragraph) if item)
    return "\n".join(
        textwrap.fill(item, width, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for item in items
    )
