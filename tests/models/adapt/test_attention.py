"""Attention: causal at first, full at last, never to padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models.adapt.objective import Exercise, Trainee, annealed_attention
from models.adapt.stages import diffusion_ask
from models.corpus import Batch
from tests.models.random_weights import ARCHITECTURES, MASK, network


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_ids(*shape: int, below: int = 10) -> torch.Tensor:
    return torch.randint(0, below, shape, generator=generator(6))


def test_attention_is_causal_at_first_and_full_at_last():
    causal = annealed_attention(9, 0.0, generator())
    assert causal is not None
    assert torch.equal(causal[0, 0], torch.ones(9, 9, dtype=torch.bool).tril())
    assert annealed_attention(9, 1.0, generator()) is None
    assert annealed_attention(9, 1.5, generator()) is None


def test_in_between_a_share_of_the_future_is_seen_and_all_of_the_past():
    attention = annealed_attention(200, 0.3, generator())
    assert attention is not None
    assert attention.shape == (1, 1, 200, 200)
    past = torch.ones(200, 200, dtype=torch.bool).tril()
    assert attention[0, 0][past].all()
    assert attention[0, 0][~past].float().mean().item() == pytest.approx(0.3, abs=0.02)


def changed_by_a_later_token(model: Any, attention: torch.Tensor | None) -> float:
    """Return the change in the loss of the mask at position 3 when position 6 changes."""
    ids, weights = torch.tensor([[3, 8, 2, MASK, 5, 6, 1]]), torch.zeros(1, 7)
    weights[0, 3] = 1
    other = ids.clone()
    other[0, 6] = 9
    targets = torch.full_like(ids, 4)
    losses = [
        Trainee(model)(Exercise(inputs=inputs, targets=targets, weights=weights, attention=attention)).item()
        for inputs in (ids, other)
    ]
    return abs(losses[0] - losses[1])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_later_tokens_inform_a_mask_through_full_attention_but_not_causal(architecture):
    model = network(architecture)
    assert changed_by_a_later_token(model, None) > 1e-3
    assert changed_by_a_later_token(model, annealed_attention(7, 0.0, generator())) == 0
    everything = torch.ones(1, 1, 7, 7, dtype=torch.bool)
    assert changed_by_a_later_token(model, everything) == pytest.approx(changed_by_a_later_token(model, None), rel=1e-3)
    assert changed_by_a_later_token(network(architecture, is_causal=True), None) == 0, "what the first line rules out"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("way", ["eager", "flex_attention", "flash_attention_2"])
def test_attention_that_would_not_keep_to_a_mask_is_refused(architecture, way):
    """Eager attention adds a boolean mask to the scores: it would see the future at the start of an annealing."""
    model = network(architecture)
    model.config._attn_implementation = way
    with pytest.raises(ValueError, match=f"attends by '{way}', .* attn_implementation='sdpa'"):
        changed_by_a_later_token(model, annealed_attention(7, 0.0, generator()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_eager_attention_may_train_without_a_mask(architecture):
    model = network(architecture)
    expected = changed_by_a_later_token(model, None)
    model.config._attn_implementation = "eager"
    assert changed_by_a_later_token(model, None) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("step", [0, 9, None])
def test_what_is_hidden_as_padding_tells_nothing(architecture, step):
    ids = some_ids(2, 8, below=MASK).numpy()
    real = np.ones_like(ids, dtype=np.bool_)
    real[1, 5:] = False
    maskable = real.copy()
    maskable[:, :2] = False
    model, losses = Trainee(network(architecture)), []
    for padding in (0, 7):
        ids[1, 5:] = padding
        exercise = diffusion_ask(MASK, anneal_steps=4)(Batch(ids=ids, maskable=maskable, real=real), step, generator(1))
        losses.append(model(exercise).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[0] > 0


def test_attention_becomes_full_over_the_steps_and_is_full_in_validation():
    ask, batch = diffusion_ask(MASK, anneal_steps=4), Batch(ids=some_ids(2, 40).numpy())
    future = ~torch.ones(40, 40, dtype=torch.bool).tril()
    shares = []
    for step in range(3):
        attention = ask(batch, step, generator()).attention
        assert attention is not None
        shares.append(attention[0, 0][future].float().mean().item())
    assert shares == pytest.approx([0.25, 0.5, 0.75], abs=0.04)
    assert [ask(batch, step, generator()).attention for step in (3, 9, None)] == [None] * 3
    assert diffusion_ask(MASK, anneal_steps=1)(batch, 0, generator()).attention is None


def test_the_noise_of_a_step_is_the_same_with_and_without_annealing():
    """Otherwise curves of the ablation would also differ by their noise."""
    batch = Batch(ids=some_ids(4, 20).numpy())
    first, second = (diffusion_ask(MASK, anneal_steps=steps)(batch, 0, generator(3)) for steps in (1, 100))
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.weights, second.weights)


def test_validation_is_the_evidence_bound_whatever_is_trained():
    batch = Batch(ids=some_ids(4, 20).numpy())
    plain = diffusion_ask(MASK, anneal_steps=4)
    other = diffusion_ask(MASK, anneal_steps=4, weighting="uniform", normalization="masked")
    assert torch.equal(plain(batch, None, generator()).weights, other(batch, None, generator()).weights)
    assert not torch.equal(plain(batch, 0, generator()).weights, other(batch, 0, generator()).weights)
