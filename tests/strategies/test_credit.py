from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from app.sampling.step import Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import after, blank, choose, orders, run, snapshot, written


def believing(now: Snapshot, beliefs: Mapping[int, Mapping[int, float]], **drafts: int) -> Snapshot:
    """Return the snapshot with these best tokens and probabilities; the best is the draft unless another is given."""
    tokens, probs = np.full_like(now.prediction.top_tokens, -1), np.zeros_like(now.prediction.top_probs)
    candidates, confidence = now.prediction.candidates.copy(), now.prediction.confidence.copy()
    for position, belief in beliefs.items():
        for rank, (token, probability) in enumerate(belief.items()):
            tokens[position, rank], probs[position, rank] = token, probability
        candidates[position] = drafts.get(f"at_{position}", next(iter(belief)))
        confidence[position] = belief.get(int(candidates[position]), 0.01)
    beliefs_now = replace(
        now.prediction, top_tokens=tokens, top_probs=probs, candidates=candidates, confidence=confidence
    )
    return replace(now, prediction=beliefs_now)


def second_step(**drafts: int) -> Snapshot:
    """Return a snapshot with half of the span known: position 1 still prefers 7, position 2 went from 9 to 8."""
    now = believing(snapshot(length=4), {1: {7: 0.5}, 2: {9: 0.98}, 3: {5: 0.9}, 4: {5: 0.9}})
    now = after(now, Selection(commit=np.array([3, 4])))
    return believing(now, {1: {7: 0.4, 8: 0.3}, 2: {8: 0.442, 9: 0.44}}, **drafts)


# Position 1: credit 0.5 x 0.5 + 0.4 = 0.65 for token 7, so 0.4 x 1.65^0.5 = 0.5138 of 1.1138.
FIRST = 0.4 * 1.65**0.5 / (0.6 + 0.4 * 1.65**0.5)
# Position 2: credit 0.442 for token 8 and 0.5 x 0.98 = 0.49 for token 9: 0.5308 and 0.5371 of 1.1859.
SECOND = 0.44 * 1.49**0.5 / (0.118 + 0.442 * 1.442**0.5 + 0.44 * 1.49**0.5)


def test_an_earlier_first_choice_passes_a_threshold_above_its_probability():
    assert pytest.approx(0.4613, abs=1e-4) == FIRST
    assert pytest.approx(0.4529, abs=1e-4) == SECOND
    for tau, expected in ((FIRST + 1e-9, [1]), (FIRST - 1e-9, [1]), (SECOND - 1e-9, [1, 2])):
        selection = choose("credit", second_step(), tau=tau)
        assert selection.commit.tolist() == expected
        assert selection.notes["passed"] == (len(expected) if tau < FIRST else 0)


def test_with_weight_zero_only_current_probabilities_decide():
    selection = choose("credit", second_step(), tau=0.42, weight=0.0)
    assert selection.commit.tolist() == [2]
    assert selection.tokens is not None
    assert selection.tokens.tolist() == [8]


def test_credit_may_change_the_token_and_its_own_probability_is_recorded():
    selection = choose("credit", second_step(), tau=0.1)
    assert selection.tokens is not None
    assert selection.confidence is not None
    assert selection.tokens.tolist() == [7, 9]
    assert selection.confidence.tolist() == [0.4, 0.44]


def test_a_draft_that_is_not_the_first_choice_is_committed_as_drawn():
    selection = choose("credit", second_step(at_1=8, at_2=5), tau=0.1)
    assert selection.tokens is not None
    assert selection.confidence is not None
    assert dict(zip(selection.commit.tolist(), selection.tokens.tolist(), strict=True)) == {1: 8}
    assert selection.confidence.tolist() == [0.3]


def test_no_credit_counts_before_any_token_is_known():
    now = believing(snapshot(length=2), {1: {7: 0.6}, 2: {7: 0.5}})
    assert choose("credit", now, tau=0.55).commit.tolist() == [1]


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_weight_zero_equals_threshold(temperature):
    denoiser = toy()
    canvas = blank(16, mask_id=denoiser.tokenizer.mask_id)
    settings = {"steps": 16, "temperature": temperature, "tau": 0.5, "banned": tuple(denoiser.tokenizer.special_ids)}
    host, ours = run("threshold", denoiser, canvas, **settings), run("credit", denoiser, canvas, weight=0.0, **settings)
    assert orders(ours) == orders(host)
    assert written(ours) == written(host)
