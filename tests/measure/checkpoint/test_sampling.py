"""The variety of samples, computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import models
from app.measure.checkpoint import sampling
from models.bench.untrained import NumberTokenizer
from tests.models.evaluate.causal import causal
from tests.models.random_weights import MASK


def test_the_numbers_of_samples_are_those_of_their_ngrams():
    row = sampling.measure_variety("two", [[1, 2, 1, 2, 1], [1, 2, 3, 4, 5]])
    assert (row.distinct1, row.distinct2, row.distinct3) == (5 / 10, 5 / 8, 5 / 6)
    assert row.repeated3 == pytest.approx((1 / 3 + 0) / 2)
    assert row.entropy3 == pytest.approx((4 / 6 * math.log(6) + 2 / 6 * math.log(3)) / math.log(6))
    assert (row.samples, row.tokens) == (2, 5)


def test_samples_of_both_kinds_have_the_same_size_and_differ_by_seed():
    toy, parent = models.load("toy"), causal()
    rows = [sampling.sample_diffusion(toy, samples=4, length=12, seed=seed) for seed in (0, 0, 9)]
    rows += [sampling.sample_autoregressive(parent, samples=4, length=12, seed=seed) for seed in (0, 0, 9)]
    assert {(row.samples, row.tokens) for row in rows} == {(4, 12)}
    assert rows[0] == rows[1] != rows[2]
    assert rows[3] == rows[4] != rows[5]


def test_the_text_beside_the_samples_has_no_special_tokens_and_the_same_size():
    chunks = np.array([[0, 5, 6, 0, 7], [8, 9, 8, 9, 8], [0, 0, 0, 1, 2]])
    vocabulary = NumberTokenizer(MASK, special_ids=frozenset({0}))
    row = sampling.take_from_text(chunks, vocabulary, samples=2, length=3)
    assert row
    assert (row.samples, row.tokens, row.distinct1) == (2, 3, 5 / 6)
    assert sampling.take_from_text(chunks, vocabulary, samples=3, length=3) is None
