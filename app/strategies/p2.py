"""P2: path planning, in a form for models with a shift."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="Takes back what it doubts", group="Second thoughts", budget="exact", ranks="drafts", may_loop=True)
def p2(
    now: Snapshot,
    *,
    eta: Annotated[float, Knob(0.0, 4.0, "how much doubt about written tokens counts; 0 never takes one back")] = 1.0,
) -> Selection:
    """Rank committed and drafted tokens together and remask the lowest, fewer each step: path planning.

    Drafts rank by log q, committed tokens by eta log q, where q is the probability at the time of commit. Once the run
    returns to a state that it had left, no token is taken back any more.

    Peng et al., 2025, Path Planning for Masked Diffusion Model Sampling, arXiv:2502.03540

    Deviates: the paper asks the model again about a token that it sees, which a model with a shift was never trained to
    answer. Above temperature 0 the released code ranks by Gumbel-perturbed logits. Nothing is taken back in the last
    tenth of the steps.
    """
    masked = now.canvas.masked
    q = np.where(masked, now.prediction.drawn_confidence, now.scores_at_commit("drawn_confidence"))
    scores = np.log(np.maximum(q, np.finfo(np.float64).tiny))
    return now.reconsider(np.where(masked, scores, eta * scores))
