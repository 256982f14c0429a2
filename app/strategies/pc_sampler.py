"""PC-Sampler: confidence corrected for the position of a token and for how common it is."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy


@strategy(title="Surest and rarest first", group="By sureness", budget="schedule", ranks="drafts")
def pc_sampler(
    now: Snapshot,
    *,
    pull: Annotated[
        float, Knob(0.0, 8.0, "how much each token of distance from the edge takes off the log score; 0 turns it off")
    ] = 0.25,
    ceiling: Annotated[float, Knob(0.1, 20.0, "cap on the score, which is probability times rarity in nats")] = 10.0,
    edge: Annotated[str, OneOf(("left", "nearest"), "the edge of the gap to begin at; nearest is our own")] = "left",
) -> Selection:
    """Commit the surest drafts, but common words later, and positions near the edge of a gap sooner.

    The score is exp(-pull distance) min(ceiling, -confidence log f), where the distance is in tokens and f is the
    token's frequency in text. If the frequencies are not known (see `models.checkpoints.frequencies`), -log f is 1 for
    all tokens. The defaults are those of the published runs.

    Huang et al., 2025, PC-Sampler, arXiv:2508.13021

    Deviates: in a text with several gaps, each has an edge of its own to begin at.
    """
    left, right = now.canvas.from_edges
    distance = left if edge == "left" else np.minimum(left, right)
    nearness = np.exp(-pull * distance)
    frequencies = now.forwards.frequencies
    rarity = 1.0 if frequencies is None else -np.log(frequencies[now.prediction.candidates])
    scores = nearness * np.minimum(ceiling, now.prediction.confidence * rarity)
    return now.commit_first(now.rank(scores), 1, counted=float(frequencies is not None))
