"""PC-Sampler: confidence corrected for where a token stands and for how common it is."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, OneOf, strategy


@strategy(budget="schedule")
def pc_sampler(
    now: Snapshot,
    *,
    pull: Annotated[
        float, Knob(0.0, 128.0, "how much edges are preferred: the decay over a whole gap; 0 is none")
    ] = 2.0,
    ceiling: Annotated[float, Knob(0.1, 20.0, "what a calibrated confidence counts at most, in nats")] = 1.0,
    edge: Annotated[
        str, OneOf(("nearest", "left"), "which edge; the paper, which continues texts, has left")
    ] = "nearest",
) -> Selection:
    """Commit the surest drafts, but common words later, and positions near the edges of the gap sooner.

    The score is exp(-pull distance / gap) min(ceiling, -confidence log f), with f how common the token is in text.
    Where nobody has counted that (see `models.checkpoints`), all tokens count as equally common, with -log f = 1.

    Huang et al., 2025, PC-Sampler, arXiv:2508.13021; the distance to the nearest edge, for infilling, is our own
    """
    left, right = now.canvas.from_edges
    distance = left if edge == "left" else np.minimum(left, right)
    near = np.exp(-pull * distance / (left + right + 1))
    frequencies = now.forwards.frequencies
    rarity = 1.0 if frequencies is None else -np.log(frequencies[now.prediction.candidates])
    scores = near * np.minimum(ceiling, now.prediction.confidence * rarity)
    return now.commit_first(now.rank(scores), 1, counted=float(frequencies is not None))
