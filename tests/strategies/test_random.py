"""The slots against the published loop, in distribution."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from models.denoiser import Query, Sampling
from tests.strategies.scenes import (
    CHI_SQUARE_LIMIT,
    STICKY,
    Indifferent,
    blank,
    chi_square,
    joint,
    run,
    sticky,
    two_sample_chi_square,
    written,
)

RUNS = 1200


def published(denoiser, canvas, *, steps: int, seed: int) -> tuple[int, ...]:
    """Run the published loop: commit with probability 1/(t+1) at t = T-1, ..., 1, then the rest."""
    rng, sampling = np.random.default_rng(seed), Sampling(temperature=1.0, banned=(2,))
    ids, masked = canvas.ids.copy(), canvas.masked.copy()

    def draft():
        query = Query(ids=ids, positions=canvas.span, uniforms=rng.random(len(canvas.span)), sampling=sampling)
        return denoiser.predict([query])[0].candidates

    tokens = draft()
    for t in range(steps - 1, 0, -1):
        reveal = masked & (rng.random(len(ids)) < 1 / (t + 1))
        ids[reveal], masked[reveal] = tokens[reveal], False
        tokens = draft()
    ids[masked] = tokens[masked]
    return tuple(ids[canvas.span].tolist())


@functools.cache
def samples(steps: int) -> list[tuple[int, ...]]:
    denoiser, canvas = sticky(), blank(4)
    return [written(run("random", denoiser, canvas, steps=steps, temperature=1.0, seed=seed)) for seed in range(RUNS)]


def test_the_published_loop_and_the_slots_write_the_same_distribution():
    denoiser, canvas = sticky(), blank(4)
    loop = [published(denoiser, canvas, steps=3, seed=10_000 + seed) for seed in range(RUNS)]
    assert two_sample_chi_square(loop, samples(3)) < CHI_SQUARE_LIMIT[15]
    assert two_sample_chi_square(loop, samples(1)) > CHI_SQUARE_LIMIT[15], "the test cannot tell T = 1 from T = 3"


def test_slots_are_uniform():
    canvas, slots = blank(8), np.zeros(8)
    for seed in range(300):
        for step in run("random", Indifferent(), canvas, steps=8, seed=seed):
            slots[int(step.selection.notes["slot"]) - 1] += len(step.selection.commit)
    expected = slots.sum() / 8
    assert ((slots - expected) ** 2 / expected).sum() < CHI_SQUARE_LIMIT[7]


@pytest.mark.parametrize(("steps", "length"), [(8, 16), (64, 16), (4, 3)])
def test_the_mean_number_of_forward_passes_is_that_of_non_empty_slots(steps, length):
    nfe = [run("random", Indifferent(), blank(length), steps=steps, seed=seed)[-1].nfe for seed in range(600)]
    expected = steps * (1 - (1 - 1 / steps) ** length)
    assert abs(np.mean(nfe) - expected) < 3 * np.std(nfe) / np.sqrt(len(nfe))


def test_one_step_draws_from_the_product_of_the_marginals():
    denoiser, canvas = sticky(), blank(4)
    exact = joint(STICKY, canvas)
    marginals = denoiser.marginals(canvas.ids)[canvas.span]
    product = {filling: float(np.prod(marginals[range(4), filling])) for filling in exact}
    drawn = samples(1)
    assert chi_square(drawn, product) < CHI_SQUARE_LIMIT[15]
    assert chi_square(drawn, exact) > CHI_SQUARE_LIMIT[15]


def test_many_steps_draw_from_the_joint():
    exact = joint(STICKY, blank(4))
    assert chi_square(samples(200), exact) < CHI_SQUARE_LIMIT[15]


def test_collisions_count_the_tokens_drawn_independently():
    for step in run("random", Indifferent(), blank(16), steps=4):
        assert step.selection.notes["collisions"] == len(step.selection.commit) - 1
