"""Write traces as JSON and read them back, so that a run can be replayed without a model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest, fields_of
from app.sampling.start import Start
from app.sampling.step import Selection, Step
from app.trace.bounds import check_data, check_shown, check_text
from app.trace.length_choice import from_json as choice_from_json
from app.trace.length_choice import to_json as choice_to_json
from app.trace.trace import Origin, Trace
from models.classes import WordClass
from models.denoiser import Floats, Ids
from models.prediction import TOP, Prediction

FORMAT = "infill-trace"
VERSION = 4
_READABLE = (3, 4)  # version 3 had neither starts nor branches
_WHAT_TO_OPEN = "open a file saved by 'Keep, Trace (JSON)' or 'infill --json'"
_DERIVED = ("text", "fills")  # written for people who read the file; ignored by `load`


def request_to_json(request: InfillRequest) -> dict[str, Any]:
    """Return the fields of a request as plain values."""
    values = {field.name: getattr(request, field.name) for field in fields_of(type(request))}
    start = request.start and request.start.to_json()
    return values | {"knobs": dict(request.knobs), "banned": list(request.banned), "start": start}


def dump(trace: Trace) -> str:
    """Return the trace as JSON text; positions are slots, counted from 0, and probabilities have four digits."""
    start, origin, classed = trace.start, trace.origin, trace.has_classes
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": trace.model,
        "request": request_to_json(trace.request),
        "origin": origin and {"run": origin.run, "step": origin.step},
        "notices": list(trace.notices),
        "choices": {str(gap): choice_to_json(choice) for gap, choice in trace.choices.items()},
        "ended": trace.ended,
        "text": trace.text,
        "fills": list(trace.fills),
        "mask_id": start.mask_id,
        "given_ids": [part.tolist() for part in start.given],
        "gaps": [[None if start.editable[i] else int(start.ids[i]) for i in gap] for gap in start.gaps],
        "lexicon": {str(token): _bytes_to_json(text) for token, text in sorted(trace.lexicon.items())},
        **({"classes": _classes_to_json(trace)} if classed else {}),
        "steps": [_step_to_json(step, start, classed=classed) for step in trace.steps],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _step_to_json(step: Step, start: Canvas, *, classed: bool) -> dict[str, Any]:
    """Return a step as plain values; scores only of the positions that the model was asked about."""
    prediction, span = step.prediction, start.span
    chances = prediction.class_probs if classed else None
    # A strategy that replaces a token within one step commits it where the model was not asked.
    asked = span[(prediction.top_tokens[span, 0] >= 0) | np.isin(span, step.selection.commit)]
    return {
        "commit": start.places(step.selection.commit),
        "tokens": step.canvas.ids[step.selection.commit].tolist(),
        "remask": start.places(step.selection.remask),
        "notes": {name: _round(value) for name, value in step.selection.notes.items()},
        "nfe": step.nfe,
        "calls": step.calls,
        "seconds": round(step.seconds, 6),
        "model_seconds": round(step.model_seconds, 6),
        "asked": start.places(asked),
        "candidates": prediction.candidates[asked].tolist(),
        "confidence": prediction.confidence[asked].round(4).tolist(),
        "entropy": prediction.entropy[asked].round(4).tolist(),
        "top_tokens": prediction.top_tokens[asked, :TOP].tolist(),
        "top_probs": prediction.top_probs[asked, :TOP].round(4).tolist(),
        **({} if chances is None else {"class_probs": _thousandths(chances[asked])}),
    }


def _classes_to_json(trace: Trace) -> dict[str, Any]:
    """Return the word classes, and the place of the class of each token of the lexicon, in its order."""
    last = len(trace.classes) - 1
    return {
        "names": [[each.name, each.letter, each.content] for each in trace.classes],
        "of": [trace.class_of.get(token, last) for token in sorted(trace.lexicon)],
    }


def _thousandths(probabilities: Floats) -> list[list[int]]:
    """Return probabilities as whole thousandths: most of a class's are 0, which takes one character."""
    return (probabilities * 1000).round().astype(np.int64).tolist()


def _round(value: float) -> float:
    """Round to six decimals; NaN and infinities become 0, because JSON does not have them."""
    return round(float(value), 6) if math.isfinite(value) else 0.0


