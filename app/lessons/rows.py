"""What a forward pass costs when several canvases share it: the roofline, measured on the machine that runs this."""

from __future__ import annotations

import time
from datetime import date
from statistics import median
from typing import Any

import numpy as np

from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from models.denoiser import Denoiser, Query
from models.terminal import processor

ROWS = (1, 2, 4, 8, 16)
TEXT = "Tom lost his blue ball in the park. [[12]] Tom patted the dog and said thank you."
_REPEATS = 5


def measure_rows(denoiser: Denoiser) -> dict[str, Any]:
    """Return the milliseconds of one forward pass for each of ROWS canvases of `tokens` tokens: medians of five.

    It computes 31 canvases six times: about five seconds with the bundled model on a laptop.
    """
    canvas, _ = Layout.of(InfillRequest(text=TEXT), denoiser).canvas([12], denoiser.tokenizer.mask_id)
    query = Query(ids=canvas.ids, positions=canvas.masks, uniforms=np.zeros(12), aside=True)
    found = []
    for rows in ROWS:
        seconds = []
        denoiser.predict([query] * rows)  # the first pass of a shape is slower
        for _ in range(_REPEATS):
            began = time.perf_counter()
            denoiser.predict([query] * rows)
            seconds.append(time.perf_counter() - began)
        found.append(round(1000 * median(seconds), 2))
    return {
        "rows": list(ROWS),
        "ms": found,
        "tokens": len(canvas),
        "model": denoiser.name,
        "machine": processor(),
        "date": date.today().isoformat(),
    }
