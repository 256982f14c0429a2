"""The record of how the number of masks in a gap was chosen, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from models.denoiser import Floats, Ids

MOST = 512
"""Most lengths that a record may hold."""
_WHOLE = ("lengths", "tried")
_SERIES = {"lengths": "lengths", "phi": "lengths", "bias": "lengths", "score": "lengths", "tried": "tried"}
_SERIES |= {"rerank": "tried"}


@dataclass(frozen=True)
class Passes:
    """What forward passes cost."""

    rows: int = 0  # canvases that went through the network
    calls: int = 0  # batches in which they did
    seconds: float = 0.0  # without the time that the caller took between passes; 0 if it was not measured

    def __add__(self, other: Passes) -> Passes:
        return Passes(self.rows + other.rows, self.calls + other.calls, self.seconds + other.seconds)


@dataclass(frozen=True, eq=False, kw_only=True)
class LengthChoice:
    """The scores of all candidate lengths, and the rank of the few that were decoded."""

    lengths: Ids  # [k] candidate numbers of masks, ascending
    phi: Floats  # [k] mean confidence over the masks after one forward pass
    bias: Floats  # [k] mean of phi over texts in which the length is wrong
    score: Floats  # [k] the probe's score of each length; larger is better
    tried: Ids  # [t] lengths that were decoded, best score first
    rerank: Floats  # [t] scores of their fills; larger is better
    chosen: int
    rule: str  # what ranked the fills
    rows: int  # canvases through the network: the probe, every decode (rejected ones too) and the ranking
    calls: int  # batched forward passes that these took
    seconds: float = 0.0  # that it took; 0 if it was not measured
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise InfillError if the fields contradict each other."""
        if not 0 < len(self.lengths) <= MOST or len(self.tried) < 1:
            raise InfillError(f"a length choice needs 1 to {MOST} lengths, and at least one that was tried")
        for name, other in _SERIES.items():
            values = getattr(self, name)
            if values.ndim != 1 or len(values) != len(getattr(self, other)) or not np.isfinite(values).all():
                raise InfillError(f"'{name}' of a length choice must have one finite number for each of its '{other}'")
        if self.lengths[0] < 1 or (np.diff(self.lengths) <= 0).any():
            raise InfillError("the lengths of a length choice must ascend, from 1 or more")
        if not np.isin(self.tried, self.lengths).all() or self.chosen not in self.tried:
            raise InfillError("a length choice tried a length that is not a candidate, or chose one that was not tried")
        if not 0 <= self.calls <= self.rows:
            raise InfillError("a length choice must have at least as many rows as calls, and neither below 0")
        if not 0 <= self.seconds < float("inf"):
            raise InfillError("the seconds of a length choice must be a number of 0 or more")

    @property
    def passes(self) -> Passes:
        """What the choice cost."""
        return Passes(self.rows, self.calls, self.seconds)

    def describe(self, gap: int) -> str:
        """Describe the choice in a sentence; `gap` is the gap's number, from 0."""
        others = ", ".join(str(length) for length in self.tried if length != self.chosen)
        masks = "1 mask" if self.chosen == 1 else f"{self.chosen} masks"
        spent = f"{self.rows} canvases in {self.calls} forward passes"
        if self.seconds:
            spent = f"{self.rows} canvases in {self.calls} forward passes and {self.seconds:.1f} s"
        if others:
            return f"Gap {gap + 1}: {masks}, chosen over {others}; the choice took {spent}."
        return f"Gap {gap + 1}: {masks}; the choice took {spent}."


def to_json(choice: LengthChoice) -> dict[str, Any]:
    """Return the choice as plain numbers and lists, rounded to six decimals; `seconds` is left out if it is 0."""
    data = {field.name: getattr(choice, field.name) for field in fields(LengthChoice)}
    for name in _SERIES:
        data[name] = data[name].tolist() if name in _WHOLE else data[name].round(6).tolist()
    seconds = round(data.pop("seconds"), 6)
    return data | {"notices": list(choice.notices)} | ({"seconds": seconds} if seconds else {})


def from_json(data: object) -> LengthChoice:
    """Return the choice that `to_json` wrote. Raises InfillError that names the broken field."""
    names = [field.name for field in fields(LengthChoice)]
    if not isinstance(data, Mapping) or set(data) | {"seconds"} != set(names):
        raise InfillError(f"a length choice must have exactly the fields {', '.join(names)}")
    for name in data:
        _check(name, data[name])
    series = {name: np.array(data[name], dtype=np.int64 if name in _WHOLE else np.float64) for name in _SERIES}
    return LengthChoice(**{**data, **series, "notices": tuple(data["notices"])})


def _check(name: str, value: Any) -> None:
    """Raise InfillError if a field of a length choice is not of the type that `to_json` writes."""
    if name == "rule" or name == "notices":
        good = isinstance(value, str) if name == "rule" else _is_list_of(value, str)
    elif name in _SERIES:
        good = _is_list_of(value, int if name in _WHOLE else (int, float)) and len(value) <= MOST
    elif name == "seconds":
        good = type(value) in (int, float)
    else:
        good = type(value) is int
    if not good:
        raise InfillError(f"'{name}' of a length choice is not of the right type: {quoted(value)}")


def _is_list_of(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in value)
