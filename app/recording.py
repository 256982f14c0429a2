"""Traces to and from JSON: a recorded run is replayed without a model."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from app.canvas import Canvas
from app.errors import InfillError
from app.request import InfillRequest
from app.step import Selection, Step
from app.trace import Trace
from models.denoiser import Floats, Ids
from models.prediction import TOP, Prediction

FORMAT = "infill-trace"
VERSION = 2
_MAX_CHARACTERS = 16_000_000
_MAX_TOKENS = 8192  # of a canvas
_MAX_CELLS = 600_000  # steps times canvas: what a trace takes in memory
_DERIVED = ("text", "fill")  # written for people who read the file; not read back
_REQUEST_FIELDS = tuple(InfillRequest.__dataclass_fields__)


def dump(trace: Trace) -> str:
    """The trace as JSON text; positions are counted from the start of the span, probabilities have four digits."""
    request = {name: getattr(trace.request, name) for name in _REQUEST_FIELDS} | {"knobs": dict(trace.request.knobs)}
    first = int(trace.start.span[0])
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": trace.model,
        "request": request,
        "notices": list(trace.notices),
        "ended": trace.ended,
        "text": trace.text,
        "fill": trace.fill,
        "mask_id": trace.start.mask_id,
        "prefix_ids": trace.start.ids[:first].tolist(),
        "suffix_ids": trace.start.ids[trace.start.span[-1] + 1 :].tolist(),
        "length": len(trace.start.span),
        "lexicon": {str(token): _bytes_to_json(text) for token, text in sorted(trace.lexicon.items())},
        "steps": [_step_to_json(step, trace.start, first) for step in trace.steps],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _step_to_json(step: Step, start: Canvas, first: int) -> dict[str, Any]:
    prediction, span = step.prediction, start.span
    # A strategy that takes a token back and writes another at once chooses where the model was not asked.
    asked = span[(prediction.top_tokens[span, 0] >= 0) | np.isin(span, step.selection.commit)]
    return {
        "commit": (step.selection.commit - first).tolist(),
        "tokens": step.canvas.ids[step.selection.commit].tolist(),
        "remask": (step.selection.remask - first).tolist(),
        "notes": {name: _rounded(value) for name, value in step.selection.notes.items()},
        "nfe": step.nfe,
        "calls": step.calls,
        "seconds": round(step.seconds, 6),
        "model_seconds": round(step.model_seconds, 6),
        "asked": (asked - first).tolist(),
        "candidates": prediction.candidates[asked].tolist(),
        "confidence": prediction.confidence[asked].round(4).tolist(),
        "entropy": prediction.entropy[asked].round(4).tolist(),
        "top_tokens": prediction.top_tokens[asked].tolist(),
        "top_probs": prediction.top_probs[asked].round(4).tolist(),
    }


def _rounded(value: float) -> float:
    return round(float(value), 6) if math.isfinite(value) else 0.0


def _bytes_to_json(text: bytes) -> str | list[int]:
    """Text where the bytes are text, else the bytes as numbers (part of a character)."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return list(text)


