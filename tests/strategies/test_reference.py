from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.denoiser import Query, Sampling
from tests.strategies.scenes import Indifferent, blank, choose, counts, run, snapshot, sticky, written


def published(denoiser, canvas, *, steps: int, temperature: float, seed: int) -> tuple[int, ...]:
    """Run the published loop, with the drafts' random numbers drawn as in `decode`."""
    rng = np.random.default_rng(seed)
    sampling = Sampling(temperature=temperature, banned=(2,))

    def draft():
        uniforms = rng.random(len(canvas))[canvas.span]
        (prediction,) = denoiser.predict([Query(ids=ids, positions=canvas.span, uniforms=uniforms, sampling=sampling)])
        return prediction.candidates, prediction.drawn_confidence

    ids, masked, span = canvas.ids.copy(), canvas.masked.copy(), canvas.span
    tokens, scores = draft()
    for t in range(steps - 1, 0, -1):
        low = set(span[np.argsort(scores[span], kind="stable")[: len(span) * t // steps]].tolist())
        for i in span:
            if masked[i] and i not in low:
                ids[i], masked[i] = tokens[i], False
        tokens, scores = draft()
    ids[masked] = tokens[masked]
    return tuple(ids[span].tolist())


def test_it_writes_what_the_published_loop_writes():
    denoiser, canvas = sticky(), blank(9)
    for seed in range(20):
        ours = written(run("reference", denoiser, canvas, steps=5, temperature=0.9, seed=seed))
        assert ours == published(denoiser, canvas, steps=5, temperature=0.9, seed=seed)


def test_positions_are_kept_masked_by_the_linear_schedule():
    now = snapshot(drawn_confidence=[0.4, 0.1, 0.3, 0.2], steps=4)
    selection = choose("reference", now)
    assert selection.commit.tolist() == [1]
    assert selection.notes["kept"] == 3


def test_a_low_ranked_committed_position_lets_others_be_committed_sooner():
    """Ties rank by position, so that the positions committed on the right do not hold back those on the left."""
    assert counts(run("reference", Indifferent(), blank(8), steps=4)) == [2, 2, 2, 2]
    now = snapshot(drawn_confidence=[0.4, 0.1, 0.3, 0.2], steps=4, taken=1)
    assert choose("reference", now).commit.tolist() == [1, 3]
    known = now.canvas.commit(np.array([2, 4]), np.array([0, 0]))
    assert choose("reference", replace(now, canvas=known)).commit.tolist() == [1, 3]
