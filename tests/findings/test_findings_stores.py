"""What is said of stores: ordinary beside streaming, NumPy beside compiled code, zeros beside other data."""

from __future__ import annotations

import dataclasses

import pytest

MIB = 1024**2
ORDINARY, STREAMING = {"stores": "ordinary"}, {"stores": "streaming"}


@pytest.fixture
def native(steady):
    """Return compiled code's pair of rows at two rates, of a copy unless said otherwise."""

    def build(ordinary, streaming, **fields):
        more = {"path": "copy", "engine": "native"} | fields
        traffic = more.pop("traffic", 384 * MIB)
        first = steady(ordinary, **more, variant=ORDINARY, traffic_bytes_per_call=traffic)
        return first, steady(streaming, **more, variant=STREAMING)

    return build


# --- BW015


@pytest.mark.parametrize(("ordinary", "expected"), [(8.99, 1), (9.01, 0), (12.0, 0)])
def test_bw015_by_the_ratio(native, found, ordinary, expected):
    assert len(found(*native(ordinary, 10.0), code="BW015")) == expected


def test_bw015_names_the_ratio_the_limit_and_the_traffic(native, found):
    ((case_id, text),) = found(*native(20.0, 40.0), code="BW015")
    assert case_id == "host/copy/native/1/ordinary"
    assert text == (
        "20.00 GB/s is 50.0 % of the rate with streaming stores; each line is read before it is written "
        "(write-allocate), 50.0 % more traffic than counted"
    )


def test_bw015_says_nothing_of_traffic_that_is_not_known(native, found):
    ((_, text),) = found(*native(20.0, 40.0, traffic=None), code="BW015")
    assert "traffic" not in text


@pytest.mark.parametrize(
    "fields",
    [
        {"working_set_bytes": 128 * MIB},  # in a cache ordinary stores are the right ones
        {"engine": "other"},
    ],
)
def test_bw015_needs_compiled_code_and_memory(native, found, fields):
    assert found(*native(20.0, 40.0, **fields), code="BW015") == []


def test_bw015_compares_the_same_kernel_and_threads_alone(native, steady, found):
    ordinary, _ = native(20.0, 40.0)
    others = [
        steady(40.0, engine="native", path="scale", variant=STREAMING),
        steady(40.0, engine="native", threads=2, variant=STREAMING),
        steady(40.0, engine="native", variant=STREAMING | {"data": "zeros"}),
        steady(40.0, engine="native", target="host:1", variant=STREAMING),
    ]
    assert found(ordinary, *others, code="BW015") == []


def test_bw015_needs_intervals_apart(make_case, rated, native, found):
    _, streaming = native(20.0, 10.0)
    wide = rated(8.0, 10.1, 8.0, 8.0, 8.0, 8.0, case=make_case(engine="native", variant=ORDINARY))
    assert found(wide, streaming, code="BW015") == []


# --- BW016, BW017, BW018


@pytest.mark.parametrize(
    ("numpy", "expected"),
    [
        (36.1, []),  # close to the best of compiled code
        (35.9, ["BW016"]),
        (20.0, ["BW016"]),  # as ordinary stores
        (17.1, ["BW016"]),
        (16.9, ["BW018"]),  # slower than these too
    ],
)
def test_bw016_and_bw018_by_which_compiled_row_explains_numpy(native, steady, found, numpy, expected):
    codes = found(*native(20.0, 40.0, path="scale"), steady(numpy, path="scale"))
    assert [code for code in codes if code in ("BW016", "BW018")] == expected


def test_bw016_names_what_compiled_code_gets(native, steady, found):
    ((case_id, text),) = found(*native(20.0, 40.0, path="scale"), steady(20.0, path="scale"), code="BW016")
    assert case_id == "host/scale/numpy/1"
    assert "NumPy reaches 20.00 GB/s, 50.0 % of the best compiled code" in text
    assert "and compiled code with them reaches 20.00 GB/s, 50.0 % more traffic" in text


def test_bw018_for_a_kernel_without_stores(steady, found):
    native, numpy = steady(40.0, engine="native", path="dot"), steady(30.0, path="dot")
    ((_, text),) = found(native, numpy, code="BW018")
    assert "stores do not explain it" in text
    assert found(native, steady(36.1, path="dot"), code="BW018") == []


@pytest.mark.parametrize(("size", "is_short"), [(290_000, True), (310_000, False)])
def test_bw018_by_the_length_of_a_call(steady, found, size, is_short):
    """At 10 GB/s, 300 kB take 30 us."""
    native = steady(30.0, engine="native", path="scale", variant=ORDINARY, working_set_bytes=size, calls=1000)
    numpy = steady(10.0, path="scale", working_set_bytes=size, calls=1000)
    ((_, text),) = found(native, numpy, code="BW018")
    assert ("of it the overhead of NumPy, about 0.3 us" in text) == is_short


