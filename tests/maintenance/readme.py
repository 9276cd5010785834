"""Writes the outputs of the console blocks of README.md and of the topics anew: `python -m tests.maintenance.readme`.

Every command runs in the checkout's root, 80 columns wide, as tests/test_readme.py runs it. The pages that changed are
named; one whose command fails is left as it is, and the exit code is then 1. Look at the difference before committing.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stdout

from bandwidth.cli.app import run
from tests.support.pages import PAGES, ROOT, arguments, with_outputs


def output(command: str) -> str:
    """Return what a command prints to a file. Raises ValueError where it fails."""
    printed = io.BytesIO()
    stream = io.TextIOWrapper(printed, "utf-8", newline="\n", write_through=True)
    with redirect_stdout(stream):
        code = run(arguments(command))
    if code:
        raise ValueError(f"exit code {code} of: {command}")
    return printed.getvalue().decode("utf-8")


def main() -> int:
    """Renew every page, and return the exit code."""
    os.chdir(ROOT)
    os.environ.pop("COLUMNS", None)
    code = 0
    for page in PAGES:
        before = page.read_text("utf-8")
        try:
            after = with_outputs(before, output)
        except ValueError as error:
            print(f"{page.relative_to(ROOT)}: {error}", file=sys.stderr)
            code = 1
            continue
        if after != before:
            page.write_text(after, "utf-8")
            print(page.relative_to(ROOT))
    return code


if __name__ == "__main__":
    sys.exit(main())
