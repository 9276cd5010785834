"""`python -m bandwidth`, and the console command."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line and leave with its exit code."""
    # A process this short never profits from the collector, which costs a tenth of its start; and a collection in the
    # middle of a measurement is noise. Pydantic's plugins (tracing) are looked for in every installed distribution.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    _open_closed_streams()
    if not sys.stdout.isatty():
        # Typer takes a build server for a terminal and colours its help there; piped text is to be plain everywhere.
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    from bandwidth.cli.app import run

    code = run(sys.argv[1:])
    sys.stderr.flush()
    # run() has flushed standard output. Taking the modules apart one by one would cost a sixth of a short call.
    os._exit(code)


def _open_closed_streams() -> None:
    """Give a stream that was closed by the caller (`>&-`) the null device, so that nothing else trips over it."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    main()
