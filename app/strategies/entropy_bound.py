"""The entropy-bounded sampler."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="While the risk is small", group="Above a bar", budget="cap")
def entropy_bound(
    now: Snapshot,
    *,
    bound: Annotated[
        float,
        Knob(
            0.0,
            5.0,
            "how much tokens written together may depend on each other, in nats; 0 writes one token at a time",
            calibrated=lambda at: at["entropy"],  # two positions risk the smaller of their entropies
        ),
    ] = 0.1,
) -> Selection:
    """Commit the surest positions while the risk from their dependence stays within a bound.

    The joint distribution of a set of positions differs from the product of its marginals by at most sum H - max H nats
    (KL divergence).

    Ben-Hamu et al., 2025, Entropy Bounded Unmasking, arXiv:2505.24857

    Deviates: the bound is in nats; the authors of DUS read the paper's as bits, so that its 0.1 would be 0.069 here.
    """
    order = now.rank(-now.prediction.entropy)
    entropies = now.prediction.entropy[order]
    risk = np.concatenate(([0.0], np.cumsum(entropies[:-1])))  # without each set's largest entropy, its last
    chosen = max(int((risk <= bound).sum()), now.pace)
    return now.commit_first(order, chosen, risk=risk[chosen - 1], bound=bound)
