"""The reduction in numpy and the one in torch agree on every field."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from models import reduction
from models.denoiser import BeliefCache, Query, Sampling
from models.networks import reduction as in_torch
from models.prediction import Prediction

LENGTH, VOCABULARY = 12, 40


def query(seed: int, **settings) -> Query:
    """Return a query about five positions of a canvas."""
    rng = np.random.default_rng(seed)
    positions = 1 + np.sort(rng.permutation(LENGTH - 1)[:5])
    ids = rng.integers(0, VOCABULARY, LENGTH)
    return Query(ids=ids, positions=positions, uniforms=rng.random(5), **settings)


def random_logits(seed: int, *, banned: int = 6) -> np.ndarray:
    """Return logits [5, vocabulary], some of them banned."""
    rng = np.random.default_rng([seed, 1])
    logits = 3 * rng.standard_normal((5, VOCABULARY))
    logits[:, rng.permutation(VOCABULARY)[:banned]] = -np.inf
    return logits


def assert_equal(one: Prediction, other: Prediction) -> None:
    for name in (field.name for field in fields(Prediction)):
        first, second = getattr(one, name), getattr(other, name)
        if isinstance(first, np.ndarray):
            assert (first.dtype, first.shape) == (second.dtype, second.shape), name
        if isinstance(first, np.ndarray) and first.dtype == np.float64:
            # Both sum in float64, in another order.
            np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-14, err_msg=name)
        else:
            np.testing.assert_array_equal(first, second, err_msg=name)


def both(logits: np.ndarray, asked: Query, **settings) -> tuple[Prediction, Prediction]:
    return reduction.reduce(logits, asked, **settings), in_torch.reduce(torch.from_numpy(logits), asked, **settings)


@pytest.mark.parametrize("top_p", [1e-9, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-3, 0.7, 1.0, 3.0])
def test_every_field_is_the_same_at_every_temperature_and_top_p(temperature, top_p):
    sampling = Sampling(temperature=temperature, top_p=top_p)
    for seed in range(20):
        assert_equal(*both(random_logits(seed), query(seed, sampling=sampling), forwards=seed % 3))


@pytest.mark.parametrize("banned", [0, VOCABULARY - 3, VOCABULARY - 1])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_they_agree_when_few_tokens_are_left_and_when_none_is_banned(temperature, banned):
    asked = query(3, sampling=Sampling(temperature=temperature, top_p=0.9), tops=8)
    for seed in range(5):
        assert_equal(*both(random_logits(seed, banned=banned), asked))


def test_they_agree_on_more_top_tokens_than_the_vocabulary_has():
    one, other = both(random_logits(0), query(0, tops=VOCABULARY + 2))
    assert one.top_tokens.shape == (LENGTH, VOCABULARY + 2)
    assert_equal(one, other)


def test_they_agree_on_the_log_probabilities_of_targets_banned_ones_included():
    logits = random_logits(1)
    banned = int(np.flatnonzero(np.isneginf(logits[0]))[0])
    one, other = both(logits, query(1, targets=np.array([0, 1, 2, banned, 5])))
    assert one.log_targets is not None
    assert np.isneginf(one.log_targets).any()
    assert_equal(one, other)


def test_they_agree_on_draws_at_the_edges_of_the_unit_interval():
    for uniform in (0.0, 1 - 2**-53):
        asked = replace(query(2, sampling=Sampling(temperature=1.0, top_p=0.8)), uniforms=np.full(5, uniform))
        assert_equal(*both(random_logits(2), asked))


@pytest.mark.parametrize("banned", [0, 6])  # which six differs between predictions, so that some drifts are infinite
def test_they_agree_on_the_drift_from_the_last_two_predictions_of_a_run(banned):
    caches, moved = (BeliefCache(), BeliefCache()), []
    for seed in range(5):
        one, other = (replace(query(seed), cache=cache, lookback=2) for cache in caches)
        logits = random_logits(seed, banned=banned)
        first, second = reduction.reduce(logits, one), in_torch.reduce(torch.from_numpy(logits), other)
        assert_equal(first, second)
        moved.append(first.drift)
    finite = np.concatenate(moved)
    assert (finite[np.isfinite(finite)].max() > 0) == (banned == 0)


@pytest.mark.parametrize("weight", [-0.5, 0.0, 1.5])
def test_they_agree_on_guidance_with_tokens_impossible_on_either_side(weight):
    own, other = random_logits(1), random_logits(2)
    expected = in_torch.contrasted(torch.from_numpy(own), torch.from_numpy(other), weight).numpy()
    found = reduction.contrasted(own, other, weight)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert_equal(*both(found, query(1, sampling=Sampling(temperature=0.8, top_p=0.95))))


def test_equally_probable_tokens_are_ranked_by_id():
    prediction = reduction.reduce(np.zeros((5, 7)), query(0))
    assert prediction.top_tokens[prediction.asked].tolist() == [[0, 1, 2, 3, 4]] * 5
