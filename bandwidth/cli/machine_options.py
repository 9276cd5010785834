"""What the options say that this machine has: `--memory`, `--sockets` and `--facts`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bandwidth.cli.options import MEMORY_VARIABLE
from bandwidth.errors import BandwidthError

if TYPE_CHECKING:
    from bandwidth.machine.facts import Facts
    from bandwidth.planning.options import MeasureOptions


def machine_options(memory: str | None, sockets: int | None, facts_path: Path | None) -> "MeasureOptions":
    """Return the options that these say. Raises BandwidthError for a facts file that cannot be read."""
    from bandwidth.planning.options import MeasureOptions

    by_variable = os.environ.get(MEMORY_VARIABLE) or None
    return MeasureOptions(
        memory=memory or by_variable,
        memory_source="--memory" if memory else MEMORY_VARIABLE,
        sockets=sockets,
        saved_facts=None if facts_path is None else _read_facts(facts_path),
    )


def _read_facts(path: Path) -> "Facts":
    """Return the facts in a file of `system --save`, or those in a saved record."""
    from bandwidth.machine.facts import Facts
    from bandwidth.text_files import read_text

    hint = "give a file that `bandwidth system --save` wrote"
    text = read_text(path, "a machine's facts", hint)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BandwidthError(f"{path} is not whole JSON", hint) from error
    if not isinstance(content, dict) or not isinstance(content.get("machine"), dict):
        raise BandwidthError(f"{path} holds no facts of a machine", hint)
    try:
        return Facts.from_json(content["machine"])
    except BandwidthError as error:
        raise BandwidthError(f"{path}: {error.message}", hint) from error
