"""Whoever imports the package keeps what all of a process shares: other libraries' settings, hooks, the collector."""

import subprocess
import sys

CODE = """
import gc, os, signal, sys, tabulate, warnings
def shared():
    return (tabulate.MIN_PADDING, sys.excepthook, sys.unraisablehook, gc.isenabled(), tuple(warnings.filters),
            sys.getrecursionlimit(), dict(os.environ), signal.getsignal(signal.SIGTERM), sys.stdout, sys.stderr)
before = shared()
import importlib, pkgutil, bandwidth
for module in pkgutil.walk_packages(bandwidth.__path__, "bandwidth."):
    if module.name.rpartition(".")[2] not in ("__main__",):
        importlib.import_module(module.name)
from bandwidth.report import Document, render
from bandwidth.report.document import Column, Table
render(Document((Table((Column("a"),), (("b",),)),), {}, ()), "table")
after = shared()
assert after[:4] == before[:4] and after[5:] == before[5:], (before, after)
assert [one for one in after[4] if one not in before[4] and "bandwidth" in str(one)] == []
"""


def test_an_import_changes_nothing_for_others():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
