"""Every order in which a short gap can be filled with given words, and what each costs in nats.

A model's belief about a position depends on which others are known. So the same words, written in another order, are
more or less probable: the sum of -log p over the commits is the nats of an order. For n words there are 2^n states,
few enough to ask about all of them; the best order is then a shortest path.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.trace.trace import Trace, join_pieces
from models.denoiser import Denoiser, Ids, Query

MOST = 8
"""Most words: 256 states."""
_ROWS = 16  # states a forward pass


def of_text(request: InfillRequest, middle: str, denoiser: Denoiser) -> dict[str, Any]:
    """Return the table of `of_canvas` for a gap and the words that belong in it."""
    tokens = denoiser.tokenizer.encode(middle)
    canvas, _ = Layout.of(request, denoiser).canvas([len(tokens)], denoiser.tokenizer.mask_id)
    return {"text": request.text, "middle": middle, **of_canvas(canvas, np.array(tokens), denoiser)}


def of_run(trace: Trace, denoiser: Denoiser) -> dict[str, Any]:
    """Return the table for what a run has written. Raises InfillError if it has more than MOST masks, or some left."""
    if trace.canvas.masked.any():
        raise InfillError("the run has masks left: fill the gap first")
    span = trace.start.span
    return {"text": trace.request.text, **of_canvas(trace.start, trace.canvas.ids[span], denoiser)}


def of_canvas(start: Canvas, words: Ids, denoiser: Denoiser) -> dict[str, Any]:
    """Return what each order of writing `words` [n] into the masks of a canvas costs.

    State s is a number whose bit i says whether word i is written. `nats`, `confidence` and `entropy` are
    [2^n - 1][n]: -log p of each word, the largest probability and the entropy at its position; null where it is
    written. `orders` has the totals of well-known orders. Raises InfillError for more than MOST words.
    """
    span, count = start.masks, len(words)
    if count > MOST or count != len(span):
        raise InfillError(f"there are {count} words to order; all orders are counted for at most {MOST}")
    nats: list[list[float | None]] = []
    confidence: list[list[float | None]] = []
    entropy: list[list[float | None]] = []
    for first in range(0, 2**count - 1, _ROWS):
        states = range(first, min(first + _ROWS, 2**count - 1))
        queries = [_query(start, span, words, state) for state in states]
        for state, belief in zip(states, denoiser.predict(queries), strict=True):
            assert belief.log_targets is not None
            open_ = [not state >> i & 1 for i in range(count)]
            rows = (-belief.log_targets[span], belief.confidence[span], belief.entropy[span])
            for table, row in zip((nats, confidence, entropy), rows, strict=True):
                table.append([round(float(x), 4) if free else None for x, free in zip(row, open_, strict=True)])
    pieces = join_pieces([denoiser.tokenizer.token_bytes(int(word)) for word in words])
    return {
        "pieces": pieces,
        "nats": nats,
        "confidence": confidence,
        "entropy": entropy,
        "orders": known_orders(nats, confidence, entropy),
    }


def _query(start: Canvas, span: Ids, words: Ids, state: int) -> Query:
    written = np.array([bool(state >> i & 1) for i in range(len(words))])
    ids = start.ids.copy()
    ids[span[written]] = words[written]
    masks = span[~written]
    return Query(ids=ids, positions=masks, uniforms=np.zeros(len(masks)), targets=words[~written], aside=True)


Table = Sequence[Sequence[float | None]]


def known_orders(nats: Table, confidence: Table, entropy: Table) -> list[dict[str, Any]]:
    """Return well-known orders with their totals in nats: `name`, `order` [n] of places, `nats`.

    The mean over all orders has no `order`.
    """
    count = len(nats[0])
    left = list(range(count))
    edges = sorted(left, key=lambda place: (min(place, count - 1 - place), place))
    found = [
        ("left to right", left),
        ("outside in", edges),
        ("surest first", _greedy(count, lambda state, place: -_number(confidence[state][place]))),
        ("least entropy first", _greedy(count, lambda state, place: _number(entropy[state][place]))),
        ("best of all orders", _extreme(nats, min)),
        ("worst of all orders", _extreme(nats, max)),
    ]
    named: list[dict[str, Any]] = [
        {"name": name, "order": order, "nats": round(total(nats, order), 4)} for name, order in found
    ]
    return [*named, {"name": "mean of all orders", "order": None, "nats": round(_mean(nats), 4)}]


def total(nats: Table, order: Sequence[int]) -> float:
    """Return the nats of writing the words in an order."""
    state, spent = 0, 0.0
    for place in order:
        spent += _number(nats[state][place])
        state |= 1 << place
    return spent


def _number(value: float | None) -> float:
    assert value is not None
    return value


def _greedy(count: int, cost: Callable[[int, int], float]) -> list[int]:
    state, order = 0, []
    while len(order) < count:
        place = min((i for i in range(count) if not state >> i & 1), key=lambda i: (cost(state, i), i))
        order.append(place)
        state |= 1 << place
    return order


def _extreme(nats: Table, pick: Callable[..., Any]) -> list[int]:
    """Return the order with the least or the largest total: a path through the states."""
    count = len(nats[0])

    @functools.cache
    def best(state: int) -> tuple[float, tuple[int, ...]]:
        open_ = [i for i in range(count) if not state >> i & 1]
        if not open_:
            return 0.0, ()
        ways = ((_number(nats[state][i]) + best(state | 1 << i)[0], (i, *best(state | 1 << i)[1])) for i in open_)
        return pick(ways, key=lambda way: way[0])

    return [*best(0)[1]]


def _mean(nats: Table) -> float:
    """Return the mean total over all n! orders."""
    count = len(nats[0])

    @functools.cache
    def mean(state: int) -> float:
        open_ = [i for i in range(count) if not state >> i & 1]
        return math.fsum(_number(nats[state][i]) + mean(state | 1 << i) for i in open_) / len(open_) if open_ else 0.0

    return mean(0)
