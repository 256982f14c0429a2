"""Parallel decoding that keeps simultaneous commits apart."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot, space_out
from app.strategies.registry import Knob, Switch, Tau, strategy


@strategy(title="Above a bar, no neighbours", group="Above a bar", budget="cap", ranks="drafts")
def apart(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    distance: Annotated[
        int,
        Knob(1, 16, "least distance, in tokens, between tokens written in the same step; 1 is the same as threshold"),
    ] = 2,
    adaptive: Annotated[
        bool, Switch("the distance begins at half the gap and falls to the least as the gap fills, as in DUS's release")
    ] = False,
) -> Selection:
    """Commit every draft above a threshold, the surest first, but no two neighbours in the same step.

    Words depend most on their neighbours, so neighbours are not drawn independently. This is the spacing filter of DUS,
    and the simplest of the dependency graphs of which DAPD commits an independent set. With `adaptive`, the distance is
    floor(m floor(N / 2) / N) for m masks left of N, or the least one if that is larger.

    Luxembourg et al., 2025, Plan for Speed, arXiv:2506.19037; Kim et al., 2026, DAPD, arXiv:2603.12996

    Deviates: the distance is the same throughout unless `adaptive`, which is as released but over the whole gap instead
    of a block. If the budget needs more positions than fit at this distance, the surest of the others are added.
    """
    order, length = now.rank(now.prediction.confidence), len(now.canvas.span)
    if adaptive:
        distance = max(distance, len(order) * (length // 2) // length)
    apart = space_out(order, distance)
    passed = int((now.prediction.confidence[apart] >= tau).sum())
    order = np.concatenate([apart, order[~np.isin(order, apart)]])
    return now.commit_first(order, max(1, passed), threshold=tau, passed=passed)