@pytest.mark.parametrize(
    ("numpy", "nearest"),
    [(20.0, "ordinary"), (28.0, "ordinary"), (28.5, "streaming"), (39.0, "streaming"), (50.0, "streaming")],
)
def test_bw017_by_the_nearer_row(native, steady, found, numpy, nearest):
    """Half the way between 20 and 40 is 28.3, by ratio."""
    ((case_id, text),) = found(*native(20.0, 40.0), steady(numpy), code="BW017")
    assert case_id is None
    assert f", closest to {nearest} stores" in text


def test_bw017_tells_each_number_of_threads_apart_with_the_threshold(native, steady, found):
    machine = {"c_library": "glibc 2.36", "c_library_streaming_threshold_bytes": 100 * MIB}
    rows = [*native(20.0, 40.0), *native(30.0, 60.0, threads=2), steady(39.0), steady(31.0, threads=2)]
    ((_, text),) = found(*rows, code="BW017", machine=machine)
    assert text == (
        "NumPy's copy is the C library's memcpy: "
        "with 1 thread, 39.00 GB/s, closest to streaming stores (40.00 GB/s), "
        "with copies of 128 MiB; glibc 2.36 uses streaming stores from 100 MiB; "
        "with 2 threads, 31.00 GB/s, closest to ordinary stores (30.00 GB/s), "
        "with copies of 64 MiB; glibc 2.36 uses streaming stores from 100 MiB"
    )


@pytest.mark.parametrize("facts", [{}, {"c_library_streaming_threshold_bytes": "x"}, {"c_library": 3}])
def test_bw017_without_the_threshold(native, steady, found, facts):
    ((_, text),) = found(*native(20.0, 40.0), steady(39.0), code="BW017", machine=facts)
    assert "copy of" not in text


def test_bw017_says_nothing_where_the_two_stores_are_alike(native, steady, found):
    assert found(*native(37.0, 40.0), steady(37.0), code="BW017") == []
    assert found(*native(20.0, 40.0)[:1], steady(20.0), code="BW017") == []
    assert found(*native(20.0, 40.0, path="scale"), steady(20.0, path="scale"), code="BW017") == []


def test_a_copy_whose_stores_are_told_is_not_told_again(native, steady, found):
    codes = found(*native(20.0, 40.0), steady(20.0))
    assert codes == ["BW015", "BW017"]


def test_numpy_alone_says_nothing_of_compiled_code(steady, found):
    assert found(steady(10.0), steady(5.0, path="scale"), steady(3.0, path="dot")) == []


# --- BW019, BW020


def pair(steady, zeros, other, **fields):
    fields = {"path": "write", "engine": "native"} | fields
    return (
        steady(zeros, **fields, variant=STREAMING | {"data": "zeros"}),
        steady(other, **fields, variant=STREAMING),
    )


@pytest.mark.parametrize(
    ("zeros", "expected"), [(10.99, ["BW020"]), (11.01, ["BW019"]), (9.0, ["BW020"]), (30.0, ["BW019"])]
)
def test_bw019_or_bw020_by_the_gain(steady, found, zeros, expected):
    assert found(*pair(steady, zeros, 10.0)) == expected


def test_bw019_names_the_gain(steady, found):
    ((case_id, text),) = found(*pair(steady, 25.0, 10.0), code="BW019")
    assert case_id == "host/write/native/1/streaming/zeros"
    assert text.startswith("writing zeros is 150.0 % faster than writing other data, more than 10.0 %")


def test_bw019_needs_intervals_apart(make_case, rated, steady, found):
    _, other = pair(steady, 1.0, 10.0)
    case = make_case(path="write", engine="native", variant=STREAMING | {"data": "zeros"})
    near = rated(10.5, 11.02, 11.02, 11.02, 11.02, 11.02, case=case)
    spread = dataclasses.replace(
        other, samples=dataclasses.replace(other.samples, seconds=rated(*(10.0,) * 5, 10.5).samples.seconds)
    )
    assert found(near, spread) == ["BW020"]
    assert found(near, other) == ["BW019"]


def test_bw020_is_silent_where_one_of_several_has_the_shortcut(steady, found):
    rows = (*pair(steady, 10.0, 10.0), *pair(steady, 30.0, 10.0, threads=2))
    codes = found(*rows)
    assert "BW019" in codes
    assert "BW020" not in codes


def test_zeros_without_their_counterpart_say_nothing(steady, found):
    zeros, other = pair(steady, 30.0, 10.0)
    assert found(zeros) == []
    assert found(zeros, dataclasses.replace(other, failure="wrong")) == ["BW006"]
