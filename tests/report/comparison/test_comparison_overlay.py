"""Figures that overlay machines: which lines stand in one figure, their colours, and the page that holds them."""

from __future__ import annotations

import pytest

from bandwidth.comparison.roles import by_role
from bandwidth.comparison.sides import Side, named, side_by_side
from bandwidth.report.comparison.overlay import overlay_figures
from bandwidth.report.comparison.page import comparison_write_up, opening_sections
from bandwidth.report.figures.data import Bars, Curves, Figure
from bandwidth.report.figures.drawing import draw
from bandwidth.report.figures.lines import spread_out
from bandwidth.theory import peaks

KIB, MIB = 1024, 1024**2
SIZES = tuple(4 * KIB * 8**power for power in range(6))
CACHES = {"L1": 32 * KIB, "L2": MIB, "L3": 32 * MIB}


@pytest.fixture(scope="module")
def machine(make_case, make_result, make_record):
    """Return a record of a machine with so many cores, each of so many GB/s."""

    def build(name, cores, gb_s, *, swept="native"):
        def result(path, threads, rate, engine="native", size=512 * MIB, **variant):
            case = make_case(
                path=path,
                engine=engine,
                threads=threads,
                working_set_bytes=size,
                bytes_per_call=size if path != "latency" else 8,
                payload_bytes_per_call=size if path != "latency" else 8,
                variant=variant,
                caches=CACHES,
            )
            return make_result(case, (case.bytes_per_call / rate,) * 6, theory_bytes_per_s=1e12 if size > MIB else None)

        counts = sorted({1, 2, 4, cores})
        results = [result("read", threads, gb_s * threads * 1e9) for threads in counts]
        results += [result("read", 1, gb_s * 1e9, swept, size, sweep_point=size) for size in SIZES]
        results += [result("latency", 1, 8e9 / gb_s, size=size, sweep_point=size) for size in SIZES]
        return Side("", f"{name}.json", make_record(*results, machine={"hostname": name, "cpu_model": name}))

    return build


def figures_of(*columns):
    sides = side_by_side(named(columns))
    return {figure.name: figure.picture for figure in overlay_figures(sides, by_role(sides), "GB/s")}


def test_each_kind_of_data_has_its_figure_with_a_line_a_machine(machine):
    found = figures_of(machine("a", 8, 10), machine("b", 16, 20))
    assert [(name, type(picture)) for name, picture in found.items()] == [
        ("by-role", Bars),
        ("overlay-read-bandwidth-of-host-memory-over-size-one-core", Curves),
        ("overlay-latency-of-host-memory-over-size-one-core", Curves),
        ("overlay-read-bandwidth-of-host-memory-over-threads", Curves),
    ]
    for picture in list(found.values())[1:]:
        assert [(line.label, line.colour) for line in picture.series] == [("a", 0), ("b", 1)]
        assert picture.at_lines
        assert picture.y_log
    threads = found["overlay-read-bandwidth-of-host-memory-over-threads"]
    assert threads.x_log
    assert [[point.x for point in line.points] for line in threads.series] == [[1, 2, 4, 8], [1, 2, 4, 16]]


def test_bars_have_the_share_and_the_ratio_and_a_spec_is_its_tick(machine):
    spec = Side("", "DDR5-4800 x12", memory=peaks("DDR5-4800 x12")[0])
    bars = figures_of(machine("a", 8, 10), machine("b", 16, 20), spec)["by-role"]
    every, one = bars.panels
    assert [bar.text for bar in every[1]] == [
        "80.00, 8.0 %",
        "320.00, 32.0 %, 4.000 x",
        "460.80, 5.760 x",
    ]
    assert [bar.group for bar in every[1]] == [0, 1, 2]
    assert (every[1][2].value, every[1][2].theory) == (None, pytest.approx(460.8))
    assert every[1][0].theory == 1000.0
    assert one[1][0].theory is None, "one core is far below the peak of all"


def test_a_machine_without_the_others_way_has_no_line(machine):
    found = figures_of(machine("a", 8, 10), machine("b", 8, 10, swept="numpy"), machine("c", 8, 10))
    swept = found["overlay-read-bandwidth-of-host-memory-over-size-one-core"]
    assert [(line.label, line.colour) for line in swept.series] == [("a", 0), ("c", 2)]


def test_a_line_alone_is_no_overlay(machine, make_record, make_result):
    alone = Side("", "plain.json", make_record(make_result(), machine={"hostname": "p"}))
    assert list(figures_of(machine("a", 8, 10), alone)) == ["by-role"]


def test_all_of_them_can_be_drawn(machine):
    pytest.importorskip("matplotlib")
    sides = side_by_side(named([machine("a", 8, 10), machine("b", 16, 20), machine("c", 4, 5)]))
    for figure in overlay_figures(sides, by_role(sides), "GB/s"):
        text = draw(figure, "svg").decode()
        assert [name for name in ("a", "b", "c") if f">{name}</text>" not in text] == []


def test_the_page_opens_with_the_sentence_and_the_bars(machine):
    sides = side_by_side(named([machine("a", 8, 10), machine("b", 16, 20)]))
    page = comparison_write_up(sides)
    assert page.title == "a and b side by side"
    sentence, picture, table, _ = page.sections[0].blocks
    assert sentence.startswith("b reads 4.00 x a with all cores")
    assert isinstance(picture, Figure)
    assert [row[:2] for row in table.rows[:3]] == [("all cores", "GB/s"), ("", "of peak"), ("", "ratio")]
    titles = [section.title for section in page.sections]
    assert titles == [
        "Key results",
        "Over size and threads",
        "Measured the same way on all machines",
        "Notes",
        "Method",
    ]


def test_it_opens_a_report_of_several_records(machine):
    sides = side_by_side(named([machine("a", 8, 10), machine("b", 16, 20)]))
    first, *others = opening_sections(sides, "GB/s", figures=True)
    assert (first.title, first.level) == ("Side by side", 1)
    assert [section.title for section in others] == ["Over size and threads", "Measured the same way on all machines"]
    assert not any(
        isinstance(block, Figure)
        for section in opening_sections(sides, "GB/s", figures=False)
        for block in section.blocks
    )


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([0.2, 0.8], [0.2, 0.8]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.0, 0.0], [0.0, 0.1]),
        ([1.0, 1.0, 1.0], [0.8, 0.9, 1.0]),
        ([0.5] * 21, [index / 20 for index in range(21)]),
    ],
)
def test_names_are_spread_out(wanted, places):
    assert spread_out(wanted, 0.1) == pytest.approx(places, abs=0.01)
