"""The laws of quantization, and the worked examples of the literature."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support import PROJECT

import rag.int8.quantization
from rag.int8.quantization import (
    ASYMMETRIC,
    ASYMMETRIC_UNSIGNED,
    SYMMETRIC,
    SYMMETRIC_FULL_RANGE,
    Scheme,
    choose_parameters,
    dequantize,
    fit_parameters,
    minmax_range,
    mse_range,
    percentile_range,
    quantize,
    quantize_channels,
    quantize_query,
    quantize_tensor,
    quantize_vectors,
    scheme_of_bits,
    scores,
    squared_error,
)
from sql.base.errors import InvalidVector
from sql.records import MAX_DIMENSIONS, QuantizedQuery, QuantizedVectors

settings.register_profile("unhurried", deadline=None, max_examples=50)  # a busy machine is no failure
settings.load_profile("unhurried")

SCHEMES = [ASYMMETRIC, SYMMETRIC, SYMMETRIC_FULL_RANGE, ASYMMETRIC_UNSIGNED]
HALF_STEP_SCHEMES = [ASYMMETRIC, SYMMETRIC, ASYMMETRIC_UNSIGNED]  # the full range gives up half a step at its upper end
ROUNDING = 1e-4  # of a step: the scale and the restored number are float32

any_float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Numbers that a power of two multiplies exactly: not so small that their last bits could be lost.
common_float32 = st.floats(-1000, 1000, width=32).map(lambda number: number if abs(number) > 1e-20 else 0.0)
powers_of_two = st.integers(-12, 12).map(lambda power: np.float32(2.0**power))


def float_vectors(
    rows: st.SearchStrategy[int] | int = 1, elements: st.SearchStrategy[float] = common_float32
) -> st.SearchStrategy[np.ndarray]:
    count = st.just(rows) if isinstance(rows, int) else rows
    return arrays(np.float32, st.tuples(count, st.integers(1, 16)), elements=elements)


# The worked examples


def test_range_from_minus_6_to_5_with_a_step_of_6_128ths_has_codes_minus_128_0_and_107() -> None:
    scale, zero_point = choose_parameters(-6, 5, SYMMETRIC_FULL_RANGE)
    assert (scale, zero_point) == (6 / 128, 0)
    assert quantize([-6, 0, 5], scale, zero_point, SYMMETRIC_FULL_RANGE).tolist() == [-128, 0, 107]


def test_range_from_minus_6_to_5_with_a_step_of_6_127ths_has_codes_minus_127_0_and_106() -> None:
    scale, zero_point = choose_parameters(-6, 5, SYMMETRIC)
    assert (scale, zero_point) == (np.float32(6 / 127), 0)
    assert quantize([-6, 0, 5], scale, zero_point, SYMMETRIC).tolist() == [-127, 0, 106]


def test_range_from_0_to_10_on_unsigned_codes_maps_its_ends_to_0_and_255() -> None:
    scale, zero_point = choose_parameters(0, 10, ASYMMETRIC_UNSIGNED)
    assert (scale, zero_point) == (np.float32(10 / 255), 0)
    codes = quantize([0, 2.5, 4, 10], scale, zero_point, ASYMMETRIC_UNSIGNED)
    assert codes.tolist() == [0, 64, 102, 255]  # 2.5 is 63.75 steps
    assert codes.dtype == np.uint8


def test_asymmetric_codes_of_a_vector_can_be_followed_by_hand() -> None:
    # steps of (2 - -3.1) / 255 = 0.02; -3.1 / 0.02 = -155, so the zero-point is -128 + 155 = 27
    vectors = quantize_vectors(np.array([[-3.1, 0, 2]], dtype=np.float32))
    assert vectors.scale.tolist() == pytest.approx([0.02])
    assert vectors.zero_point.tolist() == [27]
    assert vectors.codes.tolist() == [[-128, 27, 127]]


def test_halves_are_rounded_to_the_even_code() -> None:
    assert quantize([-1.5, -0.5, 0.5, 1.5, 2.5], 1, 0, SYMMETRIC).tolist() == [-2, 0, 0, 2, 2]


# The laws


@pytest.mark.parametrize("scheme", HALF_STEP_SCHEMES)
@given(values=float_vectors(elements=any_float32))
def test_a_restored_number_is_within_half_a_step(scheme: Scheme, values: np.ndarray) -> None:
    scale, zero_point = choose_parameters(values.min(), values.max(), scheme)
    assert np.isfinite(scale)
    assert scale > 0
    restored = dequantize(quantize(values, scale, zero_point, scheme), scale, zero_point)
    error = np.abs(restored.astype(np.float64) - values.astype(np.float64))
    assert (error <= np.float64(scale) * (0.5 + ROUNDING)).all()


@given(values=float_vectors())
def test_the_symmetric_full_range_saturates_at_its_upper_end_by_at_most_one_step(values: np.ndarray) -> None:
    scale, zero_point = choose_parameters(values.min(), values.max(), SYMMETRIC_FULL_RANGE)
    codes = quantize(values, scale, zero_point, SYMMETRIC_FULL_RANGE)
    error = np.abs(dequantize(codes, scale, zero_point) - values) / scale
    assert (error <= np.where(codes == 127, 1, 0.5) + ROUNDING).all()


@pytest.mark.parametrize("scheme", SCHEMES)
@given(values=float_vectors(), beyond=st.floats(1, 1e6))
def test_numbers_beyond_the_range_saturate_and_never_wrap(scheme: Scheme, values: np.ndarray, beyond: float) -> None:
    scale, zero_point = choose_parameters(values.min(), values.max(), scheme)
    width = (scheme.hi - scheme.lo + 1) * np.float64(scale) * beyond
    far = [-np.inf, -1e300, -width, width, 1e300, np.inf]
    assert quantize(far, scale, zero_point, scheme).tolist() == [scheme.lo] * 3 + [scheme.hi] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
@given(values=float_vectors(elements=any_float32))
def test_zero_is_restored_as_exactly_zero(scheme: Scheme, values: np.ndarray) -> None:
    scale, zero_point = choose_parameters(values.min(), values.max(), scheme)
    assert scheme.lo <= zero_point <= scheme.hi
    code = quantize(0, scale, zero_point, scheme)
    assert code == zero_point
    assert dequantize(code, scale, zero_point) == 0


@pytest.mark.parametrize("scheme", SCHEMES)
@given(values=float_vectors(), factor=powers_of_two)
def test_codes_stay_when_a_vector_is_multiplied_by_a_power_of_two(
    scheme: Scheme, values: np.ndarray, factor: np.float32
) -> None:
    scale, zero_point = choose_parameters(values.min(), values.max(), scheme)
    grown_scale, grown_zero_point = choose_parameters((values * factor).min(), (values * factor).max(), scheme)
    assert grown_zero_point == zero_point
    if values.any():
        assert grown_scale == scale * factor
    codes = quantize(values, scale, zero_point, scheme)
    assert (quantize(values * factor, grown_scale, grown_zero_point, scheme) == codes).all()


@given(values=float_vectors(elements=any_float32))
def test_the_asymmetric_step_is_a_255th_of_the_range_and_never_coarser_than_the_symmetric_one(
    values: np.ndarray,
) -> None:
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    assume(high - low > 1e-30)
    asymmetric, _ = choose_parameters(low, high, ASYMMETRIC)
    symmetric, _ = choose_parameters(low, high, SYMMETRIC)
    assert float(asymmetric) <= (high - low) / 255 * (1 + 1e-7)
    assert asymmetric <= symmetric


@given(values=float_vectors())
def test_an_asymmetric_vector_is_never_further_off_than_half_a_255th_of_its_range(values: np.ndarray) -> None:
    width = max(0.0, float(values.max())) - min(0.0, float(values.min()))
    error = np.abs(quantize_vectors(values).dequantize() - values)
    assert (error <= width / 255 * (0.5 + ROUNDING)).all()


# Vectors


@given(
    values=float_vectors(rows=st.integers(0, 5)), scheme=st.sampled_from([ASYMMETRIC, SYMMETRIC, SYMMETRIC_FULL_RANGE])
)
def test_vectors_get_the_codes_that_each_would_get_alone(values: np.ndarray, scheme: Scheme) -> None:
    vectors = quantize_vectors(values, scheme)
    assert len(vectors) == len(values)
    for row, vector in enumerate(values):
        scale, zero_point = choose_parameters(vector.min(), vector.max(), scheme)
        assert (vectors.scale[row], vectors.zero_point[row]) == (scale, zero_point)
        assert (vectors.codes[row] == quantize(vector, scale, zero_point, scheme)).all()
        assert (vectors.dequantize()[row] == dequantize(vectors.codes[row], scale, zero_point)).all()


def test_rows_of_every_block_are_quantized() -> None:
    values = np.random.default_rng(0).standard_normal((2 * rag.int8.quantization.ROWS_AT_ONCE + 1, 3), dtype=np.float32)
    vectors = quantize_vectors(values)
    assert np.abs(vectors.dequantize() - values).max() <= vectors.scale.max() * (0.5 + ROUNDING)


@pytest.mark.parametrize("scheme", [ASYMMETRIC, SYMMETRIC, SYMMETRIC_FULL_RANGE])
def test_a_vector_of_zeros_has_scale_1_and_codes_and_zero_point_0(scheme: Scheme) -> None:
    vectors = quantize_vectors(np.zeros((2, 3), dtype=np.float32), scheme)
    assert vectors.codes.tolist() == [[0, 0, 0]] * 2
    assert vectors.scale.tolist() == [1, 1]
    assert vectors.zero_point.tolist() == [0, 0]


@pytest.mark.parametrize("constant", [1e-45, 1e-38, 0.1, 3e38, np.finfo(np.float32).max])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("dimensions", [1, 3])
def test_a_constant_vector_and_a_single_number_are_restored(constant: float, sign: int, dimensions: int) -> None:
    vectors = quantize_vectors(np.full((1, dimensions), sign * constant, dtype=np.float32))
    restored = dequantize(vectors.codes, vectors.scale, vectors.zero_point)
    assert restored[0].tolist() == pytest.approx([sign * constant] * dimensions, rel=1e-6, abs=1e-38)


def test_the_widest_float32_range_has_a_finite_scale_and_is_restored_finite() -> None:
    largest = np.finfo(np.float32).max
    for scheme in SCHEMES:
        scale, zero_point = choose_parameters(-largest, largest, scheme)
        codes = quantize([-largest, largest], scale, zero_point, scheme)
        restored = dequantize(codes, scale, zero_point).astype(np.float64)
        assert np.isfinite(restored).all()
        assert (np.abs(restored - [-largest, largest]) <= np.float64(scale) * (1 + ROUNDING)).all()


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_place(number: float) -> None:
    values = np.zeros((4, 3), dtype=np.float32)
    values[2, 1] = number
    with pytest.raises(InvalidVector, match=rf"row 2, dimension 1 is {number}"):
        quantize_vectors(values)
    with pytest.raises(InvalidVector, match=rf"dimension 1 is {number}"):
        quantize_query(values[2])
    for quantize_weight in (quantize_channels, quantize_tensor):
        with pytest.raises(InvalidVector, match=rf"channel 2, input 1 is {number}"):
            quantize_weight(values)


@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4)])
def test_vectors_of_another_shape_are_refused_with_it(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidVector, match=r"expected row by dimension"):
        quantize_vectors(np.zeros(shape, dtype=np.float32))


def test_numbers_beyond_float32_are_refused_as_infinite() -> None:
    with pytest.raises(InvalidVector, match="inf"):
        quantize_vectors(np.array([[1e39]]))


def test_vectors_cannot_have_codes_that_are_no_int8() -> None:
    with pytest.raises(ValueError, match=r"0\.\.255 do not fit int8"):
        quantize_vectors(np.zeros((1, 1), dtype=np.float32), ASYMMETRIC_UNSIGNED)


# Parameters and schemes


@pytest.mark.parametrize(("minimum", "maximum"), [(np.nan, 1), (0, np.inf), (-np.inf, 0), (1, -1), (0, 1e39)])
def test_a_range_that_no_codes_can_cover_is_refused(minimum: float, maximum: float) -> None:
    with pytest.raises(InvalidVector, match="a range to quantize"):
        choose_parameters(minimum, maximum, ASYMMETRIC)


def test_a_range_above_zero_is_widened_down_to_it() -> None:
    assert choose_parameters(5, 10, ASYMMETRIC_UNSIGNED) == choose_parameters(0, 10, ASYMMETRIC_UNSIGNED)


def test_parameters_of_many_ranges_have_their_shape() -> None:
    scale, zero_point = choose_parameters([[-50, 0], [0, -100]], [[205, 0], [510, 155]], ASYMMETRIC)
    assert scale.dtype == np.float32
    assert scale.tolist() == [[1, 1], [2, 1]]
    assert zero_point.tolist() == [[-78, 0], [-128, -28]]


@pytest.mark.parametrize(("symmetric", "lo", "hi"), [(False, 1, 5), (False, -5, 0), (True, 0, 255), (True, -128, 126)])
def test_a_scheme_without_room_for_zero_or_with_uneven_ends_cannot_be_made(symmetric: bool, lo: int, hi: int) -> None:
    with pytest.raises(ValueError, match=rf"codes {lo}\.\.{hi}"):
        Scheme(symmetric, lo, hi)


def test_codes_wider_than_int16_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="do not fit int16"):
        Scheme(symmetric=False, lo=0, hi=40000)


@pytest.mark.parametrize("scale", [0, -1, np.nan, np.inf])
def test_a_scale_that_is_not_finite_and_above_zero_is_refused(scale: float) -> None:
    with pytest.raises(InvalidVector, match="a scale must be finite and greater than 0"):
        quantize([1], scale, 0, SYMMETRIC)


def test_nan_has_no_code() -> None:
    with pytest.raises(InvalidVector, match="nan"):
        quantize([0, np.nan], 1, 0, SYMMETRIC)


def test_one_scale_a_dimension_broadcasts_over_vectors() -> None:
    codes = quantize([[1, 10], [2, 20]], [1, 10], [0, 5], ASYMMETRIC)
    assert codes.tolist() == [[1, 6], [2, 7]]
    assert dequantize(codes, [1, 10], [0, 5]).tolist() == [[1, 10], [2, 20]]


# Weights


def test_a_channel_of_small_weights_survives_beside_a_large_one_only_with_its_own_scale() -> None:
    weight = np.array([[1.27, -0.5], [0.0127, 0.001]], dtype=np.float32)
    codes, scale = quantize_channels(weight)
    assert codes.tolist() == [[127, -50], [127, 10]]
    assert scale.tolist() == pytest.approx([0.01, 0.0001])
    codes, tensor_scale = quantize_tensor(weight)
    assert codes.tolist() == [[127, -50], [1, 0]]
    assert tensor_scale == pytest.approx(0.01)
    assert codes.dtype == np.int8


def test_a_channel_of_zeros_has_scale_1() -> None:
    codes, scale = quantize_channels(np.array([[0, 0], [1, -1]], dtype=np.float32))
    assert codes.tolist() == [[0, 0], [127, -127]]
    assert scale.tolist() == [1, np.float32(1 / 127)]


# Queries and scores


def test_a_query_of_zeros_has_codes_0_and_scale_1() -> None:
    query = quantize_query(np.zeros(3, dtype=np.float32))
    assert query.codes.tolist() == [0, 0, 0]
    assert query.scale == 1


@given(values=float_vectors(elements=any_float32))
def test_a_query_is_restored_within_half_a_step_of_its_2047(values: np.ndarray) -> None:
    query = quantize_query(values[0])
    assert (np.abs(query.scale * query.codes - values[0].astype(np.float64)) <= query.scale * (0.5 + ROUNDING)).all()


@given(data=st.data(), factor=powers_of_two)
def test_a_query_multiplied_by_a_power_of_two_ranks_the_same(data: st.DataObject, factor: np.float32) -> None:
    values = data.draw(float_vectors(rows=st.integers(2, 6)))
    vectors, query = quantize_vectors(values[1:]), values[0]
    expected = scores(quantize_query(query), vectors)
    found = scores(quantize_query(query * factor), vectors)
    assert (found == expected * (factor if query.any() else 1)).all()
    assert (np.argsort(-found, kind="stable") == np.argsort(-expected, kind="stable")).all()


@given(data=st.data(), scheme=st.sampled_from([ASYMMETRIC, SYMMETRIC, SYMMETRIC_FULL_RANGE]))
def test_scores_are_the_inner_products_of_the_restored_vectors(data: st.DataObject, scheme: Scheme) -> None:
    values = data.draw(float_vectors(rows=st.integers(2, 6)))
    query, vectors = quantize_query(values[0]), quantize_vectors(values[1:], scheme)
    restored_query, restored = query.scale * query.codes, vectors.dequantize().astype(np.float64)
    # Relative to the size of the terms: a sum of them may cancel out.
    size = np.abs(restored) @ np.abs(restored_query)
    assert (np.abs(scores(query, vectors) - restored @ restored_query) <= 1e-6 * size).all()


def test_scores_are_exact_for_the_largest_codes_and_dimensions() -> None:
    query = QuantizedQuery(np.full(MAX_DIMENSIONS, -2047, dtype=np.int16), 1.0)
    codes = np.full((1, MAX_DIMENSIONS), -128, dtype=np.int8)
    vectors = QuantizedVectors(codes, np.ones(1, dtype=np.float32), np.full(1, 127, dtype=np.int8))
    assert scores(query, vectors).tolist() == [2047 * 255 * MAX_DIMENSIONS]
    assert MAX_DIMENSIONS * 128 * 2047 < 2**31


def test_scores_of_vectors_with_other_dimensions_are_refused() -> None:
    with pytest.raises(InvalidVector, match="a query of 2 dimensions cannot be compared with 3"):
        scores(quantize_query(np.ones(2, dtype=np.float32)), quantize_vectors(np.ones((1, 3), dtype=np.float32)))


def test_the_sizes_in_the_manual_are_those_of_the_arithmetic() -> None:
    manual = (PROJECT / "docs" / "quantization.md").read_text(encoding="utf-8")
    vectors = quantize_vectors(np.ones((1, 384), dtype=np.float32))
    parts = (vectors.codes, vectors.scale, vectors.zero_point, vectors.norms(), vectors.errors())
    assert f"**{sum(part.nbytes for part in parts)}**" in manual
    # distilbert-base-uncased: embedding rows, Linear weights, Linear biases, layer norms
    wide, deep, layers = 768, 3072, 6
    rows, channels = 30522 + 512, layers * (4 * wide + deep + wide)
    linear, floats = layers * (4 * wide * wide + 2 * wide * deep), channels + (2 * layers + 1) * 2 * wide
    scales = 4 * (channels + rows)
    assert f"{rows * wide + linear + floats:,}" in manual
    assert f"{scales:,} for scales" in manual
    for size in (
        4 * (rows * wide + linear + floats),
        linear + 4 * (rows * wide + floats),
        linear + rows * wide + 4 * floats + scales,
        4 * rows * wide,
    ):
        assert f"{size / 1e6:.1f} MB" in manual


def test_the_examples_in_the_docstrings_run() -> None:
    assert doctest.testmod(rag.int8.quantization).failed == 0


# Widths and ranges


@pytest.mark.parametrize("bits", range(2, 9))
def test_codes_of_a_width_fill_it_and_symmetric_ones_leave_the_lowest_out(bits: int) -> None:
    wide, even = (scheme_of_bits(bits, symmetric=symmetric) for symmetric in (False, True))
    assert wide.hi - wide.lo + 1 == 2**bits
    assert (even.lo, even.hi) == (-wide.hi, wide.hi)
    assert wide.dtype == even.dtype == np.int8


def test_codes_of_4_bits_go_from_minus_7_to_7_and_of_8_bits_are_the_ones_in_use() -> None:
    scheme = scheme_of_bits(4, symmetric=True)
    scale, zero_point = choose_parameters(-3.5, 3.5, scheme)
    assert quantize([-3.5, -0.3, 1, 9], scale, zero_point, scheme).tolist() == [-7, -1, 2, 7]
    assert scheme_of_bits(8, symmetric=True) == SYMMETRIC
    assert scheme_of_bits(8, symmetric=False) == ASYMMETRIC


@pytest.mark.parametrize("bits", [1, 9])
def test_codes_narrower_than_2_or_wider_than_8_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"codes of {bits} bits: only 2 to 8"):
        scheme_of_bits(bits, symmetric=True)


@pytest.mark.everyday("-8")
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "dimension"])
@given(values=float_vectors(st.integers(1, 5)))
def test_min_max_ranges_of_every_granularity_and_width_restore_within_half_a_step(
    bits: int, symmetric: bool, granularity: str, values: np.ndarray
) -> None:
    scheme = scheme_of_bits(bits, symmetric=symmetric)
    scale, zero_point = fit_parameters(values, scheme, granularity)
    expected = {"tensor": (1, 1), "channel": (len(values), 1), "dimension": (1, values.shape[1])}
    assert scale.shape == zero_point.shape == expected[granularity]
    error = np.abs(
        dequantize(quantize(values, scale, zero_point, scheme), scale, zero_point).astype(np.float64) - values
    )
    assert (error <= scale.astype(np.float64) * (0.5 + ROUNDING)).all()


@pytest.mark.parametrize("axis", [None, 0, 1])
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    clipped=st.floats(0, 0.99),
    seed=st.integers(0, 2**32),
)
def test_the_percentile_range_leaves_out_just_that_share_of_the_values(
    axis: int | None, rows: int, columns: int, clipped: float, seed: int
) -> None:
    values = np.random.default_rng(seed).permutation(rows * columns).reshape(rows, columns).astype(np.float32)
    values -= values.size // 2  # all different, on both sides of 0
    count = values.size if axis is None else values.shape[axis]
    low, high = percentile_range(values, axis, ASYMMETRIC, clipped)
    below, above = (values < low).sum(axis=axis), (values > high).sum(axis=axis)
    assert (below == int(count * clipped / 2)).all()
    assert (above == int(count * clipped / 2)).all()
    low, high = percentile_range(values + 0.25, axis, SYMMETRIC, clipped)  # so that no two magnitudes are equal
    assert (low == -high).all()
    assert ((np.abs(values + 0.25) > high).sum(axis=axis) == int(count * clipped)).all()


def test_a_thousandth_of_ten_thousand_values_is_clipped_and_an_outlier_among_them() -> None:
    values = np.random.default_rng(0).standard_normal((1, 10_000)).astype(np.float32)
    values[0, 17] = 1000
    low, high = percentile_range(values, None, ASYMMETRIC)
    assert ((values < low) | (values > high)).sum() == 10
    assert high < 5
    scale, zero_point = fit_parameters(values, ASYMMETRIC, "tensor", "percentile")
    assert quantize(1000, scale, zero_point, ASYMMETRIC) == 127  # saturates, and does not wrap


@pytest.mark.parametrize("clipped", [-0.1, 1, 1.5])
def test_a_share_that_cannot_be_clipped_is_refused(clipped: float) -> None:
    with pytest.raises(ValueError, match=f"a share of {clipped} cannot be clipped"):
        percentile_range(np.ones((1, 1), dtype=np.float32), None, ASYMMETRIC, clipped)


@pytest.mark.parametrize("scheme", [*SCHEMES, scheme_of_bits(4, symmetric=True), scheme_of_bits(2, symmetric=False)])
@pytest.mark.parametrize("axis", [None, 0, 1])
@settings(max_examples=8)
@given(values=float_vectors(st.integers(1, 5)))
def test_the_range_of_least_squared_error_is_never_worse_than_min_max(
    scheme: Scheme, axis: int | None, values: np.ndarray
) -> None:
    best, widest = (
        squared_error(values, *find(values, axis, scheme), axis, scheme) for find in (mse_range, minmax_range)
    )
    assert (best <= widest).all()


@pytest.mark.parametrize("symmetric", [True, False])
def test_at_4_bits_the_range_of_least_squared_error_is_narrower_and_clearly_better(symmetric: bool) -> None:
    values = np.random.default_rng(0).standard_normal((4, 2000)).astype(np.float32)
    scheme = scheme_of_bits(4, symmetric=symmetric)
    low, high = mse_range(values, 1, scheme)
    assert (high < 0.9 * values.max(axis=1, keepdims=True)).all()
    errors = [squared_error(values, *find(values, 1, scheme), 1, scheme) for find in (mse_range, minmax_range)]
    assert (errors[0] < 0.8 * errors[1]).all()
    assert (low < 0).all()


def test_an_asymmetric_range_may_be_drawn_in_at_one_end_only() -> None:
    values = np.append(np.linspace(-1, 1, 1000), 3).astype(np.float32)[None]
    low, high = mse_range(values, 1, scheme_of_bits(4, symmetric=False))
    # The one outlier is worth less than finer steps for all the others, and the low end hardly moves.
    assert high[0, 0] < 0.7 * 3
    assert low[0, 0] < 0.8 * -1


@pytest.mark.parametrize(
    ("granularity", "ranges", "message"),
    [("galaxy", "minmax", "granularity 'galaxy' is not known"), ("tensor", "guess", "range 'guess' is not known")],
)
def test_names_that_are_not_known_are_refused_with_those_that_are(granularity: str, ranges: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_parameters(np.ones((1, 1), dtype=np.float32), SYMMETRIC, granularity, ranges)


@pytest.mark.parametrize("ranges", ["minmax", "percentile", "mse"])
def test_weights_of_4_bits_keep_a_scale_a_channel(ranges: str) -> None:
    weight = np.random.default_rng(0).standard_normal((3, 64)).astype(np.float32) * [[1], [10], [100]]
    codes, scale = quantize_channels(weight, scheme_of_bits(4, symmetric=True), ranges)
    assert (codes.dtype, scale.shape) == (np.int8, (3,))
    assert (np.abs(codes).max(axis=1) == 7).all()
    codes, single = quantize_tensor(weight.astype(np.float32), scheme_of_bits(4, symmetric=True), ranges)
    assert single.shape == ()
    assert np.abs(codes[0]).max() <= 1  # the small channel is nearly lost beside the large one


def test_weights_want_a_symmetric_scheme() -> None:
    for quantize_weight in (quantize_channels, quantize_tensor):
        with pytest.raises(ValueError, match="is not for weights"):
            quantize_weight(np.ones((1, 1), dtype=np.float32), ASYMMETRIC)


@pytest.mark.parametrize("ranges", ["percentile", "mse"])
def test_vectors_with_ranges_of_their_own_may_be_clipped_too(ranges: str) -> None:
    values = np.random.default_rng(0).standard_normal((3, 4000)).astype(np.float32)
    found, widest = quantize_vectors(values, ASYMMETRIC, ranges), quantize_vectors(values)
    assert (found.scale <= widest.scale).all()
    assert (found.scale < widest.scale).any()
    assert set(found.codes.max(axis=1)) == {127}
