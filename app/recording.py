"""Traces to and from JSON: a recorded run is replayed without a model."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from app.canvas import Canvas
from app.errors import InfillError
from app.request import MAX_LENGTH, MAX_STEPS, InfillRequest
from app.step import Selection, Step
from app.trace import Trace
from models.denoiser import Floats, Ids
from models.prediction import TOP, Prediction

FORMAT = "infill-trace"
VERSION = 1
_MAX_CHARACTERS = 16_000_000
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
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _step_to_json(step: Step, start: Canvas, first: int) -> dict[str, Any]:
    prediction, span = step.prediction, start.span
    asked = span[prediction.top_tokens[span, 0] >= 0]
    return {
        "commit": (step.selection.commit - first).tolist(),
        "tokens": step.canvas.ids[step.selection.commit].tolist(),
        "remask": (step.selection.remask - first).tolist(),
        "notes": {name: _rounded(value) for name, value in step.selection.notes.items()},
        "nfe": step.nfe,
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
    """The trace of a JSON text. Raises InfillError, saying what is broken, for anything that `dump` did not write."""
    if len(content) > _MAX_CHARACTERS:
        raise InfillError(f"this file has more than {_MAX_CHARACTERS:,} characters; a trace never does")
    try:
        data = json.loads(content)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InfillError(f"this is not a trace: it is not JSON ({error}); open one that was downloaded here") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InfillError("this JSON file is not a trace; open a file that 'Download trace' or 'infill --json' wrote")
    if data.get("version") != VERSION:
        raise InfillError(f"this trace has version {data.get('version')!r}, not {VERSION}; record it anew")
    try:
        return _trace_from_json(data)
    except InfillError as error:
        raise InfillError(f"this trace is broken: {error}") from None
    except (AssertionError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise InfillError(f"this trace is broken: {type(error).__name__} {error}; record it anew") from None


def _trace_from_json(data: dict[str, Any]) -> Trace:
    request = InfillRequest(**{name: data["request"][name] for name in _REQUEST_FIELDS})
    mask_id, length = int(data["mask_id"]), int(data["length"])
    if not 1 <= length <= MAX_LENGTH or len(data["steps"]) > MAX_STEPS:
        raise InfillError(f"a trace has 1 to {MAX_LENGTH} masks and at most {MAX_STEPS} steps")
    prefix, suffix = _ids(data["prefix_ids"]), _ids(data["suffix_ids"])
    ids = np.concatenate([prefix, np.full(length, mask_id), suffix])
    editable = np.zeros(len(ids), dtype=np.bool_)
    editable[len(prefix) : len(prefix) + length] = True
    start = Canvas(ids=ids, editable=editable, masked=editable.copy(), mask_id=mask_id)
    lexicon = {
        int(token): text.encode() if isinstance(text, str) else bytes(text) for token, text in data["lexicon"].items()
    }
    canvas, steps = start, []
    for record in data["steps"]:
        commit, remask = start.span[_ids(record["commit"])], start.span[_ids(record["remask"])]
        canvas = canvas.remask(remask).commit(commit, _ids(record["tokens"]))
        steps.append(
            Step(
                canvas=canvas,
                prediction=_prediction(record, start),
                selection=Selection(
                    commit=commit, remask=remask, notes={str(k): float(v) for k, v in record["notes"].items()}
                ),
                nfe=int(record["nfe"]),
                seconds=float(record["seconds"]),
                model_seconds=float(record["model_seconds"]),
            )
        )
    if data["ended"] not in ("running", "complete", "stopped", "time limit"):
        raise InfillError(f"unknown ending {data['ended']!r}")
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
    """What was recorded of a prediction; scores of the filtered distribution are not, and come back as NaN."""
    asked = start.span[_ids(record["asked"])]
    length = len(start)

    def spread(values: Any) -> Floats:
        full = np.zeros(length)
        full[asked] = np.array(values, dtype=np.float64)
        if not np.isfinite(full).all():
            raise InfillError("a recorded probability is not a number")
        return full

    candidates = np.full(length, -1, dtype=np.int64)
    candidates[asked] = record["candidates"]
    top_tokens = np.full((length, TOP), -1, dtype=np.int64)
    top_tokens[asked] = np.array(record["top_tokens"], dtype=np.int64).reshape(len(asked), TOP)
    top_probs = np.zeros((length, TOP))
    top_probs[asked] = np.array(record["top_probs"], dtype=np.float64).reshape(len(asked), TOP)
    unknown = np.full(length, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.nan_to_num(np.log(top_probs[:, 0] / top_probs[:, 1]), nan=0.0, posinf=1e3)
    return Prediction(
        candidates=candidates,
        confidence=spread(record["confidence"]),
        entropy=spread(record["entropy"]),
        margin=top_probs[:, 0] - top_probs[:, 1],
        gap=gap,
        drawn_confidence=unknown,
        drawn_entropy=unknown,
        drawn_margin=unknown,
        top_tokens=top_tokens,
        top_probs=top_probs,
    )
