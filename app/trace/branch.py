"""From a state of a run, with a visitor's edits, to the start of another run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import InfillError, quoted
from app.sampling.canvas import Canvas
from app.sampling.start import Start
from app.trace.trace import Commits, Trace
from models.prediction import TOP

_KEYS = ("place", "take", "mask", "lock")


@dataclass(frozen=True)
class Edit:
    """A change of one place: take a candidate (which is locked then), mask it again, or lock what is written there.

    Raises InfillError unless it is exactly one of these.
    """

    place: int  # slot, from 0
    take: int | None = None  # rank of the candidate, from 0; see `branch_start`
    mask: bool = False
    lock: bool = False

    def __post_init__(self) -> None:
        for name, value in (("place", self.place), ("take", 0 if self.take is None else self.take)):
            if type(value) is not int or value < 0:
                raise InfillError(f"'{name}' of an edit must be a whole number from 0, not {quoted(value)}")
        if type(self.mask) is not bool or type(self.lock) is not bool:
            raise InfillError("'mask' and 'lock' of an edit must be true or false")
        wanted = (self.take is not None) + self.mask + (self.lock and self.take is None)
        if wanted != 1:
            raise InfillError(f"an edit of place {self.place + 1} must be one of take, mask and lock")

    @classmethod
    def from_json(cls, data: object) -> Edit:
        """Return an edit such as {"place": 4, "take": 1}. Raises InfillError that names the fault."""
        if not isinstance(data, Mapping) or "place" not in data:
            raise InfillError(f'an edit must be like {{"place": 4, "take": 1}}, not {quoted(data)}')
        for key in data:
            if key not in _KEYS:
                raise InfillError(f"an edit has no part {quoted(key)}, only {', '.join(_KEYS)}")
        return cls(**data)


def branch_start(trace: Trace, step: int, edits: Sequence[Edit] = ()) -> Start:
    """Return a start from the state after a step, 0 for the run's own start, with edits of places.

    The candidates of a masked place are those of the last step up to then in which the model was asked about it, those
    of a written place are those of the step that committed it, in the order of `list_candidates`. What the run's own
    start had locked stays locked unless it is edited. Words pinned by the text are written but not locked: the branch's
    text says whether they are pinned.
    Raises InfillError, counting places and candidates from 1, for edits that do not fit the state, and if nothing is
    masked after them.
    """
    if not trace.begun:
        raise InfillError("this run has not begun: branch it once its first state is there")
    if type(step) is not int or not 0 <= step <= len(trace.steps):
        raise InfillError(
            f"this run has the states 0 to {len(trace.steps)}, not {quoted(step)}: branch from one of these"
        )
    state, commits = trace.state(step), trace.commits(step)
    tokens, sure = _written(trace, state, commits)
    locked = set(trace.request.start.locked if trace.request.start else ())
    _check_places(trace, edits, locked)
    for edit in edits:
        if edit.take is not None:
            when = int(commits.when[state.slots[edit.place]])
            tokens[edit.place], sure[edit.place] = _candidate(trace, edit.place, edit.take, when, step)
            locked.add(edit.place)
        elif tokens[edit.place] is None:
            raise InfillError(f"place {edit.place + 1} is masked in this state: choose one that is written")
        elif edit.lock:
            locked.add(edit.place)
        else:
            tokens[edit.place], sure[edit.place] = None, 0.0
            locked.discard(edit.place)
    if None not in tokens:
        raise InfillError(
            "nothing is masked in this state, so there is nothing to continue: mask a place again, or branch from an"
            " earlier step"
        )
    ends = itertools.accumulate(map(len, state.gaps), initial=0)
    gaps = [slice(a, b) for a, b in itertools.pairwise(ends)]
    return Start(
        gaps=tuple(tuple(tokens[gap]) for gap in gaps),
        locked=tuple(sorted(locked)),
        confidence=tuple(tuple(sure[gap]) for gap in gaps),
    )


@dataclass(frozen=True, kw_only=True)
class Perturbed:
    """What became of a run of which some tokens were taken back: compared with the run itself, slot by slot."""

    taken: int  # tokens that were taken back
    direct: int  # of these, how many became another token in the end
    others: int  # slots of the span that were not taken back, written by then or not
    collateral: int  # of these, how many are another token in the end

    def __str__(self) -> str:
        return (
            f"taken back: {self.taken}, of which {self.direct} became another token (direct); of the {self.others} "
            f"other places {self.collateral} did (collateral)"
        )


def perturb(trace: Trace, step: int, share: float) -> list[Edit]:
    """Return the edits that take back a random share of what is written after a step: rounded, at least one token.

    The run's seed and the step decide which. What is pinned or locked stays. Raises InfillError if nothing else is
    written in that state.

    After the perturbations of arXiv:2604.23235
    """
    if not 0 < share <= 1:
        raise InfillError(f"the share to take back must be above 0 and at most 1, not {share}")
    if type(step) is not int or not 0 <= step <= len(trace.steps):
        raise InfillError(f"this run has the states 0 to {len(trace.steps)}, not {quoted(step)}: choose one of these")
    state = trace.state(step)
    written = state.places(np.flatnonzero(state.editable & ~state.masked))
    if not written:
        raise InfillError("nothing is written in this state that could be taken back: choose a later step")
    rng = np.random.default_rng([trace.request.seed, step])
    taken = rng.permutation(written)[: max(1, round(share * len(written)))]
    return [Edit(int(place), mask=True) for place in sorted(taken)]


def count_changes(trace: Trace, branch: Trace, edits: Sequence[Edit]) -> Perturbed:
    """Compare the end of a branch with that of the run that it comes from. Masks that are left count as no change.

    Above temperature 0 a branch draws anew, so some tokens would differ without any perturbation.
    """
    slots = trace.start.slots
    ends, starts = branch.canvas, trace.canvas
    known = ~(ends.masked | starts.masked)[slots] & trace.start.editable[slots]
    differs = (ends.ids != starts.ids)[slots] & known
    taken = np.zeros(len(slots), dtype=np.bool_)
    taken[[edit.place for edit in edits]] = True
    return Perturbed(
        taken=int(taken.sum()),
        direct=int((differs & taken).sum()),
        others=int((trace.start.editable[slots] & ~taken).sum()),
        collateral=int((differs & ~taken).sum()),
    )


def default_steps(trace: Trace, step: int, start: Start, *, least: int = 1, again: int = 0) -> int:
    """Return a budget for a branch: one step for each mask, or what the run had left after the step if that is less.

    What is left counts probes, as `Snapshot.remaining` does. `least` is the smallest budget of the branch's strategy.
    `again` is a number of masks for which the budget grows, so that they are written at the run's own pace.
    """
    masks = sum(token is None for gap in start.gaps for token in gap)
    used = max(step, trace.steps[step - 1].calls) if step else 0
    left = trace.request.steps - used - (-again * trace.request.steps // max(1, len(trace.start.masks)))
    return max(least, min(masks, left) if left >= least else masks)


def _written(trace: Trace, state: Canvas, commits: Commits) -> tuple[list[int | None], list[float]]:
    """Return the token of each slot in a state, None for a mask, and the confidence at which it was committed."""
    given = np.ones(len(state))  # what is pinned
    if start := trace.request.start:
        locked = state.slots[list(start.locked)]
        given[locked] = np.concatenate(start.confidence)[list(start.locked)]
    confidence = np.where(state.editable, commits.confidence, given)
    tokens: list[int | None] = []
    sure: list[float] = []
    for position in state.slots.tolist():
        masked = bool(state.masked[position])
        tokens.append(None if masked else int(state.ids[position]))
        sure.append(0.0 if masked else float(confidence[position]))
    return tokens, sure


def _check_places(trace: Trace, edits: Sequence[Edit], locked: set[int]) -> None:
    """Raise InfillError for an edit of a place that does not exist, is pinned by the text, or is edited twice."""
    given, seen = trace.start.pinned, set()
    for edit in edits:
        if edit.place >= len(given):
            raise InfillError(f"this run has no place {edit.place + 1}: its places are 1 to {len(given)}")
        if given[edit.place] and edit.place not in locked:
            raise InfillError(f"place {edit.place + 1} is pinned by the text: change the text instead")
        if edit.place in seen:
            raise InfillError(f"place {edit.place + 1} is edited twice: keep one of these edits")
        seen.add(edit.place)


def _candidate(trace: Trace, place: int, rank: int, when: int, step: int) -> tuple[int, float]:
    """Return a candidate's token and probability, from the step that committed the place or else the last that asked.

    `when` is the step that committed it, or 0. Raises InfillError if there is no such candidate.
    """
    position = int(trace.start.slots[place])
    written = not trace.state(step).masked[position]
    steps = ([when] if when else []) if written else range(step, 0, -1)
    for number in steps:
        prediction = trace.steps[number - 1].prediction
        kept = [at for at, token in enumerate(prediction.top_tokens[position, :TOP].tolist()) if token >= 0]
        if not kept:
            continue
        if rank >= len(kept):
            raise InfillError(f"place {place + 1} has {len(kept)} candidates in step {number}, and no {rank + 1}th")
        at = kept[rank]
        return int(prediction.top_tokens[position, at]), float(prediction.top_probs[position, at])
    why = "was written before this run" if written and not when else "has not been asked about by then"
    raise InfillError(f"place {place + 1} {why}, so it has no candidates: mask it again, or choose another place")
