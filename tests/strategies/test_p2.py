from __future__ import annotations

import pytest

from models.toy import toy
from tests.strategies.scenes import after, blank, choose, run, snapshot

HOT = {"temperature": 1.0, "banned": tuple(toy().tokenizer.special_ids)}


@pytest.mark.parametrize(
    ("eta", "committed", "back"),
    [
        (2.0, [2, 3], [1]),  # 0.9^2 = 0.81
        (1.0, [2, 3], [1]),  # 0.9
        (0.5, [2], []),  # 0.9^0.5 = 0.949 is more than 0.92
        (0.0, [2], []),
    ],
)
def test_a_committed_token_that_two_drafts_outrank_is_remasked(eta, committed, back):
    now = snapshot(steps=4, drawn_confidence=[0.9, 0.4, 0.6, 0.2])
    first = choose("p2", now, eta=eta)
    assert first.commit.tolist() == [1]
    second = choose("p2", after(now, first, drawn_confidence=[0.95, 0.92, 0.3]), eta=eta)
    assert (second.commit.tolist(), second.remask.tolist()) == (committed, back)


def test_eta_zero_never_remasks_even_if_drafts_are_certain():
    now = snapshot(steps=4, drawn_confidence=[1.0, 0.5, 0.5, 0.5])
    now = after(now, choose("p2", now, eta=0.0), drawn_confidence=[1.0, 1.0, 1.0])
    assert not len(choose("p2", now, eta=0.0).remask)


def test_a_larger_eta_remasks_more_tokens():
    denoiser = toy()
    canvas = blank(16, mask_id=denoiser.tokenizer.mask_id)

    def remasked(eta: float) -> int:
        steps = [step for seed in range(5) for step in run("p2", denoiser, canvas, steps=16, seed=seed, eta=eta, **HOT)]
        return sum(len(step.selection.remask) for step in steps)

    assert 0 == remasked(0.0) < remasked(1.0) < remasked(4.0)


def test_beliefs_about_committed_positions_are_not_read():
    """Beliefs about committed positions are 0 here, so all would be remasked if they were read."""
    now = snapshot(steps=4, drawn_confidence=[0.9, 0.4, 0.6, 0.2])
    now = after(now, choose("p2", now), drawn_confidence=[0.5, 0.6, 0.3])
    assert choose("p2", now).commit.tolist() == [3]
    assert not len(choose("p2", now).remask)
