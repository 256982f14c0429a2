"""The drift of a belief from the run's earlier predictions."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.sampling.step import Policy, Selection
from models.denoiser import BeliefCache
from models.networks.dual_cache import DualCacheDenoiser
from models.toy import MarkovDenoiser, ToyTokenizer
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, network
from tests.strategies.scenes import blank, decode

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

CHAIN = MarkovDenoiser(ToyTokenizer("ab"), np.array([[0.7, 0.3], [0.35, 0.65]]))
OPEN, LATER, LAST = [3, 8, MASK, MASK, MASK, 5, 6], [3, 8, MASK, 17, MASK, 5, 6], [3, 8, MASK, 17, 4, 5, 6]


def drifts(model, texts, *, lookback=1, cache=None, mask_id=MASK) -> list[np.ndarray]:
    """Return the drift [length, lookback] at each of the texts of a run."""
    cache = BeliefCache() if cache is None else cache
    queries = [ask(text, cache=cache, lookback=lookback, mask_id=mask_id) for text in texts]
    return [model.predict([query])[0].drift for query in queries]


def by_hand(network_, now: list[int], before: list[int], position: int) -> float:
    """Compute the KL over all tokens but the mask, in float64."""
    with torch.inference_mode():
        logits = network_(input_ids=torch.tensor([now, before])).logits[:, position - 1, :MASK]
    p, q = logits.double().softmax(-1).numpy()
    return float((p * np.log(p / q)).sum())


def test_the_toys_drift_is_the_divergence_worked_out_by_hand():
    """After "a" two letters on: 0.7 x 0.7 + 0.3 x 0.35 = 0.595 for a. After a "b": 0.35."""
    first, second = drifts(CHAIN, [[0, 3, 3], [0, 1, 3]], mask_id=3)
    assert first.tolist() == [[0.0], [np.inf], [np.inf]]
    expected = 0.35 * np.log(0.35 / 0.595) + 0.65 * np.log(0.65 / 0.405)
    assert expected == pytest.approx(0.121785, abs=1e-6)
    assert second[:, 0] == pytest.approx([0.0, 0.0, expected])


@every_architecture
def test_a_networks_drift_is_over_its_whole_vocabulary_for_every_earlier_prediction(architecture):
    network_ = network(architecture)
    first, second, third = drifts(denoiser(network_), [OPEN, LATER, LAST], lookback=2)
    assert (first[2:5] == np.inf).all()
    assert second[2, 0] == pytest.approx(by_hand(network_, LATER, OPEN, 2), rel=1e-4)
    assert second[4, 0] == pytest.approx(by_hand(network_, LATER, OPEN, 4), rel=1e-4)
    assert (second[[2, 4], 1] == np.inf).all()
    assert third[2] == pytest.approx([by_hand(network_, LAST, LATER, 2), by_hand(network_, LAST, OPEN, 2)], rel=1e-4)
    assert third[2].min() > 1e-3
    assert (np.delete(third, 2, 0) == 0).all(), "nothing else was asked about"


def test_a_position_that_was_not_asked_about_before_has_nothing_to_drift_from():
    _, taken_back = drifts(denoiser(network("llama")), [LATER, OPEN])
    assert np.isfinite(taken_back[[2, 4], 0]).all()
    assert taken_back[3, 0] == np.inf


def test_another_text_has_nothing_to_drift_from():
    _, other = drifts(denoiser(network("llama")), [OPEN, [9, *OPEN]])
    assert (other[3:6] == np.inf).all()


@pytest.mark.parametrize("capacity", [0, 4])
def test_a_state_that_comes_twice_running_is_compared_with_the_one_before_both(capacity):
    model = denoiser(network("llama"))
    _, once, again = drifts(model, [OPEN, LATER, LATER], cache=BeliefCache(capacity))
    assert once[2, 0] > 0
    assert again == pytest.approx(once)


@pytest.mark.parametrize("capacity", [0, 4])
def test_a_state_that_comes_back_later_is_compared_with_what_came_between(capacity):
    network_ = network("llama")
    _, _, back = drifts(denoiser(network_), [OPEN, LATER, OPEN], lookback=2, cache=BeliefCache(capacity))
    assert back[2] == pytest.approx([by_hand(network_, OPEN, LATER, 2), 0.0], rel=1e-4, abs=1e-6)


def test_runs_that_share_a_pass_drift_as_they_do_alone():
    model = denoiser(network("gpt2"))
    texts = [[OPEN, LATER, LAST], [[1, *OPEN], [1, *LATER], [1, *LAST]]]
    alone = [drifts(model, each, lookback=2) for each in texts]
    caches = [BeliefCache(), BeliefCache()]
    for turn in range(3):
        queries = [ask(each[turn], cache=m, lookback=2) for each, m in zip(texts, caches, strict=True)]
        for found, expected in zip(model.predict(queries), (each[turn] for each in alone), strict=True):
            assert found.drift == pytest.approx(expected, abs=1e-5)


@every_architecture
def test_the_dual_cache_compares_what_it_believes_itself(architecture):
    exact = denoiser(network(architecture))
    right = drifts(exact, [OPEN, LATER, LAST])
    for refresh, error in ((1, 1e-5), (4, 1.0)):
        found = drifts(DualCacheDenoiser(exact, refresh=refresh), [OPEN, LATER, LAST])
        for one, other in zip(found, right, strict=True):
            assert one == pytest.approx(other, abs=error)


def test_without_lookback_no_belief_is_stored():
    model, cache = denoiser(network("llama")), BeliefCache()
    (prediction,) = model.predict([ask(OPEN, cache=cache)])
    assert prediction.drift.shape == (len(OPEN), 0)
    assert not cache.earlier(b"", None, 1), "a belief was kept"
    assert model.predict([ask(OPEN, lookback=1)])[0].drift[2, 0] == np.inf, "without a run there is no belief before"


def test_a_run_keeps_as_many_beliefs_as_are_asked_for_and_travels_without_them():
    kept = BeliefCache()
    steps = list(
        decode(
            blank(6, before=(3, 8), after=(5,), mask_id=MASK),
            denoiser(network("llama")),
            Policy(name="test", choose=lambda now: Selection(commit=now.canvas.masks[:1]), lookback=2),
            steps=6,
            cache=kept,
        )
    )
    assert len(kept.earlier(b"", None, 100)) == 3
    there = pickle.loads(pickle.dumps(steps[-1]))
    assert there.prediction.drift.tolist() == steps[-1].prediction.drift.tolist()
    bare = replace(steps[-1].prediction, drift=np.zeros((9, 0)))
    assert len(pickle.dumps(steps[-1].prediction)) - len(pickle.dumps(bare)) < 2 * 9 * 8 + 32
