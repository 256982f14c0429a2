"""What the public reference implementation computed, on the same weights; see tests/golden/README.md."""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from models.denoiser import BeliefCache, Query, Sampling
from models.networks.reduction import reduce
from tests.models.random_weights import denoiser, difference
from tests.strategies.scenes import blank, run, written

GOLDEN = Path(__file__).parents[2] / "golden"


def load(folder: str):
    model = LlamaForCausalLM.from_pretrained(GOLDEN / folder, dtype=torch.float32)
    model.config.is_causal = False
    return model.eval()


def test_beliefs_are_those_of_the_reference():
    model = denoiser(load("llama"), mask_id=95)
    reference = load_file(GOLDEN / "llama" / "reference.safetensors")
    for ids, logits in zip(reference["input_ids"].numpy(), reference["logits"], strict=True):
        everywhere = np.arange(1, len(ids))
        sampling = Sampling(temperature=0.9)
        query = Query(ids=ids, positions=everywhere, uniforms=np.full(len(everywhere), 0.5), sampling=sampling)
        (ours,) = model.predict([query])
        banned = logits[:-1].index_fill(-1, torch.tensor([95]), float("-inf"))
        assert difference(ours, reduce(banned, query)) < 1e-5
        probabilities = banned.double().softmax(-1).sort(-1, descending=True).values[:, :5].numpy()
        assert np.abs(ours.top_probs[1:] - probabilities).max() < 1e-5


def test_logits_are_those_of_the_reference_only_with_full_attention():
    reference = load_file(GOLDEN / "llama" / "reference.safetensors")
    model = load("llama")
    with torch.inference_mode():
        full = model(input_ids=reference["input_ids"]).logits
        model.config.is_causal = True
        causal = model(input_ids=reference["input_ids"]).logits
    assert (full - reference["logits"]).abs().max() < 1e-5
    assert (causal - reference["logits"]).abs().max() > 0.1


SAMPLER = json.loads((GOLDEN / "sampler" / "distribution.json").read_text())
RUNS = 2500


@functools.cache
def sampler():
    return denoiser(load("sampler"), mask_id=SAMPLER["mask_token_id"])


SEEN = BeliefCache(10_000)  # the network is tiny and its states few: thousands of runs need each only once


def distance_and_bound(strategy: str, steps: int, *, temperature: float, runs: int = RUNS) -> tuple[float, float]:
    """Total variation from the reference's counts, and what equal distributions pass once in a thousand times.

    The mean distance of two samples of n and m is at most half the sum of sqrt(p (1 - p) (1/n + 1/m)); one draw more
    moves it by at most 1/n (or 1/m), so McDiarmid's inequality gives the rest.
    """
    canvas = blank(
        SAMPLER["gap"],
        before=SAMPLER["prefix_ids"],
        after=SAMPLER["suffix_ids"],
        mask_id=SAMPLER["mask_token_id"],
    )
    ours: Counter[str] = Counter()
    for seed in range(runs):
        filling = written(
            run(
                strategy,
                sampler(),
                canvas,
                steps=steps,
                temperature=temperature,
                top_p=SAMPLER["top_p"],
                seed=seed,
                banned=(),
                cache=SEEN,
            )
        )
        ours[",".join(map(str, filling))] += 1
    theirs = Counter(SAMPLER["counts"][str(steps)])
    m = theirs.total()
    distance = sum(abs(ours[text] / runs - theirs[text] / m) for text in ours | theirs) / 2
    rates = [count / m for count in theirs.values()]
    spread = 1 / runs + 1 / m
    mean = sum(math.sqrt(p * (1 - p) * spread) for p in rates) / 2
    return distance, mean + math.sqrt(math.log(1000) / 2 * spread)


@pytest.mark.parametrize("steps", [1, 2, 4, 16])
def test_random_writes_the_distribution_of_the_reference_sampler(steps):
    distance, bound = distance_and_bound("random", steps, temperature=SAMPLER["temperature"])
    assert distance < bound < 0.1


@pytest.mark.parametrize(
    ("strategy", "steps", "temperature"),
    [
        ("random", 4, 0.0),
        ("random", 16, 0.5),
        ("low_confidence", 4, 0.9),
        ("low_confidence", 2, 0.9),
        ("random", 1, 1.3),
    ],
)
def test_another_sampler_is_told_apart_from_the_reference(strategy, steps, temperature):
    distance, bound = distance_and_bound(strategy, steps, temperature=temperature, runs=RUNS // 4)
    assert distance > bound  # with fewer runs the bound is wider, so that this is harder to pass


def test_the_references_own_distributions_for_few_and_many_steps_differ():
    """So that the number of steps is part of what is tested."""
    one, many = (Counter(SAMPLER["counts"][steps]) for steps in ("1", "16"))
    assert sum(abs(one[text] - many[text]) for text in one | many) / 2 / 60_000 > 0.2
