"""Whether confidence can be trusted: the probability of the best guess against whether that token was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.settling import Settling
from app.trace.trace import Trace
from models.denoiser import Bools, Floats, Ids

BINS = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """Guesses in ten bins of their probability. Means are NaN for an empty bin, the error without any guess."""

    counts: Ids  # [10] guesses
    confidence: Floats  # [10] mean probability
    right: Floats  # [10] share that is right

    @property
    def guesses(self) -> int:
        """The number of guesses in all bins."""
        return int(self.counts.sum())

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |right - confidence| over bins, weighted by counts.

        Guo et al., 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599
        """
        if not self.guesses:
            return np.nan
        return float(np.nansum(self.counts * np.abs(self.right - self.confidence)) / self.guesses)


def calibrate(probabilities: Floats, right: Bools) -> Calibration:
    """Sort probabilities [n] into bins of equal width; 1 is in the last one."""
    places = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Calibration(
            counts=counts,
            confidence=np.bincount(places, weights=probabilities, minlength=BINS) / counts,
            right=np.bincount(places, weights=right, minlength=BINS) / counts,
        )


def calibration(trace: Trace, found: Settling) -> Calibration:
    """Compare the best guess at every masked slot in every step with the token that stands there in the end.

    The final text is the run's own, not a true one: this says how soon a run can be believed, not how well it writes.
    A slot counts once a step, so guesses are not independent of each other.
    """
    at = trace.start.slots[found.places]
    shape = found.open.shape
    # Four digits, which a recorded trace has: both are sorted into the same bins.
    tops = [step.prediction.top_probs[at, 0].round(4) for step in trace.steps]
    best = [step.prediction.top_tokens[at, 0] for step in trace.steps]
    right = np.array(best, dtype=np.int64).reshape(shape) == found.tokens
    return calibrate(np.array(tops).reshape(shape)[found.open], right[found.open])
