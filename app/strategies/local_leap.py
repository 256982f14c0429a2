"""LocalLeap: a lower bar near positions that pass a high one."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, Tau, strategy


@strategy(title="A lower bar near sure ones", group="Above a bar", budget="cap", ranks="drafts")
def local_leap(
    now: Snapshot,
    *,
    tau: Tau = 0.9,
    relaxed: Annotated[
        float,
        Knob(
            0.0,
            1.0,
            "the bar near a draft that reaches the high one; at tau or above, the same as threshold",
            calibrated=lambda at: 0.75 / 0.9 * at["confidence"],  # the paper's ratio to the high bar
        ),
    ] = 0.75,
    radius: Annotated[int, Knob(0, 32, "how near that is, in tokens; 0 is the same as threshold")] = 4,
) -> Selection:
    """Commit every draft above a threshold, and near such drafts those above a lower one, or else the surest.

    A draft that reaches the threshold is an anchor. A draft at most `radius` tokens from an anchor needs only the
    relaxed threshold: certainty spreads to near words. If there is no anchor, the surest draft is committed.

    Kong et al., 2025, LocalLeap, arXiv:2510.07081

    Deviates: the whole gap is one block.
    """
    confidence, masks = now.prediction.confidence, now.canvas.masks
    sure = confidence >= tau
    anchors = masks[sure[masks]]
    near = np.zeros(len(now.canvas), dtype=np.bool_)
    near[masks] = (np.abs(masks[:, None] - anchors) <= radius).any(1)
    return now.commit_passing(sure | (near & (confidence >= relaxed)), confidence, threshold=tau, anchors=len(anchors))
