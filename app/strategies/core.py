"""CORE: committed tokens are tested, and those that fail are replaced."""

from __future__ import annotations

import itertools
import math
from typing import Annotated

import numpy as np

from app.sampling.step import NONE, Selection, Snapshot
from app.strategies.registry import Knob, strategy


@strategy(
    title="Replaces what fails a test",
    group="Second thoughts",
    budget="cap",
    least=lambda knobs: _least_steps(int(knobs["every"])),
    ranks="drafts",
)
def core(
    now: Snapshot,
    *,
    every: Annotated[int, Knob(1, 16, "steps from one test to the next, in the middle half of the run")] = 2,
    rate: Annotated[
        float,
        Knob(0.05, 1.0, "share of the written tokens to test, those with the smallest leads over the second choice"),
    ] = 0.5,
    replaced: Annotated[int, Knob(1, 8, "most tokens that a test may replace")] = 1,
    sure: Annotated[float, Knob(0.0, 1.0, "a replacement must be at least this probable")] = 0.3,
) -> Selection:
    """Commit an equal share each step; now and then, hide the least sure tokens and replace the most unstable.

    A test hides the tokens that were committed with the smallest margins, all in one probe, so that none can support
    another. A token fails if it is no longer the model's first choice and the new first choice is probable enough; its
    instability is -log of its own probability. The most unstable tokens that fail are replaced at once, and the step
    continues as in `low_confidence`. Passes for the tests are reserved from the start. With C steps that commit, the
    test comes after step i if i is a multiple of `every`, at least C / 4 and less than 3 C / 4, both rounded down.

    CORE, Context-Robust Remasking, 2026, arXiv:2602.04096

    Deviates: the margins are those at the time of commit, because a model with a shift was never trained to judge a
    token that it sees. A test hides a share of the written tokens instead of 32, and those at the end of a gap as well,
    where the released code spares the last 16 of a block.
    """
    canvas, prediction = now.canvas, now.prediction
    # A token that was written before the run counts with the least margin that its confidence allows.
    known = now.carry if now.history else np.maximum(0.0, 2 * now.start.inherited - 1)
    margins = np.where(canvas.masked, prediction.margin, known)
    commits = _commit_steps(now, every)
    replace, best, probability, notes = NONE, NONE, np.empty(0), {}
    if now.step - 1 in _test_steps(commits, every) and now.remaining - 1 > now.final_steps:
        committed = np.flatnonzero(canvas.editable & ~canvas.masked)
        tested = committed[np.argsort(margins[committed], kind="stable")][: math.ceil(rate * len(committed))]
        (probe,) = now.probe([canvas.remask(tested)], targets=canvas.ids)
        assert probe.log_targets is not None
        failed = (probe.top_tokens[:, 0] != canvas.ids) & (probe.top_probs[:, 0] >= sure)
        order = tested[np.argsort(probe.log_targets[tested], kind="stable")]
        replace = order[failed[order]][: min(replaced, _share(now, commits))]
        best, probability = probe.top_tokens[replace, 0], probe.top_probs[replace, 0]
        margins[replace] = probe.margin[replace]
        notes = {"tested": len(tested), "replaced": len(replace), "instability": -float(probe.log_targets[order[0]])}
    new = now.rank(prediction.confidence)[: _share(now, commits)]
    return Selection(
        commit=np.concatenate([replace, new]),
        tokens=np.concatenate([best, prediction.candidates[new]]),
        confidence=np.concatenate([probability, prediction.confidence[new]]),
        remask=replace,
        own=np.arange(len(replace) + len(new)) < len(replace),
        notes=notes,
        carry=margins,
    )


def _commit_steps(now: Snapshot, every: int) -> int:
    """Return the largest number of steps that leaves room in the budget for their tests."""
    return _most_commits(now.steps, min(now.steps, now.masks_at_start), every)


def _most_commits(budget: int, most: int, every: int) -> int:
    return max(steps for steps in range(1, most + 1) if steps + len(_test_steps(steps, every)) <= budget)


def _test_steps(commits: int, every: int) -> range:
    """Return the numbers of the steps, out of `commits`, that a test follows."""
    first = max(1, -(-(commits // 4) // every)) * every
    return range(first, 3 * commits // 4, every)


def _least_steps(every: int) -> int:
    """Return the least budget in which a test has room, and what it replaces comes before the last tenth."""
    return next(
        budget
        for budget in itertools.count(4)
        for tests in [_test_steps(_most_commits(budget, budget, every), every)]
        if tests and budget - tests[0] > 1 + -(-budget // 10)
    )


def _share(now: Snapshot, commits: int) -> int:
    """Return the number of positions to commit: an equal share, or the budget's pace if that is larger."""
    return max(now.pace, -(-len(now.canvas.masks) // max(1, commits - now.step + 1)))
