"""Ids, and the figures of a result worked out by hand."""

from __future__ import annotations

import pytest

from bandwidth.results import Examination, Finding, rates_bytes_per_s, summarise
from bandwidth.results.model import VARIANT_KEYS
from bandwidth.statistics import Interval


def test_an_id_names_target_path_engine_threads_and_variant(make_case):
    assert make_case().id == "host/copy/numpy/1"
    assert make_case(engine="native", threads=2, variant={"stores": "streaming"}).id == "host/copy/native/2/streaming"
    assert make_case(variant={"sweep_point": 4096}).id == "host/copy/numpy/1/4096"
    assert make_case(target="pcie:0", path="h2d", variant={"host_memory": "pinned"}).id == "pcie:0/h2d/numpy/1/pinned"


def test_the_order_of_an_id_is_fixed_and_unknown_keys_stay_out(make_case):
    variant = {key: f"<{key}>" for key in reversed(VARIANT_KEYS)} | {"remark": "later version"}
    assert make_case(variant=variant).id.split("/")[4:] == [f"<{key}>" for key in VARIANT_KEYS]


def test_theory_needs_a_working_set_at_the_rule_and_a_known_rule(make_case):
    assert make_case(working_set_bytes=100, dram_rule_bytes=100).meets_dram_rule
    assert not make_case(working_set_bytes=99, dram_rule_bytes=100).meets_dram_rule
    assert not make_case(dram_rule_bytes=None).meets_dram_rule


@pytest.mark.parametrize(
    ("target", "devices"),
    [("host", ()), ("device:0", (0,)), ("pcie:12", (12,)), ("device:1,0", (1, 0)), ("device:x,3", (3,))],
)
def test_the_devices_of_a_target(make_case, target, devices):
    assert make_case(target=target).devices == devices


def test_the_gpus_of_a_record_are_those_that_have_a_number(make_record):
    first, second = {"device": 0, "name": "A"}, {"device": 3, "name": "B"}
    listed = [second, {"name": "not opened"}, first, "text", {"device": True}, {"device": "4"}]
    assert make_record(machine={"gpus": listed}).gpus == {0: first, 3: second}
    assert make_record(machine={"gpus": "none"}).gpus == make_record(machine={}).gpus == {}


def test_the_figures_of_seven_samples(make_case, make_result):
    # 600 bytes a call, 2 calls a block: 1200 bytes in 1, 2, 3, 4, 5, 6 and 8 s.
    result = make_result(
        make_case(bytes_per_call=600),
        (4.0, 1.0, 2.0, 8.0, 3.0, 6.0, 5.0),
        calls_per_sample=2,
        theory_bytes_per_s=400.0,
        vendor_bytes_per_s=600.0,
    )
    assert rates_bytes_per_s(result) == (300.0, 1200.0, 600.0, 150.0, 400.0, 200.0, 240.0)
    summary = summarise(result)
    assert summary.median_bytes_per_s == 300.0
    assert summary.best_bytes_per_s == 1200.0
    # Seven values: the least and the greatest enclose the median with 98 %, the second ones with 87 %.
    assert summary.ci95 == Interval(150.0, 1200.0)
    assert (summary.efficiency, summary.vendor_efficiency, summary.count) == (0.75, 0.5, 7)
    assert summary.half_width == 3.0  # 900 above 300, only 150 below


def test_the_median_of_an_even_number_is_between_the_middle_two(make_case, make_result):
    summary = summarise(make_result(make_case(bytes_per_call=12), (1.0, 2.0, 3.0, 4.0)))
    assert summary.median_bytes_per_s == 5.0  # of 12, 6, 4 and 3
    assert summary.ci95 is None
    assert summary.half_width is None


def test_six_samples_give_an_interval_and_five_none(make_result):
    assert summarise(make_result(seconds=(0.02,) * 6)).ci95 is not None
    assert summarise(make_result(seconds=(0.02,) * 5)).ci95 is None


def test_without_theory_there_is_no_efficiency(make_result):
    summary = summarise(make_result())
    assert (summary.efficiency, summary.vendor_efficiency) == (None, None)


def test_an_unverified_result_has_no_rate_but_keeps_its_count(make_result):
    result = make_result(failure="element 3 is wrong", theory_bytes_per_s=1e9, vendor_bytes_per_s=1e9)
    summary = summarise(result)
    assert not result.is_verified
    figures = (summary.median_bytes_per_s, summary.best_bytes_per_s, summary.ci95)
    assert (*figures, summary.efficiency, summary.vendor_efficiency, summary.half_width) == (None,) * 6
    assert summary.count == 8


def test_a_result_without_samples_has_no_rate(make_result):
    summary = summarise(make_result(seconds=()))
    assert (summary.median_bytes_per_s, summary.count) == (None, 0)


def test_a_latency_of_less_than_an_address_has_figures(make_case, make_result):
    """As a record that was changed by hand may say; an address is 8 bytes, so that a call is half a load here."""
    chased = make_result(make_case(path="latency", bytes_per_call=4), (2e-9,) * 6)
    assert summarise(chased).latency.median_ns == pytest.approx(4.0)


def test_a_result_cannot_be_changed(make_result):
    with pytest.raises(AttributeError):
        make_result().failure = "late"


def test_an_examination_tells_findings_apart():
    one, other = Finding("BW003", "seen", "try"), Finding("BW010", "seen", "try")
    examination = Examination({"a": (one,)}, (other,))
    assert examination.of("a") == (one,)
    assert examination.of("b") == ()
    assert examination.codes() == {"BW003", "BW010"}
