"""README.md and the topics of `bandwidth explain`, as Markdown: their fenced blocks, and the commands in these."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
TOPICS = tuple(sorted((ROOT / "bandwidth" / "findings" / "topics").glob("*.md")))
PAGES = (README, *TOPICS)


def blocks(language: str, *pages: Path) -> list[str]:
    """Return the contents of the fenced blocks of a language, of all pages or of those given, in their order."""
    texts = (page.read_text("utf-8") for page in pages or PAGES)
    return [block for text in texts for block in re.findall(_fenced(language), text, re.MULTILINE | re.DOTALL)]


def console_examples(*pages: Path) -> list[tuple[str, str]]:
    """Return the pairs of command and output in the console blocks, each once."""
    return list(dict.fromkeys(map(_command_and_output, blocks("console", *pages))))


def with_outputs(text: str, output: Callable[[str], str]) -> str:
    """Return a page whose console blocks have what `output` gives for their commands."""

    def renewed(block: re.Match[str]) -> str:
        command, _ = _command_and_output(block[1])
        return f"```console\n$ {command}\n{output(command)}```"

    return re.sub(_fenced("console"), renewed, text, flags=re.MULTILINE | re.DOTALL)


def shell_commands() -> list[str]:
    """Return the `bandwidth` commands of the shell blocks, but for the quick start and the benchmarks, each once."""
    lines = dict.fromkeys(line for block in blocks("sh") for line in block.splitlines())
    return [line for line in lines if re.match(r"(.*\| |sudo \S*/)?bandwidth ", line)]


def arguments(command: str) -> list[str]:
    """Return what stands behind `bandwidth` in a command line, without its comment."""
    words = shlex.split(command, comments=True)
    return words[next(place for place, word in enumerate(words) if word.endswith("bandwidth")) + 1 :]


def _fenced(language: str) -> str:
    return rf"^```{language}\n(.*?)^```$"


def _command_and_output(block: str) -> tuple[str, str]:
    command, _, output = block.removeprefix("$ ").partition("\n")
    return command, output