def load(content: str) -> Trace:
    """The trace of a JSON text. Raises InfillError, saying what is broken, for anything that `dump` did not write.

    Numpy takes much for a number that is none ("3", 3.7, one for many), so the result is written again and compared.
    """
    if len(content) > _MAX_CHARACTERS:
        raise InfillError(f"this file has more than {_MAX_CHARACTERS:,} characters; a trace never does")
    try:
        data = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # a ValueError also for a number of thousands of digits
        raise InfillError(f"this is not a trace: it is not JSON ({error}); open one that was downloaded here") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InfillError("this JSON file is not a trace; open a file that 'Download trace' or 'infill --json' wrote")
    if data.get("version") != VERSION:
        raise InfillError(f"this trace has version {data.get('version')!r}, not {VERSION}; record it anew")
    try:
        trace = _trace_from_json(data)
        written = json.loads(dump(trace).encode())  # encoded, because lone surrogates are no text
        odd = [name for name in written if name not in _DERIVED and written[name] != data[name]]
    except InfillError as error:
        raise InfillError(f"this trace is broken: {error}") from None
    except (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise InfillError(f"this trace is broken: {type(error).__name__} {error}; record it anew") from None
    if odd:
        raise InfillError(f"this trace is broken: '{odd[0]}' does not hold what a recording holds; record it anew")
    return trace


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _trace_from_json(data: dict[str, Any]) -> Trace:
    request = InfillRequest(**{name: data["request"][name] for name in _REQUEST_FIELDS})
    mask_id, length = int(_ids(data["mask_id"])[0]), int(data["length"])
    if length != request.length or len(data["steps"]) > request.steps:
        raise InfillError("it has other masks or more steps than were asked for")
    prefix, suffix = _ids(data["prefix_ids"]), _ids(data["suffix_ids"])
    if not len(prefix) or len(prefix) + length + len(suffix) > _MAX_TOKENS:
        raise InfillError(f"a canvas has 1 token before the span or more, and at most {_MAX_TOKENS} in all")
    if len(data["steps"]) * (len(prefix) + length + len(suffix)) > _MAX_CELLS:
        raise InfillError(f"steps times canvas length must be at most {_MAX_CELLS:,}")
    ids = np.concatenate([prefix, np.full(length, mask_id), suffix])
    editable = np.zeros(len(ids), dtype=np.bool_)
    editable[len(prefix) : len(prefix) + length] = True
    start = Canvas(ids=ids, editable=editable, masked=editable.copy(), mask_id=mask_id)
    # A list, because bytes(text) of a number would make so many zeros.
    lexicon = {
        int(token): text.encode() if isinstance(text, str) else bytes(list(text))
        for token, text in data["lexicon"].items()
    }
    canvas, steps = start, []
    for record in data["steps"]:
        commit, remask = start.span[_ids(record["commit"])], start.span[_ids(record["remask"])]
        if canvas.masked[remask].any() or len(set(remask.tolist())) < len(remask):
            raise InfillError("a position is remasked that is not committed")
        canvas = canvas.remask(remask)
        if not canvas.masked[commit].all() or len(set(commit.tolist())) < len(commit):
            raise InfillError("a position is committed that is not masked")
        canvas = canvas.commit(commit, _ids(record["tokens"]))
        rising = (steps[-1].nfe if steps else 0) <= record["nfe"] < 2**31
        if not rising or not (steps[-1].calls if steps else 0) <= record["calls"] <= record["nfe"]:
            raise InfillError("the forward passes do not add up")
        steps.append(
            Step(
                canvas=canvas,
                prediction=_prediction(record, start),
                selection=Selection(
                    commit=commit, remask=remask, notes={str(k): float(v) for k, v in record["notes"].items()}
                ),
                nfe=int(record["nfe"]),
                calls=int(record["calls"]),
                seconds=float(record["seconds"]),
                model_seconds=float(record["model_seconds"]),
            )
        )
    if data["ended"] not in ("running", "complete", "stopped", "time limit"):
        raise InfillError(f"unknown ending {data['ended']!r}")
    if (data["ended"] == "complete") == canvas.masked.any():
        raise InfillError("it ended as complete with masks left, or otherwise without any")
    return Trace(
        request=request,
        model=str(data["model"]),
        start=start,
        lexicon=lexicon,
        notices=tuple(str(notice) for notice in data["notices"]),
        steps=tuple(steps),
        ended=data["ended"],
    )


def _ids(values: Any) -> Ids:
    ids = np.array(values, dtype=np.int64).reshape(-1)
    if (ids < 0).any():
        raise InfillError("a position or token id is negative")
    return ids


def _prediction(record: dict[str, Any], start: Canvas) -> Prediction:
    """What was recorded of a prediction.

    Scores of the filtered distribution are not, and come back as NaN; drifts are not, and come back as none.
    """
    asked = start.span[_ids(record["asked"])]
    length = len(start)

    def spread(name: str, most: float, shape: tuple[int, ...] = (length,)) -> Floats:
        full = np.zeros(shape)
        full[asked] = np.array(record[name], dtype=np.float64).reshape(len(asked), *shape[1:])
        if not ((full >= 0) & (full <= most)).all():
            raise InfillError(f"a recorded {name} is out of range")
        return full

    candidates = np.full(length, -1, dtype=np.int64)
    candidates[asked] = record["candidates"]
    top_tokens = np.full((length, TOP), -1, dtype=np.int64)
    top_tokens[asked] = np.array(record["top_tokens"], dtype=np.int64).reshape(len(asked), TOP)
    top_probs = spread("top_probs", 1.0, (length, TOP))
    unknown = np.full(length, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.nan_to_num(np.log(top_probs[:, 0] / top_probs[:, 1]), nan=0.0, posinf=1e3)
    return Prediction(
        candidates=candidates,
        confidence=spread("confidence", 1.0),
        entropy=spread("entropy", 100.0),
        margin=top_probs[:, 0] - top_probs[:, 1],
        gap=gap,
        drawn_confidence=unknown,
        drawn_entropy=unknown,
        drawn_margin=unknown,
        top_tokens=top_tokens,
        top_probs=top_probs,
        drift=np.empty((length, 0)),
    )
