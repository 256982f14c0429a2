"""What a run took back, and how much its guesses changed before it wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.settling import Settling
from app.trace.trace import Trace
from app.trace.verdict import taken_back


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """Counts of second thoughts."""

    remasked: int  # times that a token was masked again
    taken_back: int  # tokens of the last state that some step had masked again
    replaced: int  # those of them that are other tokens now than at first
    changes: float  # mean changes of the best guess of a masked slot from one step to the next, a token


def revisions(trace: Trace, found: Settling) -> Revisions:
    """Count what was taken back, and how much the best guesses changed."""
    back, replaced = taken_back(trace)
    both = found.open[1:] & found.open[:-1]
    changed = both & (found.guesses[1:] != found.guesses[:-1])
    return Revisions(
        remasked=sum(len(step.selection.remask) for step in trace.steps),
        taken_back=back,
        replaced=replaced,
        changes=float(changed.sum() / len(found.places)) if len(found.places) else np.nan,
    )
