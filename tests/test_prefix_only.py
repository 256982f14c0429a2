"""The same gap filled from the prefix alone."""

from __future__ import annotations

import numpy as np
import pytest

from app.errors import InfillError
from app.prefix_only import PrefixOnly, continue_prefix
from app.sampling.request import InfillRequest
from models.bench.untrained import NumberTokenizer
from models.networks.autoregressive import AutoregressiveModel
from tests.models.random_weights import VOCABULARY, network

REQUEST = InfillRequest(prefix="3 8 4", suffix=" 9 1", length=5, seed=2)


@pytest.fixture(scope="module")
def model() -> AutoregressiveModel:
    tokenizer = NumberTokenizer(39, special_ids=frozenset({0, 39}))
    return AutoregressiveModel("random", network("llama", is_causal=True), tokenizer, context=64, vocabulary=VOCABULARY)


def tokens(text: str) -> list[int]:
    return [int(token) for token in text.split()]


def test_the_greedy_continuation_is_as_long_as_the_gap_and_knows_no_suffix(model):
    found = continue_prefix(REQUEST, model, candidates=2)
    assert [tokens(found.greedy)] == model.complete([[3, 8, 4]], 5)
    other = continue_prefix(InfillRequest(prefix="3 8 4", suffix=" 30", length=5, seed=2), model, candidates=2)
    assert (other.greedy, other.drawn) == (found.greedy, found.drawn)


def test_the_scores_are_those_of_the_suffix_and_of_the_whole_passage(model):
    found = continue_prefix(REQUEST, model, candidates=6)
    assert len(set(found.drawn)) > 1
    for text, follows, passage in zip(found.drawn, found.follows, found.passage, strict=True):
        (scores,) = model.log_probabilities([[3, 8, 4]], [[*tokens(text), 9, 1]])
        assert follows == pytest.approx(scores[-2:].sum(), abs=1e-4)
        assert passage == pytest.approx(scores.sum(), abs=1e-4)


def test_the_best_draws_have_the_best_scores():
    found = PrefixOnly(
        greedy="", drawn=("a", "b", "c"), follows=np.array([-3.0, -1, -2]), passage=np.array([-5.0, -9, -4])
    )
    assert (found.best_before_suffix, found.best_passage) == ("b", "c")


def test_the_same_seed_draws_the_same_and_another_one_others(model):
    seeds = [continue_prefix(InfillRequest(prefix="3", length=8, seed=seed), model).drawn for seed in (1, 1, 2)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_gap_that_does_not_fit_is_refused(model):
    with pytest.raises(InfillError, match="64 masks do not fit"):
        continue_prefix(InfillRequest(prefix="3", length=64), model)


@pytest.mark.parametrize("text", ["3 [[2]] 4 [[1]] 5", "3 [[4|2:7]] 4"])
def test_several_gaps_and_pinned_words_are_refused(model, text):
    with pytest.raises(InfillError, match="works for a single gap without pinned words"):
        continue_prefix(InfillRequest(text=text), model)


def test_a_length_that_is_not_settled_is_refused(model):
    with pytest.raises(InfillError, match="give a number of masks"):
        continue_prefix(InfillRequest(prefix="3", length="auto"), model)
