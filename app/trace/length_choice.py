"""The record of how a gap's number of masks was chosen, and its form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from app.errors import InfillError
from models.denoiser import Floats, Ids

MOST = 512
"""Lengths that a record may hold."""
_WHOLE = ("lengths", "tried", "chosen", "rows", "calls")
_SERIES = {"lengths": "lengths", "phi": "lengths", "bias": "lengths", "score": "lengths", "tried": "tried"}
_SERIES |= {"rerank": "tried"}


@dataclass(frozen=True, eq=False, kw_only=True)
class LengthChoice:
    """The curve over all candidate lengths, and what the few that were written out came to."""

    lengths: Ids  # [k] candidate numbers of masks, rising
    phi: Floats  # [k] mean confidence over the masks after one forward pass
    bias: Floats  # [k] what phi is on average where the length is wrong
    score: Floats  # [k] what the probe makes of a length; larger is better
    tried: Ids  # [t] lengths that were decoded, best score first
    rerank: Floats  # [t] what their fills came to; larger is better
    chosen: int
    rule: str  # how the fills were ranked
    rows: int  # canvases in forward passes: the probe, every decode, the losers' included, and the ranking
    calls: int  # forward passes, in which several canvases may be rows of one batch
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InfillError where the series do not fit together."""
        if not 0 < len(self.lengths) <= MOST or len(self.tried) < 1:
            raise InfillError(f"a choice of length needs 1 to {MOST} lengths, and one that was tried")
        for name, other in _SERIES.items():
            values = getattr(self, name)
            if values.ndim != 1 or len(values) != len(getattr(self, other)) or not np.isfinite(values).all():
                raise InfillError(f"the '{name}' of a choice of length must be a number for each of its {other}")
        if self.lengths[0] < 1 or (np.diff(self.lengths) <= 0).any():
            raise InfillError("the lengths of a choice must rise, from 1 or more")
        if not np.isin(self.tried, self.lengths).all() or self.chosen not in self.tried:
            raise InfillError("a length was tried that is no candidate, or chosen that was not tried")
        if not 0 <= self.calls <= self.rows:
            raise InfillError("a forward pass has at least one row")

    def describe(self, gap: int) -> str:
        """In words, of the gap of that number, from 0."""
        others = ", ".join(str(length) for length in self.tried if length != self.chosen)
        instead = f", rather than {others}" if others else ""
        spent = f"{self.rows} rows in {self.calls} forward passes"
        return f"Gap {gap + 1}: {self.chosen} mask{'s' * (self.chosen != 1)}{instead}; chosen with {spent}."


def to_json(choice: LengthChoice) -> dict[str, Any]:
    """Plain numbers and lists; series are rounded to six decimals."""
    data = {field.name: getattr(choice, field.name) for field in fields(LengthChoice)}
    for name in _SERIES:
        data[name] = data[name].tolist() if name in _WHOLE else data[name].round(6).tolist()
    return data | {"notices": list(choice.notices)}


def from_json(data: object) -> LengthChoice:
    """What `to_json` made. Raises InfillError, saying what is broken."""
    names = [field.name for field in fields(LengthChoice)]
    if not isinstance(data, Mapping) or set(data) != set(names):
        raise InfillError(f"a choice of length must have exactly {', '.join(names)}")
    for name in names:
        _check(name, data[name])
    series = {name: np.array(data[name], dtype=np.int64 if name in _WHOLE else np.float64) for name in _SERIES}
    return LengthChoice(**{**data, **series, "notices": tuple(data["notices"])})


def _check(name: str, value: Any) -> None:
    if name == "rule" or name == "notices":
        good = isinstance(value, str) if name == "rule" else _all(value, str)
    elif name in _SERIES:
        good = _all(value, int if name in _WHOLE else (int, float)) and len(value) <= MOST
    else:
        good = type(value) is int
    if not good:
        raise InfillError(f"the '{name}' of a choice of length is {str(value)[:40]!r}, which no recording holds")


def _all(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in value)
