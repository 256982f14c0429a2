"""Saber: commit faster as confidence grows, and remask tokens that have lost support."""

from __future__ import annotations

import itertools
from typing import Annotated

import numpy as np

from app.sampling.step import NONE, Selection, Snapshot
from app.strategies.registry import Knob, strategy
from models.denoiser import Floats, Ids

ROUNDING = 1e-6
"""A smaller fall of a probability is ignored: batches of different sizes differ by as much."""


@strategy(
    title="Takes back what lost ground",
    group="Second thoughts",
    budget="cap",
    least=lambda knobs: _least_steps(int(knobs["every"])),
    ranks="drafts",
)
def saber(
    now: Snapshot,
    *,
    fewest: Annotated[int, Knob(1, 8, "fewest tokens to write in a step")] = 2,
    part: Annotated[int, Knob(1, 32, "take back about one token for this many written in the step")] = 8,
    groups: Annotated[int, Knob(1, 8, "parts of the written tokens that a test hides in turn, all in one pass")] = 4,
    every: Annotated[
        int, Knob(1, 8, "steps from one test to the next; a test costs one pass, and a short run may have none")
    ] = 1,
) -> Selection:
    """Commit drafts surer than committed tokens were on average, and remask those that have lost most since.

    The threshold is the mean probability of all tokens when they were committed, including any remasked since and those
    written before the run. A test hides the committed tokens in random groups, all in one batch, and asks how probable
    each still is. Those that have lost most since the last test (or since their commit) are remasked, always fewer than
    the step commits.

    Dong et al., 2025, Saber, arXiv:2510.18165

    Deviates: the paper reads the probabilities of tokens that the model sees, which a model with a shift was never
    trained to judge; here a probe hides them. Only a token that has become less probable is remasked, and none that
    this very step commits; the released code asks for neither.
    """
    canvas, prediction = now.canvas, now.prediction
    masks, known = canvas.masks, np.flatnonzero(canvas.editable & ~canvas.masked)
    written = now.start.editable & ~now.start.masked
    at_commit = np.where(written, now.start.inherited, np.nan)
    for step in now.history:
        commit = step.selection.commit
        at_commit[commit] = step.prediction.confidence[commit]
    threshold = float(np.nanmean(at_commit)) if now.history or written.any() else 1.0
    order = now.rank(prediction.confidence)
    passed = int((prediction.confidence[masks] > threshold).sum())
    count, believed = max(passed, min(fewest, len(masks))), _believed(now)
    notes, remask = {"threshold": threshold, "passed": passed}, NONE

    def most_remasked() -> int:
        """Return how many tokens may be remasked: fewer than the step commits, and 0 if it ends the run."""
        committed = max(count, now.pace)
        return min(max(fewest // 2, -(-committed // part)), committed - 1) if committed < len(masks) else 0

    if len(known) and most_remasked() and (now.step - 1) % every == 0 and now.remaining - 1 > now.final_steps:
        lost = believed - _test(now, known, groups)
        believed -= lost
        by_loss = known[np.argsort(-lost[known], kind="stable")]
        remask = by_loss[lost[by_loss] > ROUNDING][: most_remasked()]
        notes["lost"] = float(lost[by_loss[0]])
    commit = order[: max(count, now.pace)]
    believed[commit] = prediction.confidence[commit]
    return Selection(commit=commit, remask=remask, notes=notes, carry=believed)


def _least_steps(every: int) -> int:
    """Return the least budget in which the first test, in step every + 1, comes before the last tenth."""
    return next(steps for steps in itertools.count(4) if steps - every > 1 + -(-steps // 10))


def _believed(now: Snapshot) -> Floats:
    """Return [length] how probable each token was in its last test, or when it was committed."""
    if not now.history:
        return now.start.inherited.copy()
    believed, last = now.carry, now.history[-1]
    believed[last.selection.commit] = last.prediction.confidence[last.selection.commit]
    return believed


def _test(now: Snapshot, known: Ids, groups: int) -> Floats:
    """Return [length] how probable the committed tokens are with their group hidden; elsewhere what was believed."""
    parts = np.array_split(now.rng.permutation(known), min(groups, len(known)))
    found = _believed(now)
    for hidden, probe in zip(
        parts, now.probe([now.canvas.remask(hidden) for hidden in parts], targets=now.canvas.ids), strict=True
    ):
        assert probe.log_targets is not None
        found[hidden] = np.exp(probe.log_targets[hidden])
    return found
