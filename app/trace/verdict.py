"""What there is to say about a run, in one line and two numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.trace.trace import Trace
from models.denoiser import Ids

UNSURE = 0.3
"""A token that was written at a lower probability is worth a word."""
KNOWN = 2
"""Fewest steps for which the last guess must have been known to be worth a word."""
_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@dataclass(frozen=True)
class Rates:
    """Tokens that a run has written for each second; None before any time has passed."""

    effective: float | None  # of all its seconds, those of choosing the number of masks included
    in_step: float | None  # of the seconds of decoding alone


def rates(trace: Trace) -> Rates:
    """Return how fast a run wrote the tokens that stand in its last state; given and inherited ones do not count."""
    written = len(_written(trace))
    whole = trace.seconds + trace.choosing.seconds
    return Rates(
        effective=written / whole if whole > 0 else None,
        in_step=written / trace.seconds if trace.seconds > 0 else None,
    )


def verdict(trace: Trace) -> str:
    """Return a line such as "Done in 6 of 16 passes; three tokens were written below 30 %."

    It says how the run ended, and then what is worth a word:

    - Passes are batched forward passes of decoding, probes included, of the step budget. Those of choosing the number
      of masks have a clause of their own. The passes of a branch are counted from the branch on.
    - Tokens written below 30 % are those of the last state that the run itself wrote, by their probability when they
      were last written.
    - Tokens taken back are those of the last state that some step masked again. They were replaced if the token that
      stands there is not the one that was written, or inherited, first. A draft that changes before it is written is
      no second thought: nearly all do.
    - The last guess are the tokens that the last step wrote, in a run that is complete. It was known for n steps if
      each of the n steps right before that had all of them as drafts; fewer than two steps are left out.
    """
    clauses = [_ending(trace)]
    if trace.begun:
        clauses += [_choice(trace), _unsure(trace), _taken_back(trace), _known_before(trace)]
    return "; ".join(filter(None, clauses)) + "."


def _ending(trace: Trace) -> str:
    """Return how the run ended, or that it goes on, with the passes it took."""
    how = {"complete": "Done", "stopped": "Stopped", "time limit": "Out of time", "running": "Running"}[trace.ended]
    if trace.origin:
        how = f"Branched from step {trace.origin.step}: {how.lower()}"
    if not trace.begun:
        spent = trace.choosing.calls
        if trace.ended == "running":
            return f"Choosing the number of masks, {_passes(spent)} so far" if spent else "Waiting to begin"
        if not spent:
            return f"{how} before it began"
        return f"{how} while the number of masks was being chosen, after {_passes(spent)}"
    budget = trace.request.steps
    left = trace.masks_left[-1]
    if trace.by != "diffusion":
        taken = _passes(trace.calls)  # the budget is not the parent's
    elif trace.calls == budget:
        taken = f"all {budget} passes" if budget > 1 else "one pass"
    else:
        taken = f"{trace.calls} of {_passes(budget)}"
    if trace.ended == "complete":
        return f"{how} in {taken}"
    return f"{how} after {taken}, with {_count(left, 'mask')} left"


def _choice(trace: Trace) -> str:
    if not trace.choices:
        return ""
    took = _passes(trace.choosing.calls)
    if len(trace.choices) > 1:
        return f"choosing the numbers of masks took {took} more"
    return f"choosing the number of masks took {took} more"


def _unsure(trace: Trace) -> str:
    # A recorded trace has four digits, and must get the same verdict.
    below = int((trace.commits().confidence[_written(trace)].round(4) < UNSURE).sum())
    return f"{_were(below, 'token')} written below {UNSURE:.0%}".replace("%", " %") if below else ""


def taken_back(trace: Trace) -> tuple[int, int]:
    """Return how many tokens of the last state were taken back, and how many of them were replaced; see `verdict`."""
    first = np.where(trace.start.masked, -1, trace.start.ids)
    taken = np.zeros(len(first), dtype=np.bool_)
    for step in trace.steps:
        taken[step.selection.remask] = True
        commit = step.selection.commit
        first[commit] = np.where(first[commit] < 0, step.canvas.ids[commit], first[commit])
    written = _written(trace)
    back = written[taken[written]]
    return len(back), int((trace.canvas.ids[back] != first[back]).sum())


def _taken_back(trace: Trace) -> str:
    back, replaced = taken_back(trace)
    if not back:
        return ""
    were = _were(back, "token")
    if not replaced:
        return f"{were} taken back and written again unchanged"
    if replaced == back:
        return f"{were} taken back and replaced"
    return f"{were} taken back, {_word(replaced)} of them replaced"


def _known_before(trace: Trace) -> str:
    """Return for how many steps the last guess had been known."""
    if trace.ended != "complete" or not trace.steps:
        return ""
    last = trace.steps[-1].selection.commit
    tokens, steps = trace.canvas.ids[last], 0
    for number in range(len(trace.steps) - 1, 0, -1):
        prediction = trace.steps[number - 1].prediction
        asked = trace.state(number - 1).masked[last] & (prediction.top_tokens[last, 0] >= 0)
        if not (asked & (prediction.candidates[last] == tokens)).all():
            break
        steps += 1
    if not len(last) or steps < KNOWN:
        return ""
    what = "the last guess" if len(last) == 1 else f"the last {_word(len(last))} guesses"
    return f"{what} had been known for {_word(steps)} steps"


def _written(trace: Trace) -> Ids:
    """Return the positions that hold a token which the run itself wrote."""
    return np.flatnonzero(trace.commits().when > 0)


def _word(count: int) -> str:
    return _WORDS[count] if count < len(_WORDS) else str(count)


def _count(count: int, name: str) -> str:
    return f"{_word(count)} {name}{'s' * (count != 1)}"


def _were(count: int, name: str) -> str:
    return f"{_count(count, name)} {'was' if count == 1 else 'were'}"


def _passes(count: int) -> str:
    return f"{count} pass{'es' * (count != 1)}"
