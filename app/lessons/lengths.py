"""The same gap with every number of masks: what is written, and how good the model finds each number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.template import with_lengths
from app.trace.trace import Trace
from models.denoiser import Denoiser


def fill_all(request: InfillRequest, denoiser: Denoiser, most: int) -> dict[str, Any]:
    """Fill the only gap of a request, an `auto` one, with 1 to `most` masks, a step for each mask.

    `fills` has for each number its `masks`, `pieces` and `when` (the step that wrote each), and the mean `confidence`
    at commit; `choice` has what the model's own choice looked at: `lengths`, `score` of each, `chosen`.
    """
    chosen = _end(request, denoiser).choices[0]
    fills = []
    for masks in range(1, most + 1):
        trace = _end(replace(request, text=with_lengths(request.text, [masks]), steps=masks), denoiser)
        fills.append(
            {
                "masks": masks,
                "pieces": trace.pieces(len(trace.steps)),
                "when": trace.order.tolist(),
                "confidence": round(float(trace.commits().confidence[trace.start.slots].mean()), 4),
            }
        )
    return {
        "text": request.text,
        "given": list(request.parts),
        "fills": fills,
        "choice": {
            "lengths": chosen.lengths.tolist(),
            "score": chosen.score.round(4).tolist(),
            "tried": chosen.tried.tolist(),
            "chosen": chosen.chosen,
        },
    }


def _end(request: InfillRequest, denoiser: Denoiser) -> Trace:
    *_, trace = infill(request, denoiser)
    return trace
