"""Which results stand for themselves, which in a view of several, and which are left over: each in one place."""

from __future__ import annotations

from curves_support import KIB, MIB, STREAMING, nodes, point

from bandwidth.analysis.plain_results import alone_results, plain_results


def test_every_kind_of_result_has_its_place(rate, latency, make_record):
    plain = [rate(10.0, threads=threads, variant=STREAMING) for threads in (1, 8)]
    between = rate(10.0, threads=4, variant=STREAMING)
    half = rate(10.0, threads=8, **point(128 * MIB, **STREAMING))
    mix = rate(10.0, variant={"mix": "1:1"})
    zeros = rate(10.0, path="write", variant={"data": "zeros"})
    swept = [rate(10.0, path="read", **point(size)) for size in (4 * KIB, 8 * KIB, 16 * KIB)]
    node = rate(10.0, variant=nodes(0, 1))
    loaded = latency(90, threads=4, variant={"load": "50%"})
    lone = [rate(10.0, path="add", **point(4 * KIB)), latency(90)]
    record = make_record(plain[0], between, plain[1], half, mix, zeros, *swept, node, loaded, *lone)
    assert plain_results(record) == tuple(plain)
    assert alone_results(record) == tuple(lone)


def test_nothing_is_left_of_a_record_without_results(make_record):
    assert plain_results(make_record()) == alone_results(make_record()) == ()
