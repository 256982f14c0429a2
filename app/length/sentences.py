"""The text around a gap: whether a whole sentence is missing, and how long its neighbours are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.sampling.canvas import Canvas
from models.denoiser import Ids, Vocabulary

_CLOSING = "\"'”’)]"
_OPENING = "\"'“‘(["


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the text on both sides of a gap, up to the next gap or the end, says about the gap."""

    whole: bool  # the gap begins where a sentence may begin and ends where one may end
    lengths: tuple[int, ...]  # tokens of each whole sentence around it


def surroundings(canvas: Canvas, gap: Ids, vocabulary: Vocabulary) -> Surroundings:
    """Read the text around a gap [n >= 1], which must be one run of positions."""
    first, last = int(gap[0]), int(gap[-1])
    holes = canvas.masks
    left, right = holes[holes < first], holes[holes > last]
    before = texts(canvas.ids[left[-1] + 1 if len(left) else 0 : first], vocabulary)
    after = texts(canvas.ids[last + 1 : right[0] if len(right) else len(canvas)], vocabulary)
    ends, later = boundaries(before), boundaries(after)
    starts_clean = not "".join(before).strip() or (bool(ends) and ends[-1] == len(before))
    opening = "".join(after[:3]).strip().lstrip(_OPENING)
    ends_clean = not opening or not opening[0].islower()
    lengths = [stop - start for start, stop in pairwise([0, *ends])]
    if ends_clean:
        lengths += [stop - start for start, stop in pairwise([0, *later])]
    return Surroundings(
        whole=starts_clean and ends_clean and opening[:1] not in (".", ",", "!", "?"), lengths=(*lengths,)
    )


def texts(ids: Sequence[int] | Ids, vocabulary: Vocabulary) -> list[str]:
    """Return the text of each token; empty for special ones."""
    return [
        "" if token in vocabulary.special_ids else vocabulary.token_bytes(token).decode("utf-8", "replace")
        for token in map(int, ids)
    ]


def boundaries(pieces: Sequence[str]) -> list[int]:
    """Return the places k, rising, where a sentence ends with piece k - 1; the text's end counts after a full stop."""
    return [
        k
        for k in range(1, len(pieces) + 1)
        if (k == len(pieces) or pieces[k][:1].isspace())
        and "".join(pieces[max(0, k - 3) : k]).rstrip().rstrip(_CLOSING).endswith((".", "!", "?"))
    ]


def typical(lengths: Sequence[int], centre: float, *, worth: float = 3.0) -> float:
    """Return the mean log length of sentences [k], shrunk to `centre` as if `worth` more sentences had that length."""
    return (float(np.log(lengths).sum()) + worth * centre) / (len(lengths) + worth) if lengths else centre
