"""Running confidence remasking."""

from __future__ import annotations

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="Takes back what is overtaken", group="Second thoughts", budget="exact", ranks="drafts", may_loop=True)
def rcr(now: Snapshot) -> Selection:
    """Keep the positions with the highest confidence so far, and remask tokens that others overtake.

    A position's running confidence is the highest that any draft for it has had; committed positions have no drafts.
    Once the run returns to a state that it had left, no token is taken back any more.

    He et al., 2025, MDPO, arXiv:2508.13148

    Deviates: the published code uses the confidence of the committed token instead, and commits the larger shares
    first: at temperature 0 it is `p2` with eta 1 but for these counts. Nothing is taken back in the last tenth of the
    steps.
    """
    drafts = (now.start.inherited, *(step.prediction.confidence for step in now.history), now.prediction.confidence)
    return now.reconsider(np.max(drafts, axis=0))
