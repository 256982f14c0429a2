"""Draw tokens again where they are written, so that a place is not chosen because a likely token was drawn there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.sampling.step import Policy, Selection, Snapshot


def redrawing(policy: Policy) -> Policy:
    """Return the policy with each draft drawn again, from the belief of the same step, at the places that it commits.

    A strategy that ranks by the probability of the drafted token writes likely tokens more often than the model says:
    above temperature 0, choosing the place is a second, hidden draw. A token that is drawn anew at the chosen place
    follows the model's distribution (after temperature and top-p), and costs no forward pass. Tokens that the strategy
    chose itself stay. Returns the policy itself if it does not rank by drafts. At temperature 0, and if the belief is
    no longer cached, a step stays as it is.

    The control `resample` of arXiv:2605.12522
    """
    if not policy.ranks_drafts:
        return policy
    return replace(policy, choose=lambda now: _redrawn(policy.choose(now), now))


def _redrawn(wanted: Selection, now: Snapshot) -> Selection:
    """Return the selection with its drafts drawn again, counted in the note `redrawn`."""
    commit, prediction = wanted.commit, now.prediction
    tokens, confidence, drawn = prediction.candidates[commit], prediction.confidence[commit], None
    own = np.zeros(len(commit), dtype=np.bool_)
    if wanted.tokens is not None and wanted.confidence is not None:
        tokens, confidence, drawn = wanted.tokens, wanted.confidence, wanted.drawn
        own = ~own if wanted.own is None else wanted.own
    if now.temperature <= 0 or own.all() or (again := now.redraw(())) is None:
        return wanted
    return replace(
        wanted,
        tokens=np.where(own, tokens, again.candidates[commit]),
        confidence=np.where(own, confidence, again.confidence[commit]),
        drawn=np.where(own, confidence if drawn is None else drawn, again.drawn_confidence[commit]),
        own=np.ones_like(own),
        notes={**wanted.notes, "redrawn": int((~own).sum())},
    )
