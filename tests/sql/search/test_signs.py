"""Sign bits: of the vector, and of a rotation that is the same everywhere; their distance grows with the angle."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from rag.int8.quantization import quantize_query, quantize_vectors
from sql.records import QuantizedQuery
from sql.search.signs import query_signs, rotate, sign_bytes, sign_rows, vector_signs

DIMENSIONS = [1, 2, 3, 7, 8, 9, 31, 100, 384, 768, 1000]


def bits_apart(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_the_rotation_keeps_lengths_and_angles_in_every_dimension(dimensions: int) -> None:
    matrix = rotate(np.eye(dimensions, dtype=np.float32))
    assert np.allclose(matrix @ matrix.T, np.eye(dimensions), atol=1e-5)


@pytest.mark.parametrize("dimensions", [100, 384, 1000])
def test_the_rotation_spreads_every_number_over_all_of_them(dimensions: int) -> None:
    matrix = np.abs(rotate(np.eye(dimensions, dtype=np.float32)))
    assert matrix.max() < 10 / dimensions**0.5
    assert (matrix > 0).mean() > 0.9


def test_signs_are_those_of_another_machine_and_another_day() -> None:
    # stored signs are compared with those of queries for years: whoever changes them changes the schema version
    values = (np.arange(3 * 384, dtype=np.float32).reshape(3, 384) * 7919 % 1009) - 504
    assert sha256(sign_rows(values).tobytes()).hexdigest()[:16] == "14bc4b5f5c9c0d10"


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_signs_are_one_bit_a_number_for_the_vector_and_its_rotation(dimensions: int) -> None:
    values = np.random.default_rng(dimensions).standard_normal((5, dimensions)).astype(np.float32)
    rotated = rotate(values)
    for row, bits in enumerate(sign_rows(values)):
        half = sign_bytes(dimensions) // 2
        for part, numbers in ((bits[:half], values[row]), (bits[half:], rotated[row])):
            assert np.unpackbits(part).tolist() == [int(x > 0) for x in numbers] + [0] * (8 * half - dimensions)


def test_a_row_has_the_same_signs_alone_and_among_thousands() -> None:
    values = np.random.default_rng(0).standard_normal((1500, 24)).astype(np.float32)
    assert (sign_rows(values)[1234] == sign_rows(values[1234:1235])[0]).all()


def test_signs_of_a_stored_vector_are_those_of_its_steps_from_the_zero_point() -> None:
    vectors = quantize_vectors(np.array([[-1.0, -0.5, 0.0, 3.0]], dtype=np.float32))
    assert np.unpackbits(vector_signs(vectors)[0])[:4].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("dimensions", [64, 384])
def test_the_distance_of_signs_is_the_angle(dimensions: int) -> None:
    random = np.random.default_rng(1)
    for cosine in (1.0, 0.9, 0.5, 0.0, -0.5):
        apart = []
        for _ in range(60):
            one, other = np.linalg.qr(random.standard_normal((dimensions, 2)))[0].T
            turned = cosine * one + (1 - cosine**2) ** 0.5 * other
            pair = [query_signs(quantize_query(vector.astype(np.float32))) for vector in (one, turned)]
            apart.append(bits_apart(*pair))
        expected = 2 * dimensions * np.arccos(cosine) / np.pi
        assert np.mean(apart) == pytest.approx(expected, abs=0.02 * 2 * dimensions)


def test_a_query_of_zeros_has_signs() -> None:
    assert query_signs(QuantizedQuery(np.zeros(9, dtype=np.int16), 1.0)) == bytes(4)
