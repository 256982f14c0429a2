from __future__ import annotations

import numpy as np
import pytest
import torch

from models.denoiser import Query, Sampling
from models.networks.reduction import reduce

PI = np.array([0.1, 0.4, 0.3, 0.2])
LOGITS = torch.from_numpy(np.log(PI))[None]


def draw(uniform: float, *, temperature: float = 1.0, top_p: float = 1.0, logits: torch.Tensor = LOGITS):
    """Reduce logits about position 1 of a canvas of three."""
    query = Query(
        ids=np.array([7, 9, 8]),
        positions=np.array([1]),
        uniforms=np.array([uniform]),
        sampling=Sampling(temperature=temperature, top_p=top_p),
    )
    return reduce(logits, query)


@pytest.mark.parametrize(
    ("uniform", "token"),
    [(0.0, 0), (0.099, 0), (0.101, 1), (0.499, 1), (0.501, 2), (0.799, 2), (0.801, 3), (0.999999, 3)],
)
def test_a_uniform_number_picks_by_the_cumulative_distribution(uniform, token):
    prediction = draw(uniform)
    assert prediction.candidates.tolist() == [-1, token, -1]
    assert prediction.confidence[1] == pytest.approx(PI[token])


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(1e-9, [1]), (0.39, [1]), (0.41, [1, 2]), (0.69, [1, 2]), (0.71, [1, 2, 3]), (1.0, [1, 2, 3, 0])],
)
def test_the_nucleus_includes_the_token_that_crosses(top_p, kept):
    drawn = {int(draw(u, top_p=top_p).candidates[1]) for u in np.linspace(0, 0.999999, 101)}
    assert drawn == set(kept)
    first = draw(0.3, top_p=top_p)
    assert first.candidates[1] == 1
    assert first.drawn_confidence[1] == pytest.approx(PI[1] / PI[kept].sum())
    assert first.confidence[1] == pytest.approx(PI[1]), "confidence leaves the nucleus out of account"


def test_a_draw_on_the_border_belongs_to_the_next_token():
    """Uniform numbers include 0 and leave out 1."""
    even = torch.zeros(1, 2)
    assert [int(draw(uniform, logits=even).candidates[1]) for uniform in (0.0, 0.499, 0.5)] == [0, 0, 1]


def test_temperature_zero_takes_the_most_probable_token_whatever_the_draw():
    for uniform in (0.0, 0.5, 0.999999):
        prediction = draw(uniform, temperature=0.0, top_p=0.5)
        assert prediction.candidates[1] == 1
        assert prediction.drawn_confidence[1] == prediction.confidence[1] == pytest.approx(0.4)


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_a_tiny_temperature_approaches_the_most_probable_token(temperature):
    prediction = draw(0.999999, temperature=temperature)
    assert prediction.candidates[1] == 1
    assert prediction.drawn_confidence[1] == pytest.approx(1)


def test_entropy_margin_and_gap_by_hand():
    prediction = draw(0.5, temperature=0.5)
    assert prediction.entropy[1] == pytest.approx(-(PI * np.log(PI)).sum())
    assert prediction.margin[1] == pytest.approx(0.1)
    assert prediction.logit_margin[1] == pytest.approx(np.log(0.4 / 0.3))
    q = PI**2 / (PI**2).sum()
    assert prediction.drawn_entropy[1] == pytest.approx(-(q * np.log(q)).sum())
    assert prediction.drawn_margin[1] == pytest.approx(q[1] - q[2])


def test_the_drawn_scores_are_those_of_the_nucleus():
    prediction = draw(0.0, top_p=0.5)
    q = np.array([4 / 7, 3 / 7])
    assert prediction.drawn_entropy[1] == pytest.approx(-(q * np.log(q)).sum())
    assert prediction.drawn_margin[1] == pytest.approx(1 / 7)
    assert draw(0.0, top_p=0.1).drawn_entropy[1] == 0


def test_top_tokens_come_most_probable_first_and_missing_ones_are_marked():
    prediction = draw(0.5)
    assert prediction.top_tokens[1].tolist() == [1, 2, 3, 0, -1]
    assert prediction.top_probs[1] == pytest.approx([0.4, 0.3, 0.2, 0.1, 0])
    assert (prediction.top_tokens[[0, 2]] == -1).all()


def test_banned_tokens_are_never_drawn_nor_counted():
    logits = LOGITS.clone()
    logits[0, 1] = float("-inf")
    for temperature in (0.0, 0.3, 5.0):
        for uniform in np.linspace(0, 1 - 2**-53, 50):
            prediction = draw(uniform, temperature=temperature, logits=logits)
            assert prediction.candidates[1] != 1
            assert 1 not in prediction.top_tokens[1]
    prediction = draw(0.5, logits=logits)
    rest = PI[[0, 2, 3]] / PI[[0, 2, 3]].sum()
    assert prediction.entropy[1] == pytest.approx(-(rest * np.log(rest)).sum())


def test_one_token_left_is_certain():
    logits = torch.full((1, 4), float("-inf"))
    logits[0, 2] = 3.0
    for temperature in (0.0, 1.0):
        prediction = draw(0.999999, temperature=temperature, logits=logits)
        assert prediction.candidates[1] == 2
        assert prediction.confidence[1] == prediction.margin[1] == 1
        assert prediction.entropy[1] == 0
        assert np.isfinite(prediction.logit_margin[1])


def test_draws_follow_the_distribution():
    n = 20_000
    query = Query(
        ids=np.zeros(n + 1, dtype=np.int64),
        positions=np.arange(1, n + 1),
        uniforms=np.random.default_rng(0).random(n),
        sampling=Sampling(temperature=1.0),
    )
    drawn = np.bincount(reduce(LOGITS.expand(n, -1), query).candidates[1:], minlength=4) / n
    assert (np.abs(drawn - PI) < 3.5 * np.sqrt(PI * (1 - PI) / n)).all()


def test_a_positions_belief_does_not_depend_on_the_others_asked_about():
    logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0))
    uniforms = np.random.default_rng(1).random(6)
    ids = np.zeros(7, dtype=np.int64)
    sampling = Sampling(temperature=0.9, top_p=0.8)
    together = reduce(logits, Query(ids=ids, positions=np.arange(1, 7), uniforms=uniforms, sampling=sampling))
    for row in range(6):
        query = Query(ids=ids, positions=np.array([row + 1]), uniforms=uniforms[[row]], sampling=sampling)
        alone = reduce(logits[[row]], query)
        assert alone.candidates[row + 1] == together.candidates[row + 1]
        assert alone.drawn_entropy[row + 1] == pytest.approx(together.drawn_entropy[row + 1], abs=1e-12)