def _bytes_to_json(text: bytes) -> str | list[int]:
    """Return the text, or a list of the bytes if they are only part of a character."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return list(text)


def load(content: str, request: type[InfillRequest] = InfillRequest) -> Trace:
    """Read the trace from JSON text. Raises InfillError that names the fault if `dump` cannot have written the text.

    Counts and sizes that no run can have are refused first, because a small file can describe a very large trace.
    numpy accepts values that `dump` never writes ("3" or 3.7 for 3, one number for many), so the trace is dumped again
    and compared with the input.
    """
    check_text(content)
    try:
        data = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:  # ValueError is also raised for numbers of thousands of digits
        raise InfillError(f"this is not a trace: it is not JSON ({error}); {_WHAT_TO_OPEN}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InfillError(f"this JSON file is not a trace; {_WHAT_TO_OPEN}")
    version = data.get("version")
    if type(version) is not int or version not in _READABLE:
        raise InfillError(f"this trace has version {quoted(version)}, not {VERSION}; record it again")
    try:
        data = _upgraded(data)
        check_data(data)
        trace = _trace_from_json(data, request)
        written = json.loads(dump(trace).encode())  # encoded, because lone surrogates are not valid text
        check_shown(trace)
        odd = [name for name in written if name not in _DERIVED and written[name] != data[name]]
    except InfillError as error:
        raise InfillError(f"this trace is broken: {error}") from None
    except (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise InfillError(
            f"this trace is broken: {type(error).__name__} {quoted(str(error))}; record it again"
        ) from None
    if odd:
        raise InfillError(f"this trace is broken: '{odd[0]}' is not as 'infill' writes it; record it again")
    return trace


def _upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """Return the content as the latest version writes it. A request without `redraw` is older, and had it off."""
    data = {**data, "request": {"redraw": False, **data["request"]}}
    if data["version"] == VERSION:
        return data
    if "origin" in data or "start" in data["request"]:
        raise InfillError(f"version {data['version']} has no 'origin' and no 'start'")
    return {**data, "version": VERSION, "origin": None, "request": {**data["request"], "start": None}}


def _refuse(constant: str) -> None:
    """Raise ValueError for NaN and the infinities, which JSON does not have."""
    raise ValueError(f"{constant} is not valid JSON")


def _trace_from_json(data: dict[str, Any], request_type: type[InfillRequest]) -> Trace:
    """Replay the recorded steps. Raises InfillError if they contradict the canvas; `load` catches other errors."""
    request = request_type(**{field.name: data["request"][field.name] for field in fields_of(request_type)})
    start = _read_start(data, request)
    # list() fails for a number, where bytes(number) would return that many zeros.
    lexicon = {
        int(token): text.encode() if isinstance(text, str) else bytes(list(text))
        for token, text in data["lexicon"].items()
    }
    classes, class_of = _read_classes(data.get("classes"), lexicon)
    canvas, steps = start, []
    for record in data["steps"]:
        commit, remask = _read_positions(record["commit"], start), _read_positions(record["remask"], start)
        if canvas.masked[remask].any() or len(set(remask.tolist())) < len(remask):
            raise InfillError("a step remasks a position that is not committed")
        canvas = canvas.remask(remask)
        if not canvas.masked[commit].all() or len(set(commit.tolist())) < len(commit):
            raise InfillError("a step commits a position that is not masked")
        canvas = canvas.commit(commit, _read_ids(record["tokens"]))
        rising = (steps[-1].nfe if steps else 0) <= record["nfe"] < 2**31
        if not rising or not (steps[-1].calls if steps else 0) <= record["calls"] <= record["nfe"]:
            raise InfillError("the counts of forward passes (nfe, calls) must not fall, nor calls exceed nfe")
        steps.append(
            Step(
                canvas=canvas,
                prediction=_read_prediction(record, start, len(classes)),
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
        raise InfillError(f"'ended' is {quoted(data['ended'])}, which is not an ending")
    if (data["ended"] == "complete") == canvas.masked.any():
        raise InfillError("'ended' must be 'complete' if no masks are left, and only then")
    return Trace(
        request=request,
        model=str(data["model"]),
        start=start,
        lexicon=lexicon,
        classes=classes,
        class_of=class_of,
        origin=_read_origin(data["origin"]),
        notices=tuple(str(notice) for notice in data["notices"]),
        choices={int(gap): choice_from_json(choice) for gap, choice in data["choices"].items()},
        steps=tuple(steps),
        ended=data["ended"],
    )


def _read_classes(data: Any, lexicon: Mapping[int, bytes]) -> tuple[tuple[WordClass, ...], dict[int, int]]:
    """Return the word classes and the class of each token; none if there is nothing.

    Raises InfillError if they make no sense.
    """
    if data is None:
        return (), {}
    classes = tuple(WordClass(*each) for each in data["names"])
    for each in classes:
        named = isinstance(each.name, str) and isinstance(each.letter, str) and len(each.letter) == 1
        if not named or type(each.content) is not bool:
            raise InfillError("a word class must be a name, a letter, and true or false")
    class_of = dict(zip(sorted(lexicon), data["of"], strict=True))
    if not all(type(place) is int and 0 <= place < len(classes) for place in class_of.values()):
        raise InfillError("a token has a word class that is not listed")
    return classes, class_of


def _read_origin(data: Any) -> Origin | None:
    """Return what the run was branched from. Raises InfillError if it is not a name and a step."""
    if data is None:
        return None
    if not isinstance(data["run"], str) or type(data["step"]) is not int or data["step"] < 0 or len(data) != 2:
        raise InfillError("'origin' must be the name of a run and the number of a step, or null")
    return Origin(data["run"], data["step"])


def _read_start(data: dict[str, Any], request: InfillRequest) -> Canvas:
    """Return the canvas before the first step. Raises InfillError if it does not match the request."""
    given, gaps = [_read_ids(part) for part in data["given_ids"]], data["gaps"]
    mask_id = int(_read_ids(data["mask_id"])[0])
    if [len(gap) for gap in gaps] != [gap.length for gap in request.gaps] or len(data["steps"]) > request.steps:
        raise InfillError("it has other gaps or more steps than its request")
    first = 0  # slot of each gap
    for gap, asked in zip(gaps, request.gaps, strict=True):
        _read_ids([token for token in gap if token is not None])
        locked = {slot - first + 1 for slot in (request.start.locked if request.start else ())}
        fixed = {place for place, token in enumerate(gap, start=1) if token is not None}
        pinned, pins = fixed - locked, {pin.place for pin in asked.pins}
        if (len(fixed) == len(gap) and not request.start) or (pinned and not pins) or not pins <= fixed:
            raise InfillError("it has other pinned words than its request")
        first += len(gap)
    if not len(given[0]):
        raise InfillError("a canvas needs at least 1 token before the first gap")
    canvas = Canvas.of(given, gaps, mask_id)
    return canvas if request.start is None else _read_inherited(canvas, request.start)


def _read_inherited(canvas: Canvas, start: Start) -> Canvas:
    """Return the canvas with what the request's start has written. Raises InfillError if they contradict each other."""
    tokens = np.array([-1 if token is None else token for gap in start.gaps for token in gap], dtype=np.int64)
    confidence = np.array([number for numbers in start.confidence for number in numbers])
    locked = np.array(start.locked, dtype=np.int64)
    if canvas.editable[canvas.slots[locked]].any() or (canvas.ids[canvas.slots[locked]] != tokens[locked]).any():
        raise InfillError("it has other locked tokens than the start of its request")
    kept = np.flatnonzero((tokens >= 0) & ~canvas.pinned)
    canvas = canvas.inherit(canvas.slots[kept], tokens[kept], confidence[kept])
    if not canvas.masked.any():
        raise InfillError("nothing is masked at its start")
    return canvas


