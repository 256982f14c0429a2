"""CORE: written tokens are put to the test, and the one that fails is replaced."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from app.sampling.step import NONE, Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(budget="cap", least=4)
def core(
    now: Snapshot,
    *,
    every: Annotated[int, Knob(1, 16, "steps from one test to the next, in the middle half of the run")] = 2,
    rate: Annotated[
        float, Knob(0.05, 1.0, "part of the written tokens that is tested: those written least surely")
    ] = 0.5,
    replaced: Annotated[int, Knob(1, 8, "how many tokens a test may replace")] = 1,
    sure: Annotated[float, Knob(0.0, 1.0, "probability that the new token must have")] = 0.3,
) -> Selection:
    """Commit an equal share each step; between, hide unsure written tokens together, and replace the shakiest.

    A test hides the tokens that were written with the least margin, all in one pass of its own, so that none can lean
    on another. One that is no longer the model's first choice, while the new first choice is probable enough, is shaky
    by -log of its own probability. The shakiest are written anew at once, and the step goes on as in `low_confidence`.
    The passes of the tests are set aside from the start. The paper takes the present margins of written tokens, which a
    model with a shift was never trained to give; here they are those of the time of writing.

    CORE, Context-Robust Remasking, 2026, arXiv:2602.04096
    """
    canvas, prediction = now.canvas, now.prediction
    margins = np.where(canvas.masked, prediction.margin, now.carry)
    host = max(h for h in range(1, min(now.steps, len(canvas.span)) + 1) if h + len(_tests(h, every)) <= now.steps)
    bad, best, probability, notes = NONE, NONE, np.empty(0), {}
    if now.step - 1 in _tests(host, every) and now.remaining - 1 > now.final_steps:
        known = np.flatnonzero(canvas.editable & ~canvas.masked)
        tested = known[np.argsort(margins[known], kind="stable")][: math.ceil(rate * len(known))]
        (probe,) = now.probe([canvas.remask(tested)], targets=canvas.ids)
        assert probe.log_targets is not None
        shaky = (probe.top_tokens[:, 0] != canvas.ids) & (probe.top_probs[:, 0] >= sure)
        order = tested[np.argsort(probe.log_targets[tested], kind="stable")]
        bad = order[shaky[order]][: min(replaced, _share(now, host))]
        best, probability, margins[bad] = probe.top_tokens[bad, 0], probe.top_probs[bad, 0], probe.margin[bad]
        notes = {"tested": len(tested), "replaced": len(bad), "instability": -float(probe.log_targets[order[0]])}
    new = now.rank(prediction.confidence)[: _share(now, host)]
    return Selection(
        commit=np.concatenate([bad, new]),
        tokens=np.concatenate([best, prediction.candidates[new]]),
        confidence=np.concatenate([probability, prediction.confidence[new]]),
        remask=bad,
        notes=notes,
        carry=margins,
    )


def _tests(host: int, every: int) -> range:
    """After how many steps there is a test, of the `host` that commit."""
    return range(-(-host // 4), -(-3 * host // 4), every)


def _share(now: Snapshot, host: int) -> int:
    """The step's equal share, or what the budget's pace asks for."""
    return max(now.pace, -(-len(now.canvas.masks) // max(1, host - now.step + 1)))
