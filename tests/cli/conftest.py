"""The command line as its tests call it, in this process; those that need more about them have a `run` of their own."""

from __future__ import annotations

import pytest
from called import Ran

from bandwidth.cli import app


@pytest.fixture
def run(capsys):
    """Run a command line: its words one by one."""

    def run(*arguments):
        code = app.run(list(arguments))
        return Ran(code, *capsys.readouterr())

    return run
