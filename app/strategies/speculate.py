"""Self-speculation: the same tokens in the same order, in fewer passes."""

from __future__ import annotations

from typing import Annotated

from app.sampling.step import Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(title="Asks several steps ahead", group="Probing", budget="schedule", ranks="tokens")
def speculate(
    now: Snapshot,
    *,
    ahead: Annotated[
        int, Knob(1, 8, "texts asked about in one pass: the next one and guesses at later ones; 1 guesses at none")
    ] = 4,
) -> Selection:
    """Commit what low_confidence would, but ask about several drafted canvases in one batched pass.

    If the belief about the canvas after this step is not known yet, that canvas is probed together with those that
    would follow if the current ranking held. Steps that come true cost nothing, so there are never more batched passes
    than steps, and usually fewer. At temperature 0 the trace is that of `low_confidence`, up to ties closer than batch
    rounding (about 1e-6 in fp32). Above it the distribution is the same, but drafts are redrawn in every step and
    seldom come true.

    After Gao et al., 2025, Self Speculative Decoding, arXiv:2510.04147

    Deviates: the idea is the paper's; the form is our own.
    """
    order, drafts = now.rank(now.prediction.confidence), now.prediction.candidates
    ends, left = [], now.remaining  # before the probe, which uses one up
    for steps in range(left, max(0, left - ahead), -1):
        done = ends[-1] if ends else 0
        ends.append(done - (done - len(order)) // steps)
    drafted = [now.canvas.commit(order[:end], drafts[order[:end]]) for end in ends if end < len(order)]
    # A denoiser that caches nothing, not even the current state, would have to be asked again.
    if drafted and now.forwards.knows(now.canvas) and not now.forwards.knows(drafted[0]):
        now.probe(drafted)
    else:
        drafted = []
    last = now.history[-1].selection.notes if now.history else {"accepted": -1.0, "drafted": 0.0}
    accepted = 1.0 if last["drafted"] else last["accepted"] + 1
    return Selection(commit=order[: ends[0]], notes={"accepted": accepted, "drafted": len(drafted)})
