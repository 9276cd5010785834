"""`python -m bandwidth`, and the console command."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

# How many threads OpenBLAS, BLIS and MKL start as they are loaded.
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    """Run the command line and leave with its exit code."""
    from bandwidth import own_process

    own_process.claim()
    # A process this short never profits from the collector, which costs a tenth of its start; and a collection in the
    # middle of a measurement is noise. Pydantic's plugins (tracing) are looked for in every installed distribution.
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    # NumPy's linear algebra is never used: its threads, one a CPU, would cost memory and fail where there are limits.
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))
    _open_closed_streams()
    if not sys.stdout.isatty():
        # Typer takes a build server for a terminal and colours its help there; piped text is to be plain everywhere.
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    code = _run()
    with suppress(OSError):
        sys.stderr.flush()
    if "matplotlib" in sys.modules:
        atexit._run_exitfuncs()  # it removes the folder that it made where it may not write to the user's
    # run() has flushed standard output. Taking the modules apart one by one would cost a sixth of a short call.
    os._exit(code)


def _run() -> int:
    """Run, and say in one line what ends it while its parts are still being loaded."""
    try:
        from bandwidth.cli.app import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        line, code = "interrupted", 130
    except MemoryError:
        line, code = "not enough memory to start", 1
    except (ImportError, OSError) as error:
        line, code = f"it cannot be loaded: {' '.join(str(error).split())}; install membandwidth again", 1
    with suppress(OSError):
        sys.stderr.write(f"bandwidth: {line}\n")
    return code


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
