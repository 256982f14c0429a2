"""Every order of the words of a gap, and what it costs."""

from __future__ import annotations

import math
from itertools import pairwise, permutations

import numpy as np
import pytest

from app.errors import InfillError
from app.infill import infill
from app.lessons import orders
from app.sampling.request import InfillRequest
from models.toy import MarkovDenoiser, ToyTokenizer

CHAIN = MarkovDenoiser(ToyTokenizer("abc"), np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.1, 0.5]]))
TEXT = InfillRequest(text="a[[4]]c", steps=4, space=False)  # the toy reads a space as an a


def test_with_exact_beliefs_every_order_costs_what_the_words_cost():
    found = orders.of_text(TEXT, "abbc", CHAIN)
    chain = CHAIN.transition
    words = [0, 0, 1, 1, 2, 2]
    probability = math.prod(chain[a, b] for a, b in pairwise(words))
    everything = np.linalg.matrix_power(chain, 5)[0, 2]  # all ways from the a before the gap to the c after it
    assert {each["name"] for each in found["orders"]} >= {"left to right", "surest first", "mean of all orders"}
    for order in found["orders"]:
        assert order["nats"] == pytest.approx(-math.log(probability / everything), abs=1e-3)
    assert found["pieces"] == list("abbc")


def test_the_best_and_the_mean_are_over_all_orders():
    nats = [
        [3.0, 1.0, 2.0],
        [None, 4.0, 0.5],
        [0.1, None, 2.5],
        [None, None, 1.0],
        [0.2, 0.3, None],
        [None, 0.4, None],
        [0.6, None, None],
    ]
    totals = {order: orders.total(nats, order) for order in permutations(range(3))}
    found = {each["name"]: each for each in orders.known_orders(nats, nats, nats)}
    assert found["best of all orders"]["nats"] == pytest.approx(min(totals.values()))
    assert totals[tuple(found["best of all orders"]["order"])] == pytest.approx(min(totals.values()))
    assert found["worst of all orders"]["nats"] == pytest.approx(max(totals.values()))
    assert found["mean of all orders"]["nats"] == pytest.approx(np.mean([*totals.values()]), abs=1e-4)
    assert found["outside in"]["order"] == [0, 2, 1]
    assert found["least entropy first"]["order"] == [1, 0, 2]  # 1.0, then 0.1 of those that are left


def test_a_finished_run_of_a_few_words_can_be_ordered():
    *_, trace = infill(TEXT, CHAIN)
    assert len(orders.of_run(trace, CHAIN)["nats"]) == 2**4 - 1
    first = next(infill(TEXT, CHAIN))
    with pytest.raises(InfillError, match="masks left"):
        orders.of_run(first, CHAIN)
    *_, long = infill(InfillRequest(text="a[[9]]c", steps=9), CHAIN)
    with pytest.raises(InfillError, match="at most 8"):
        orders.of_run(long, CHAIN)
