"""Saber: faster as it grows surer, and back where a token has lost its support."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from app.sampling.step import NONE, Selection, Snapshot
from app.strategies.registry import Knob, strategy
from models.denoiser import Floats, Ids

ROUNDING = 1e-6
"""A probability that has fallen by no more has not fallen: passes of other batches differ by so much."""


@strategy(budget="cap", least=lambda knobs: _least(int(knobs["every"])))
def saber(
    now: Snapshot,
    *,
    fewest: Annotated[int, Knob(1, 8, "how many to commit where fewer pass the threshold")] = 2,
    part: Annotated[int, Knob(1, 32, "at most one token is taken back for so many committed ones")] = 8,
    groups: Annotated[int, Knob(1, 8, "canvases of a test; each hides another part of the written tokens")] = 4,
    every: Annotated[
        int, Knob(1, 8, "steps from one test to the next; each is a pass of its own; a short run may end before one")
    ] = 1,
) -> Selection:
    """Commit drafts surer than the written ones were on average, and take back what has since lost most.

    The threshold is the mean probability of all tokens when they were written, also of those taken back since. A test
    hides the written tokens in random groups, all in one batch, and asks how probable each still is; those that have
    lost most since they were last asked about are masked again, always fewer than the step commits. The paper reads
    this off tokens that the model sees, which a model with a shift was never trained to judge.

    Dong et al., 2025, Saber, arXiv:2510.18165
    """
    canvas, prediction = now.canvas, now.prediction
    masks, known = canvas.masks, np.flatnonzero(canvas.editable & ~canvas.masked)
    when_written = np.full(len(canvas), np.nan)
    for step in now.history:
        commit = step.selection.commit
        when_written[commit] = step.prediction.confidence[commit]
    threshold = float(np.nanmean(when_written)) if now.history else 1.0
    order = now.rank(prediction.confidence)
    passed = int((prediction.confidence[masks] > threshold).sum())
    count, believed = max(passed, min(fewest, len(masks))), now.carry
    notes, back = {"threshold": threshold, "passed": passed}, NONE

    def most() -> int:
        """Tokens that may be taken back: none where the step ends the run, and fewer than it commits."""
        committed = max(count, now.pace)
        return min(max(fewest // 2, -(-committed // part)), committed - 1) if committed < len(masks) else 0

    if len(known) and most() and (now.step - 1) % every == 0 and now.remaining - 1 > now.final_steps:
        lost = believed - _tested(now, known, groups)
        believed -= lost
        order_lost = known[np.argsort(-lost[known], kind="stable")]
        back = order_lost[lost[order_lost] > ROUNDING][: most()]
        notes["lost"] = float(lost[order_lost[0]])
    commit = order[: max(count, now.pace)]
    believed[commit] = prediction.confidence[commit]
    return Selection(commit=commit, remask=back, notes=notes, carry=believed)


def _least(every: int) -> int:
    """Steps with which the first test, in step every + 1, comes before the last tenth."""
    return next(steps for steps in itertools.count(4) if steps - every > 1 + -(-steps // 10))


def _tested(now: Snapshot, known: Ids, groups: int) -> Floats:
    """[length] how probable the written tokens are now, each without its group; elsewhere what was kept."""
    parts = np.array_split(now.rng.permutation(known), min(groups, len(known)))
    found = now.carry
    for hidden, probe in zip(
        parts, now.probe([now.canvas.remask(hidden) for hidden in parts], targets=now.canvas.ids), strict=True
    ):
        assert probe.log_targets is not None
        found[hidden] = np.exp(probe.log_targets[hidden])
    return found
