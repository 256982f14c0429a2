"""Noise, targets, weights, and the read-out."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.adapt.objective import (
    T_MIN,
    Exercise,
    Trainee,
    absorb,
    annealed_attention,
    low_discrepancy_times,
    masked_diffusion,
    next_token,
)
from models.adapt.stages import diffusion_ask
from models.corpus import Batch
from tests.models.random_weights import ARCHITECTURES, MASK, VOCABULARY, network


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_ids(*shape: int, below: int = 10) -> torch.Tensor:
    return torch.randint(0, below, shape, generator=generator(6))


# Noise


@pytest.mark.parametrize("count", [1, 2, 8, 33])
@pytest.mark.parametrize("seed", range(5))
def test_there_is_one_noise_level_in_every_stratum(count, seed):
    times = low_discrepancy_times(count, generator(seed)).double()
    assert times.min() >= T_MIN
    assert times.max() <= 1
    strata = ((times - T_MIN) / (1 - T_MIN) * count + 1e-4).floor()
    assert sorted(strata.tolist()) == list(range(count))


def test_noise_levels_come_in_random_order_and_elsewhere_in_their_strata_each_time():
    first, second = (low_discrepancy_times(16, generator(seed)) for seed in (0, 1))
    assert first.argsort().tolist() != second.argsort().tolist()
    assert (first.sort().values - second.sort().values).abs().min() > 1e-3


def test_about_t_of_the_tokens_become_the_mask_and_the_others_stay():
    ids = torch.arange(4000).expand(5, -1) + 100
    times = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    noised, masked = absorb(ids, times, 7, generator())
    assert masked.float().mean(1).tolist() == pytest.approx(times.tolist(), abs=0.03)
    assert masked[0].sum() == 0
    assert masked[-1].all()
    assert (noised[masked] == 7).all()
    assert torch.equal(noised[~masked], ids[~masked])
    assert (masked[1] & ~masked[2]).any(), "sequences share their noise"


# Exercises


@pytest.mark.parametrize("weighting", ["elbo", "uniform"])
@pytest.mark.parametrize("normalization", ["tokens", "masked"])
@pytest.mark.parametrize("restricted", [False, True])
def test_weights_are_one_over_t_or_one_divided_by_all_or_by_masked_tokens(weighting, normalization, restricted):
    ids = some_ids(3, 6)
    maskable = torch.rand(3, 6, generator=generator(8)) < 0.7 if restricted else None
    exercise = masked_diffusion(
        ids, 10, generator(1), maskable=maskable, weighting=weighting, normalization=normalization
    )
    twin = generator(1)
    times = low_discrepancy_times(3, twin)
    _, masked = absorb(ids, times, 10, twin)
    assert masked[:, 0].any(), "a mask in position 0 must not count"
    allowed = [[maskable is None or bool(maskable[row, place]) for place in range(6)] for row in range(3)]
    counted = {(row, place) for row in range(3) for place in range(1, 6) if allowed[row][place] and masked[row, place]}
    everything = sum(allowed[row][place] for row in range(3) for place in range(1, 6))
    divisor = everything if normalization == "tokens" else len(counted)
    for row in range(3):
        for place in range(6):
            one = 1 / float(times[row]) if weighting == "elbo" else 1.0
            expected = one / divisor if (row, place) in counted else 0.0
            assert float(exercise.weights[row, place]) == pytest.approx(expected, rel=1e-5)
            noised = allowed[row][place] and bool(masked[row, place])
            assert int(exercise.inputs[row, place]) == (10 if noised else int(ids[row, place]))
    assert torch.equal(exercise.targets, ids)


def test_the_loss_of_a_model_that_knows_nothing_is_that_of_guessing():
    exercise = masked_diffusion(some_ids(400, 33), 10, generator(3))
    assert trainee(torch.zeros(400, 33, 11))(exercise).item() == pytest.approx(math.log(11), rel=0.1)


def test_without_a_mask_the_loss_is_zero_and_not_undefined():
    maskable = torch.zeros(2, 4, dtype=torch.bool)
    for normalization in ("tokens", "masked"):
        exercise = masked_diffusion(some_ids(2, 4), 10, generator(), maskable=maskable, normalization=normalization)
        loss = trainee(torch.zeros(2, 4, 11, requires_grad=True))(exercise)
        assert loss.item() == 0
        loss.backward()  # other processes wait for its gradient


def test_next_tokens_are_asked_of_the_text_as_it_is_and_their_mean_counts():
    ids = some_ids(2, 5)
    exercise = next_token(ids)
    assert torch.equal(exercise.inputs, ids)
    assert torch.equal(exercise.targets, ids)
    assert exercise.attention is None
    assert exercise.weights[:, 0].tolist() == [0, 0]
    assert exercise.weights[:, 1:].flatten().tolist() == pytest.approx([1 / 8] * 8)


@pytest.mark.parametrize("attention", [None, "one for all", "one each"])
def test_the_parts_of_an_exercise_add_up_to_the_whole(attention):
    real = np.ones((6, 8), dtype=np.bool_)
    real[1, 5:] = False
    batch = Batch(
        ids=some_ids(6, 8, below=MASK).numpy(),
        maskable=real if attention == "one each" else None,
        real=real if attention == "one each" else None,
    )
    exercise = diffusion_ask(MASK, anneal_steps=1 if attention is None else 4)(batch, 0, generator(2))
    model = Trainee(network("llama"))
    whole = model(exercise)
    for size in (1, 2, 3, 4):
        pieces = [model(exercise.part(start, start + size)) for start in range(0, 6, size)]
        assert sum(piece.item() for piece in pieces) == pytest.approx(whole.item(), rel=1e-5)
    assert model(exercise.part(1, 2)).item() > 0, "the sequence with the padding is asked nothing"


def test_an_exercise_moves_as_a_whole():
    exercise = masked_diffusion(some_ids(2, 4), 10, generator(), attention=torch.ones(1, 1, 4, 4, dtype=torch.bool))
    moved = exercise.to(torch.device("meta"))
    assert {tensor.device.type for tensor in vars(moved).values()} == {"meta"}
    assert replace(exercise, attention=None).to(torch.device("meta")).attention is None


# How outputs are read


def trainee(logits: torch.Tensor, **settings: Any) -> Trainee:
    """Of a network whose logits at every position are given and which remembers what it was shown."""
    module = torch.nn.Module()

    def base_model(input_ids: torch.Tensor, **shown: Any) -> SimpleNamespace:
        module.shown = {"ids": input_ids, **shown}
        return SimpleNamespace(last_hidden_state=logits)

    module.base_model, module.get_output_embeddings = base_model, torch.nn.Identity
    return Trainee(module, **settings)


@pytest.mark.parametrize("shift", [True, False])
def test_the_loss_reads_one_output_before_each_token_or_at_it_without_the_shift(shift):
    logits = torch.randn(3, 6, 11, generator=generator(5))
    ids, weights = some_ids(3, 6), torch.rand(3, 6, generator=generator(7)) * (some_ids(3, 6) > 4)
    weights[:, 0] = 0
    attention = annealed_attention(6, 0.5, generator())
    exercise = Exercise(inputs=ids + 1, targets=ids, weights=weights, attention=attention)
    total = 0.0
    for row in range(3):
        for place in range(1, 6):
            log_probs = logits[row, place - shift].log_softmax(-1)
            total -= float(log_probs[ids[row, place]]) * float(weights[row, place])
    model = trainee(logits, shift=shift)
    assert model(exercise).item() == pytest.approx(total, rel=1e-5)
    assert torch.equal(model.network.shown["ids"], ids + 1)
    assert model.network.shown["attention_mask"] is attention


def test_the_next_token_loss_is_that_of_torch():
    logits, ids = torch.randn(2, 5, 11, generator=generator(5)), some_ids(2, 5)
    expected = functional.cross_entropy(logits[:, :4].reshape(-1, 11), ids[:, 1:].reshape(-1))
    assert trainee(logits)(next_token(ids)).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_real_network_reads_as_transformers_does(architecture):
    model, ids = network(architecture, is_causal=True), some_ids(2, 7)
    assert Trainee(model)(next_token(ids)).item() == pytest.approx(model(ids, labels=ids).loss.item(), rel=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_learns_from_masked_diffusion(architecture):
    model = Trainee(network(architecture))
    ids = some_ids(4, 64, below=VOCABULARY - 1)
    model(masked_diffusion(ids, MASK, generator())).backward()
    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert silent == []
