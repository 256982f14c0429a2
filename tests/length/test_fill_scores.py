"""How probable a fill is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from app.length.fill_scores import by_parent, elbo
from app.sampling.canvas import Canvas
from models.bench.untrained import NumberTokenizer
from models.networks.autoregressive import AutoregressiveModel
from models.toy import toy
from tests.models.random_weights import VOCABULARY, denoiser, network

GAP = np.arange(2, 5)


def written(ids: list[int], mask_id: int = 31) -> Canvas:
    span = np.isin(np.arange(len(ids)), GAP)
    return Canvas(ids=np.array(ids), editable=span, masked=np.zeros(len(ids), dtype=np.bool_), mask_id=mask_id)


def test_the_bound_is_the_mean_over_all_sets_of_all_sizes():
    model, canvas = toy(), written([1, 2, 3, 4, 5, 6])
    by_size = []
    for size in (1, 2, 3):
        totals = []
        for hidden in itertools.combinations(GAP, size):
            ids = canvas.ids.copy()
            ids[list(hidden)] = 31
            beliefs = model.marginals(ids)
            totals.append(sum(np.log(beliefs[place, canvas.ids[place]]) for place in hidden) / size)
        by_size.append(totals)
    (found,) = elbo([(canvas, GAP)], model, pairs=400)
    means = [np.mean(totals) for totals in by_size]
    noise = 2 * np.ptp(np.concatenate(by_size)) / np.sqrt(400)  # four times the most that the standard error can be
    assert found == pytest.approx(np.mean(means), abs=noise)
    assert abs(means[0] - means[2]) > 2 * noise, "sets of different sizes must matter"


def test_a_single_token_has_its_own_log_probability():
    model, canvas, gap = toy(), written([1, 2, 3, 4, 5, 6]), np.array([3])
    ids = canvas.ids.copy()
    ids[3] = 31
    assert elbo([(canvas, gap)], model) == pytest.approx([np.log(model.marginals(ids)[3, 4])])


def test_fills_of_different_lengths_are_scored_together_as_alone():
    model = denoiser(network("llama"))
    fills = [(written([1, 2, 3, 4, 5, 6, 7], 39), GAP), (written([9, 8, 7, 6, 5], 39), np.array([2]))]
    assert elbo(fills, model)[:1] == pytest.approx(elbo(fills[:1], model), abs=1e-4)


def test_the_parent_scores_the_fill_and_what_follows():
    tokenizer = NumberTokenizer(39, special_ids=frozenset({0, 39}))
    parent = AutoregressiveModel("p", network("llama", is_causal=True), tokenizer, context=64, vocabulary=VOCABULARY)
    ids = [3, 8, *range(10, 13), *range(1, 31)]
    (found,) = by_parent([(written(ids, 39), GAP)], parent)
    (tokens,) = parent.log_probabilities([[3, 8]], [ids[2 : 5 + 16]])
    assert found == pytest.approx(tokens.mean())
