"""Every kind of page in a browser: no error, no request, no sideways scroll on a phone, readable in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Browser, chromium
from gpu_machine import two_h200s
from simulated_fleet import FAULTS, Spread, simulated_machines

from bandwidth.comparison.sides import Side, named, side_by_side
from bandwidth.fleet import judge
from bandwidth.report.comparison.page import comparison_write_up, opening_sections
from bandwidth.report.figures.drawing import can_draw
from bandwidth.report.fleet.page import fleet_write_up
from bandwidth.report.write_up.content import make_write_up
from bandwidth.report.write_up.files import FORMS, text_alone
from bandwidth.results.files import load

RECORD = Path(__file__).parents[2] / "data" / "report" / "record.json"
WINDOW, PHONE = 1280, 390

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed: apt-get install chromium"),
    pytest.mark.skipif(not can_draw(), reason="the extra `plot` is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    found = Browser(chromium() or "")
    yield found
    found.close()


@pytest.fixture(scope="module")
def pages(drawn_once, tmp_path_factory, make_record, make_case, make_result):
    """Write a page of each kind; return their paths."""
    host, gpus = load(RECORD), two_h200s(make_record, make_case, make_result)
    sides = side_by_side(named([Side("", "a.json", host), Side("", "b.json", host), Side("", "gpus.json", gpus)]))
    machines = simulated_machines(30, 1, Spread(0.002), {3: FAULTS[1], 9: FAULTS[2]}.get)
    kinds = {
        "report": make_write_up([host], flops=1e12),
        "overlay": make_write_up([gpus], opening=opening_sections(sides, "GB/s", figures=True)),
        "compare": comparison_write_up(sides, with_all=True),
        "fleet": fleet_write_up(judge(machines), "GB/s"),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, write_up in kinds.items():
        (folder / f"{name}.html").write_text(text_alone(write_up, FORMS["html"]), "utf-8")
    return {name: folder / f"{name}.html" for name in kinds}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [WINDOW, PHONE])
@pytest.mark.parametrize("kind", ["report", "overlay", "compare", "fleet"])
def test_a_page_opens_without_a_complaint(browser, pages, kind, width, dark):
    seen = browser.open(pages[kind], width, dark=dark)
    assert seen.errors == []
    assert seen.requests == []
    assert seen.look["width"] == width
    assert seen.look["scrolls_by"] <= 0
    assert seen.look["dark"] is dark
    assert seen.look["texts"] > 50
    assert seen.look["faint"] == []
    assert seen.look["opening_top"] < 844  # the picture begins on the first screen


def test_the_look_itself_sees_what_is_wrong(browser, tmp_path):
    page = tmp_path / "wrong.html"
    page.write_text(
        '<html><body style="background: #fff"><p style="color: #bbb">faint</p><p>clear</p>'
        '<div style="width: 2000px">wide</div><img src="https://example.org/x.png">'
        "<script>console.error('no'); missing()</script></body></html>",
        "utf-8",
    )
    seen = browser.open(page, PHONE, dark=False)
    assert seen.look["faint"] == ["faint"]
    assert seen.look["scrolls_by"] > 1000
    assert "https://example.org/x.png" in seen.requests
    assert any("no" in one for one in seen.errors)
    assert any("Uncaught" in one for one in seen.errors)