def _read_positions(places: Any, start: Canvas) -> Ids:
    """Return the canvas positions of slots. Raises InfillError if one is pinned."""
    positions = start.slots[_read_ids(places)]
    if not start.editable[positions].all():
        raise InfillError("a step commits, remasks or asks about a pinned position")
    return positions


def _read_ids(values: Any) -> Ids:
    """Return values as a flat array. Raises InfillError if one is negative."""
    ids = np.array(values, dtype=np.int64).reshape(-1)
    if (ids < 0).any():
        raise InfillError("a position or token id is negative")
    return ids


def _read_prediction(record: dict[str, Any], start: Canvas, classes: int) -> Prediction:
    """Return what was recorded of a prediction.

    Scores of the filtered distribution and drifts are not recorded: the scores come back as NaN, the drifts as an array
    without columns.
    """
    asked = _read_positions(record["asked"], start)
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
        logit_margin = np.nan_to_num(np.log(top_probs[:, 0] / top_probs[:, 1]), nan=0.0, posinf=1e3)
    return Prediction(
        candidates=candidates,
        confidence=spread("confidence", 1.0),
        entropy=spread("entropy", 100.0),
        margin=top_probs[:, 0] - top_probs[:, 1],
        logit_margin=logit_margin,
        drawn_confidence=unknown,
        drawn_entropy=unknown,
        drawn_margin=unknown,
        top_tokens=top_tokens,
        top_probs=top_probs,
        drift=np.empty((length, 0)),
        class_probs=spread("class_probs", 1000.0, (length, classes)) / 1000 if classes else None,
    )
