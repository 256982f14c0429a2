"""An autoregressive model in a denoiser's place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bench.untrained import NumberTokenizer
from models.denoiser import BeliefCache
from models.networks.autoregressive import AutoregressiveModel
from models.networks.left_to_right import LeftToRightDenoiser
from tests.models.random_weights import VOCABULARY, ask, network


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request) -> AutoregressiveModel:
    tokenizer = NumberTokenizer(39, special_ids=frozenset({0, 39}))
    return AutoregressiveModel(
        "random", network(request.param, is_causal=True), tokenizer, context=64, vocabulary=VOCABULARY
    )


@pytest.fixture
def denoiser(model) -> LeftToRightDenoiser:
    return LeftToRightDenoiser(model)


def about(denoiser: LeftToRightDenoiser, ids: list[int | None], **settings):
    mask = denoiser.tokenizer.mask_id
    return ask([mask if token is None else token for token in ids], mask_id=mask, **settings)


def test_only_the_leftmost_mask_is_believed_in(denoiser, model):
    (found,) = denoiser.predict([about(denoiser, [3, 8, 4, None, None, 9])])
    assert found.asked.tolist() == [3]
    assert [[found.candidates[3]]] == model.complete([[3, 8, 4]], 1)
    (scores,) = model.log_probabilities([[3, 8, 4]], [[found.candidates[3]]])
    assert found.confidence[3] <= 1
    assert found.confidence[3] >= np.exp(scores[0]) - 1e-6  # special tokens are left out of the belief
    assert set(found.top_tokens[4]) == {-1}


def test_what_stands_after_the_gap_does_not_matter(denoiser):
    first, other = denoiser.predict([about(denoiser, [3, 8, None, None, 9]), about(denoiser, [3, 8, None, 7, 30, 2])])
    assert first.top_probs[2] == pytest.approx(other.top_probs[2], abs=1e-5)
    assert first.top_tokens[2].tolist() == other.top_tokens[2].tolist()


def test_special_and_banned_tokens_are_never_written(denoiser):
    (free,) = denoiser.predict([about(denoiser, [3, None])])
    (kept,) = denoiser.predict([about(denoiser, [3, None], banned=(int(free.candidates[1]),))])
    assert kept.candidates[1] == free.top_tokens[1, 1]
    (hot,) = denoiser.predict([about(denoiser, [3, None], tops=denoiser.tokenizer.size)])
    assert not {0, 39, denoiser.tokenizer.mask_id} & set(hot.top_tokens[1].tolist())


def test_a_state_that_returns_costs_no_pass(denoiser):
    cache = BeliefCache()
    first, again = (denoiser.predict([about(denoiser, [3, None, None], cache=cache)])[0] for _ in range(2))
    assert (first.forwards, again.forwards) == (1, 0)
    assert again.confidence[1] == first.confidence[1]


def test_a_place_that_is_not_the_leftmost_mask_cannot_be_asked_about(denoiser):
    query = about(denoiser, [3, None, None])
    with pytest.raises(ValueError, match="leftmost mask"):
        denoiser.predict([replace(query, positions=query.positions[1:], uniforms=query.uniforms[1:])])
