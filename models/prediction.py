"""A denoiser's belief about each asked position, reduced to small arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOP = 5
"""Number of most probable tokens of a position that are kept, shown and recorded, unless a query asks for more."""


def entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy in nats of distributions [..., n], [...]."""
    return np.where(p > 0, -p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(-1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Prediction:
    """Arrays as long as the canvas, indexed by absolute position; 0 (tokens: -1) at positions not asked about.

    pi is the model's distribution at temperature 1, q the one that candidates are drawn from (after temperature and
    top-p); both leave out banned tokens. At temperature 0 the candidate is pi's argmax, and the `drawn_*` are pi's.
    """

    candidates: NDArray[np.int64]  # [length] the drafted token
    confidence: NDArray[np.float64]  # [length] pi(candidate)
    entropy: NDArray[np.float64]  # [length] of pi, in nats
    margin: NDArray[np.float64]  # [length] largest minus second largest probability of pi
    logit_margin: NDArray[np.float64]  # [length] largest minus second largest logit
    drawn_confidence: NDArray[np.float64]  # [length] q(candidate)
    drawn_entropy: NDArray[np.float64]  # [length] of q, in nats
    drawn_margin: NDArray[np.float64]  # [length] of q
    top_tokens: NDArray[np.int64]  # [length, tops] most probable first
    top_probs: NDArray[np.float64]  # [length, tops] of pi
    drift: NDArray[np.float64]  # [length, lookback] KL(pi || pi of 1, 2, … predictions ago), in nats; inf: no such pi
    log_targets: NDArray[np.float64] | None = None  # [length] log pi of the query's targets; -inf if one is banned
    columns: NDArray[np.float64] | None = None  # [length] share of the attention that each position gets when the asked
    # positions are predicted, averaged over layers, heads and these; sums to 1. None: not asked for, or no transformer
    class_probs: NDArray[np.float64] | None = None  # [length, classes] of pi, by the query's classes
    forwards: int = 1  # canvases that went through the network for it; 0 if its logits were cached

    @property
    def asked(self) -> NDArray[np.int64]:
        """[n] the positions asked about."""
        return np.flatnonzero(self.candidates >= 0)

    @property
    def class_entropy(self) -> NDArray[np.float64] | None:
        """[length] entropy of the word class in nats; None if no classes were asked for."""
        return None if self.class_probs is None else entropy(self.class_probs)

    @property
    def class_given(self) -> NDArray[np.float64] | None:
        """[length] entropy of the token when its class is known, sum over c of p(c) H(token | c), in nats.

        A token has one class, so by the chain rule this is the entropy of the token less that of the class.
        """
        spread = self.class_entropy
        return None if spread is None else np.maximum(self.entropy - spread, 0.0)
