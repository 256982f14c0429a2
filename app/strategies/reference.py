"""The sampler behind DiffuLLaMA's published infilling results."""

from __future__ import annotations

import numpy as np

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import strategy


@strategy(title="Least sure left for last", group="By sureness", budget="exact", reads_committed=True, ranks="drafts")
def reference(now: Snapshot) -> Selection:
    """Keep the least probable drafts masked, ranking committed positions too: DiffuLLaMA's evaluation sampler.

    In step k, the floor(N (T - k) / T) positions of the span whose fresh drafts have the lowest log-probabilities are
    left as they are; every other masked position is committed. N is the number of masks at the start. The paper used
    T = 32, no top-p, and temperature 0.95 (GPT-2) or 0.9 (LLaMA).

    Gong et al., 2025, DiffuLLaMA, arXiv:2410.17891 (evaluation sampler)
    """
    span = now.canvas.span
    kept = now.masks_at_start * (now.steps - now.step) // now.steps
    low = span[np.argsort(now.prediction.drawn_confidence[span], kind="stable")[:kept]]
    return Selection(commit=np.setdiff1d(now.canvas.masks, low), notes={"kept": kept})
