"""The columns of attention against averages computed by hand, and what recording them changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.denoiser import BeliefCache, Guidance
from models.networks.dual_cache import DualCacheDenoiser
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, network

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
GAP = [3, 8, MASK, MASK, 7, MASK, 5, 6]
LONG = [4, 5, MASK, 7, 8, 9, 10, 11, MASK, 12, 13]


def by_hand(architecture, ids):
    """Return the average of transformers' own weights over layers, heads, and the rows before the masks."""
    eager = network(architecture)
    eager.set_attn_implementation("eager")
    with torch.inference_mode():
        layers = eager(torch.tensor([ids]), output_attentions=True).attentions
    rows = np.flatnonzero(np.array(ids) == MASK) - 1
    return np.mean([layer[0, :, rows].numpy() for layer in layers], axis=(0, 1, 2))


@every_architecture
def test_columns_are_the_attention_of_the_rows_that_predict_the_masks(architecture):
    model = denoiser(network(architecture))
    padded, whole = model.predict([ask(GAP, attention=True), ask(LONG, attention=True)])
    assert padded.columns == pytest.approx(by_hand(architecture, GAP), abs=1e-6)
    assert whole.columns == pytest.approx(by_hand(architecture, LONG), abs=1e-6)
    assert padded.columns is not None
    assert padded.columns.sum() == pytest.approx(1)


@every_architecture
def test_the_beliefs_are_the_same_bit_for_bit_and_cost_one_pass(architecture):
    model = denoiser(network(architecture))
    (usual,), (looked,) = model.predict([ask(GAP)]), model.predict([ask(GAP, attention=True)])
    assert usual.columns is None
    assert looked.forwards == 1
    for name in ("top_probs", "top_tokens", "entropy", "logit_margin"):
        assert (getattr(looked, name) == getattr(usual, name)).all()
    assert model.body.config._attn_implementation == "sdpa"


def test_a_batch_has_columns_only_where_they_were_asked_for():
    model = denoiser(network("llama"))
    one, other, third = model.predict([ask(GAP), ask(GAP, attention=True), ask(LONG)])
    assert one.columns is None
    assert third.columns is None
    assert other.columns == pytest.approx(by_hand("llama", GAP), abs=1e-6)


def test_a_cached_state_is_passed_again_for_its_columns():
    model, cache = denoiser(network("llama")), BeliefCache()
    model.predict([ask(GAP, cache=cache)])
    (found,) = model.predict([ask(GAP, cache=cache, attention=True)])
    assert (found.columns is None, found.forwards) == (False, 1)


def test_with_guidance_the_columns_are_those_of_the_own_canvas():
    other = Guidance(ids=np.array([3, 8, MASK, MASK, MASK, MASK, MASK, MASK]), weight=1.0)
    (found,) = denoiser(network("llama")).predict([ask(GAP, guidance=other, attention=True)])
    assert found.forwards == 2
    assert found.columns == pytest.approx(by_hand("llama", GAP), abs=1e-6)


def test_a_dual_cache_answers_with_an_exact_pass():
    model = DualCacheDenoiser(denoiser(network("llama")), refresh=4)
    (found,) = model.predict([ask(GAP, cache=BeliefCache(), attention=True)])
    assert found.columns == pytest.approx(by_hand("llama", GAP), abs=1e-6)
