"""The length prior: statistics about gap lengths, fitted to a checkpoint offline; read, checked, applied, written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InfillError
from app.length.sentences import Surroundings, typical
from models import folder_of
from models.catalogue import is_public_name
from models.denoiser import Floats, Ids

FILE = "length_bias.json"
"""Its name in a checkpoint's folder."""
_FORMAT = "infill-length-bias"
_VERSION = 1
HOW = "python -m app length fit --text FILE --model MODEL"


@dataclass(frozen=True, kw_only=True)
class LengthPrior:
    """Tables over lengths, which are interpolated, and a few numbers.

    The score of a length L is log p(L | lengths of the sentences around) + w_phi (phi(L) - B(L)) + w_seam (seam(L) -
    S(L)), in nats. p is normal in log L if a whole sentence is missing, and flat otherwise; B is CAL's length bias
    (arXiv:2602.00476), but subtracted and weighted; S is the same for the seam, see `app.length.probe`. A weight is 0
    if its evidence was not significant in the fit.
    """

    model: str
    holes: int  # number of holes in text that it was fitted on
    lengths: tuple[int, ...]  # [g] rising
    phi_bias: tuple[float, ...]  # [g] falling
    seam_bias: tuple[float, ...]  # [g] nats
    whole: tuple[float, float]  # w_phi, w_seam if a whole sentence is missing
    part: tuple[float, float]  # the same if the gap begins or ends inside a sentence
    centre: float  # mean log tokens of a sentence
    intercept: float  # mean log tokens of a missing one = intercept + slope * `typical` of those around it
    slope: float
    spread: float  # standard deviation about that

    def bias(self, lengths: Ids) -> Floats:
        """Return B [k]: the average confidence at a wrong length."""
        return np.interp(lengths, self.lengths, self.phi_bias)

    def score(self, lengths: Ids, phi: Floats, seam: Floats, around: Surroundings) -> Floats:
        """Return log-probabilities [k] of the candidates."""
        w_phi, w_seam = self.whole if around.whole else self.part
        evidence = w_phi * (phi - self.bias(lengths))
        evidence += w_seam * (seam - np.interp(lengths, self.lengths, self.seam_bias))
        return normalise(self.prior(lengths, around) + evidence)

    def uses_seam(self, around: Surroundings) -> bool:
        """Return whether the score depends on the seam here."""
        return (self.whole if around.whole else self.part)[1] != 0

    def prior(self, lengths: Ids, around: Surroundings) -> Floats:
        """Return log-probabilities [k] of the candidates before the model is asked."""
        if not around.whole:
            return np.full(len(lengths), -math.log(len(lengths)))
        expected = self.intercept + self.slope * typical(around.lengths, self.centre)
        logs = np.log(lengths)
        return normalise(-(((logs - expected) / self.spread) ** 2) / 2)  # highest at the median of lengths


def normalise(scores: Floats) -> Floats:
    """Return the scores [k] shifted so that their exponentials sum to 1."""
    shifted = scores - scores.max()
    return shifted - np.log(np.exp(shifted).sum())


_TABLE = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
UNFITTED = LengthPrior(
    model="",
    holes=0,
    lengths=_TABLE,
    phi_bias=tuple(math.exp(-1.77 * n) + 0.56 * math.exp(-0.06 * n) + 0.24 for n in _TABLE),
    seam_bias=(0.0,) * len(_TABLE),
    whole=(1.0, 0.0),
    part=(10.0, 0.0),
    centre=2.5,
    intercept=0.0,
    slope=1.0,
    spread=0.4,
)
"""For checkpoints without a file: CAL's constants for LLaDA, and sentences as long as their neighbours."""


def prior_of(name: str) -> tuple[LengthPrior, tuple[str, ...]]:
    """Return the prior in the folder of a loaded model, by the name that `models.load` takes; else UNFITTED, a notice.

    Raises InfillError if the file is broken, or if the folder has been removed since the model was loaded.
    """
    try:
        folder = folder_of(name)
    except ValueError:  # a folder that is gone, or a denoiser that does not come from `models.load`
        folder = None
    if (is_public_name(name) or len(Path(name).parts) > 1) and not (folder and folder.is_dir()):
        raise InfillError(
            f"the folder of '{name}' is gone, and 'auto' needs what was measured of the model: put it back, or give a "
            "number of masks"
        )
    if folder and (folder / FILE).exists():
        return read(folder / FILE), ()
    how = f"; fit it with `{HOW}`" if folder else ""
    return UNFITTED, (f"The length was chosen with constants that were not fitted to '{name}'{how}.",)


def write(prior: LengthPrior, path: Path) -> None:
    """Write a prior as JSON. Raises InfillError if it cannot be written."""
    data = {"format": _FORMAT, "version": _VERSION} | asdict(prior)
    try:
        path.write_text(json.dumps(_rounded(data), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InfillError(f"cannot write '{path}': {error.strerror}") from None


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return round(value, 5) if isinstance(value, float) else value


def read(path: Path) -> LengthPrior:
    """Read a prior. Raises InfillError, saying what is wrong, for a file that `write` did not write."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InfillError(f"cannot read '{path}': {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InfillError(f"'{path}' is not a valid length prior (not JSON: {error}); recreate it with {HOW}") from None
    if not isinstance(data, dict) or (data.pop("format", None), data.pop("version", None)) != (_FORMAT, _VERSION):
        raise InfillError(f"'{path}' is not a length prior of version {_VERSION}; recreate it with {HOW}")
    odd = _odd(data)
    if odd:
        raise InfillError(f"the length prior in '{path}' is broken at '{odd}'; recreate it with {HOW}")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return LengthPrior(**values)


def _odd(data: Mapping[str, Any]) -> str:
    """Return the first entry that is missing or wrong, or ''."""
    names = [field.name for field in fields(LengthPrior)]
    table = data.get("lengths")
    sizes = {name: len(table) if isinstance(table, list) else 0 for name in ("lengths", "phi_bias", "seam_bias")}
    sizes |= {"whole": 2, "part": 2}
    for name in (*names, *data):
        value: Any = data.get(name)
        if name == "model":
            good = isinstance(value, str)
        elif name in sizes:
            good = isinstance(value, list) and len(value) == sizes[name] > 0 and _numbers(value)
            good = good and (name != "lengths" or (value[0] >= 1 and bool((np.diff(value) > 0).all())))
        else:
            good = name in names and _numbers([value]) and (name != "spread" or value > 0)
        if not good:
            return name
    return ""


def _numbers(values: Sequence[Any]) -> bool:
    return all(type(value) in (int, float) and math.isfinite(value) for value in values)
