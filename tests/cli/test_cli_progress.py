"""The line of progress, the bar while memory is filled, and colour: on a terminal alone, and never alone."""

from __future__ import annotations

import io
import sys
from itertools import pairwise

import pytest

from bandwidth.cli.output import coloured
from bandwidth.cli.progress import bar_line, progress_line, shown_progress
from bandwidth.measuring.run import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def ninth(make_case):
    case = make_case(path="copy", engine="native", threads=2, variant={"stores": "streaming"})
    return Progress(11.2, 15.0, "", case, 9, 28, 25.2e9)


def test_the_line_counts_the_cases_and_the_time_and_has_the_rate_so_far(ninth):
    assert progress_line(ninth, 80) == "[ 9/28] copy, native, 2 threads, streaming  11 of 15 s  25.20 GB/s so far"
    assert len(progress_line(ninth, 50)) < 50
    assert progress_line(Progress(1.0, 15.0, "filling memory"), 80) == "filling memory  1 of 15 s"


def test_the_bar_moves_there_and_back():
    places = [bar_line("filling memory", step).index("#") for step in range(20)]
    assert (min(places), max(places)) == (1, 10)
    assert all(abs(one - other) == 1 for one, other in pairwise(places))
    assert len({len(bar_line("filling memory", step)) for step in range(40)}) == 1


def test_a_terminal_has_one_line_that_is_cleared_at_the_end(monkeypatch, ninth):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress(lambda: None, quiet=False) as show:
        show(Progress(0.0, 15.0, "filling memory", is_filling=True))
        show(ninth)
    text = terminal.getvalue()
    assert "] filling memory" in text
    assert "25.20 GB/s so far" in text
    assert "\n" not in text
    assert text.endswith("\r\x1b[K")


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_drawn_elsewhere_and_each_step_can_interrupt(monkeypatch, ninth, quiet):
    stream = Terminal() if quiet else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    steps = []
    with shown_progress(lambda: steps.append(1), quiet=quiet) as show:
        show(ninth)
        show(ninth)
    assert (stream.getvalue(), len(steps)) == ("", 2)


def test_colour_adds_nothing_but_itself():
    text = (
        "UNRELIABLE: busy.\n\nWhy not more\n  !!  One.\n  ok  Two.\n  --  Three.\n-----  --\nok: today.json\nokay --\n"
    )
    lines = coloured(text).splitlines()
    assert [line.startswith("\x1b[") for line in lines] == [
        True, False, True, True, True, True, False, True, False,
    ]  # fmt: skip
    plain = coloured(text)
    for code in ("1;31", "1;33", "32", "2", "1", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == text
