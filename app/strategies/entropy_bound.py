"""The entropy-bounded sampler."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(budget="cap")
def entropy_bound(
    now: Snapshot,
    *,
    bound: Annotated[
        float,
        Knob(
            0.0,
            5.0,
            "dependence risked in a step, in nats; 0 is one token by one",
            calibrated=lambda at: at["entropy"],  # of two, the surer one's is what is risked
        ),
    ] = 0.1,
) -> Selection:
    """Commit the surest positions while what their dependence can cost stays within a bound.

    The joint of a set differs from the product of its marginals by at most sum H - max H nats (in KL divergence).

    Ben-Hamu et al., 2025, Entropy Bounded Unmasking, arXiv:2505.24857
    """
    order = now.rank(-now.prediction.entropy)
    entropies = now.prediction.entropy[order]
    risk = np.concatenate(([0.0], np.cumsum(entropies[:-1])))  # the last is the largest, and is left out
    chosen = max(int((risk <= bound).sum()), now.pace)
    return now.commit_first(order, chosen, risk=risk[chosen - 1], bound=bound)
