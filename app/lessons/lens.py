"""One denoising step under the lens: the whole distribution at every masked position, for sliders to act on."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace.trace import Trace
from models.denoiser import Denoiser, Floats, Query

TOPS = 40
"""Tokens of a position that are listed by name; the others are summed."""
TEMPERATURES: Floats = np.arange(1, 21) / 10
"""The temperatures for which the sum of the others is given."""


def look(request: InfillRequest, denoiser: Denoiser, step: int) -> dict[str, Any]:
    """Return the beliefs about the masked positions after `step` steps of a run.

    `positions` has for each: its `place` among the slots; the TOPS likeliest tokens as `tops`, [text, logit], with
    logits counted from the largest; and `tail` [temperatures], log sum exp(logit / T) over the other tokens. So the
    page can compute exactly how probable a listed token is at any of the `temperatures`. Raises InfillError if the run
    has no such step, or no masks after it.
    """
    *_, trace = infill(request, denoiser)
    return look_at(trace, step, denoiser)


def look_at(trace: Trace, step: int, denoiser: Denoiser) -> dict[str, Any]:
    """Return what `look` does, of a run that was made: at its temperature 1, without guidance."""
    if step > len(trace.steps) or not trace.state(step).masked.any():
        raise InfillError(f"the run has no masks left after step {step}: choose an earlier one")
    canvas, tokenizer = trace.state(step), denoiser.tokenizer
    masks = canvas.masks
    (belief,) = denoiser.predict(
        [Query(ids=canvas.ids, positions=masks, uniforms=np.zeros(len(masks)), tops=tokenizer.size, aside=True)]
    )
    return {
        "text": trace.request.text,
        "step": step,
        "given": list(trace.given),
        "pieces": trace.pieces(step),
        "tokens": tokenizer.size,
        "temperatures": TEMPERATURES.round(1).tolist(),
        "positions": [
            {"place": place, **_distribution(belief.top_tokens[position], belief.top_probs[position], denoiser)}
            for place, position in zip(canvas.places(masks), masks.tolist(), strict=True)
        ],
    }


def _distribution(tokens: Any, probs: Floats, denoiser: Denoiser) -> dict[str, Any]:
    there = probs > 0
    tokens, logits = tokens[there], np.log(probs[there])
    logits = logits - logits[0]
    tail = [float(np.log(np.exp(logits[TOPS:] / each).sum() + 1e-300)) for each in TEMPERATURES]
    texts = [denoiser.tokenizer.token_bytes(int(token)).decode("utf-8", "replace") for token in tokens[:TOPS]]
    return {
        "tops": [[text, round(float(logit), 3)] for text, logit in zip(texts, logits, strict=False)],
        "tail": [round(each, 3) for each in tail],
    }
