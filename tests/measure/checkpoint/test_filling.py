"""Accuracy and infilling, with models that know the answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import models
from app.measure.checkpoint import filling
from app.measure.problems import Problem
from tests.models.evaluate.causal import causal
from tests.models.random_weights import MASK

TEXTS = [
    Problem(prefix="the cat sat.", middle="a dog ran.", suffix="it was fun."),
    Problem(prefix="", middle="go.", suffix=""),
]


def knowing(problem: Problem, known: int | None = None) -> Any:
    """Return the toy, certain of the middle or of its first `known` letters; `asked` has the ids it was given."""
    toy: Any = models.load("toy")
    gold = toy.tokenizer.encode(" " * bool(problem.prefix) + problem.middle)[:known]
    start = len(problem.prefix) or 1
    toy.asked = []

    def marginals(ids: np.ndarray) -> np.ndarray:
        toy.asked.append(ids)
        beliefs = np.full((len(ids), 29), 1e-6)
        beliefs[:, toy.tokenizer.encode("z")] = 1e-3
        beliefs[np.arange(start, start + len(gold)), gold] = 1.0
        return beliefs

    toy.marginals = marginals
    return toy


@pytest.mark.parametrize("problem", TEXTS)
def test_a_model_that_knows_the_middle_finds_every_masked_token(problem):
    found = filling.masked_token_accuracy(knowing(problem), [problem])
    assert (found.percent, found.problems) == (100, 1)


def test_accuracy_is_averaged_within_a_problem_first():
    problem = TEXTS[0]
    found = filling.masked_token_accuracy(knowing(problem, 3), [problem, problem])
    assert found.percent == pytest.approx(100 * 3 / len(" a dog ran."))
    assert found.standard_error == pytest.approx(0)


def test_each_token_of_the_middle_is_masked_in_turn_and_no_other():
    problem = TEXTS[0]
    toy = knowing(problem)
    filling.masked_token_accuracy(toy, [problem])
    text = toy.tokenizer.encode("the cat sat. a dog ran. it was fun.")
    assert len(toy.asked) == len(" a dog ran.")
    for place, ids in enumerate(toy.asked, start=len("the cat sat.")):
        assert ids.tolist() == [*text[:place], toy.tokenizer.mask_id, *text[place + 1 :]]


def test_infilling_follows_the_papers_protocol():
    greedy, drawn = filling.fill_by_denoising(knowing(TEXTS[0]), TEXTS[:1], temperature=0.3)
    assert greedy.name == "low_confidence, T = 32, greedy"
    assert drawn.name == "reference, T = 32, temperature 0.3"
    for row in (greedy, drawn):
        assert (row.rouge1, row.rougeL, row.exact, row.problems) == (pytest.approx(100), pytest.approx(100), 100, 1)
        assert 1 <= row.nfe <= 32


class Scripted:
    """A stand-in for an autoregressive model, with given texts and probabilities."""

    name, context = "scripted", 256

    def __init__(self, greedy: str, drawn: dict[str, tuple[float, float]]) -> None:
        """Set the greedy text, and the draws with log p(fill | prefix) and log p(suffix | prefix, fill)."""
        self.tokenizer = models.load("toy").tokenizer
        self.greedy, self.drawn = greedy, drawn
        self.prefixes: list[str] = []

    def complete(self, prefixes, length, *, temperature=0.0, top_p=1.0, seed=0):
        texts = [self.greedy] * len(prefixes) if temperature == 0 else list(self.drawn)
        self.prefixes += [b"".join(map(self.tokenizer.token_bytes, prefix)).decode() for prefix in prefixes]
        return [self.tokenizer.encode(text[:length]) for text in texts]

    def log_probabilities(self, prefixes, continuations):
        size = len(" a dog ran.")
        scores = []
        for rest, (fill, (own, after)) in zip(continuations, self.drawn.items(), strict=True):
            assert rest == self.tokenizer.encode(fill + " it was fun.")
            scores.append(np.array([own / size] * size + [after / 12] * 12))
        return scores


def test_the_best_draw_has_the_likeliest_suffix_or_the_likeliest_passage():
    model = Scripted(
        greedy=" a dog ate.", drawn={" a cat ran.": (-9, -9), " a dog ran.": (-9, -3), " a dog sat.": (-2, -4)}
    )
    rows = filling.fill_from_the_left(model, TEXTS[:1], temperature=0.9, candidates=3)
    assert [row.name for row in rows] == [
        "prefix only, greedy",
        "prefix only, temperature 0.9",
        "best of 3 by log p(suffix | prefix, fill)",
        "best of 3 by log p(fill, suffix | prefix)",
    ]
    assert [round(row.rouge1) for row in rows] == [67, 67, 100, 67]
    assert [row.rouge2 for row in rows] == [pytest.approx(50), 0, pytest.approx(100), pytest.approx(50)]
    assert [row.exact for row in rows] == [0, 0, 100, 0]
    assert [row.nfe for row in rows] == [11, 11, 36, 36]
    assert set(model.prefixes) == {"the cat sat."}, "the suffix was seen"


def test_fills_of_middles_that_rouge_cannot_see_have_no_rouge():
    blind = Problem(prefix="the cat", middle="...", suffix="it was fun.")
    for row in filling.fill_by_denoising(knowing(TEXTS[0]), [blind], temperature=0.3):
        assert all(math.isnan(value) for value in (row.rouge1, row.rouge2, row.rougeL))
    seen, both = (
        filling.fill_by_denoising(knowing(TEXTS[0]), chosen, temperature=0.3)[0]
        for chosen in (TEXTS[:1], [TEXTS[0], blind])
    )
    assert both.rougeL == seen.rougeL


def test_next_token_accuracy_sees_the_prefix_and_the_middle_so_far():
    model = causal()
    (middle,) = model.complete([[3, 8]], 6)
    right, wrong = " ".join(map(str, middle)), " ".join(map(str, [*middle[:3], MASK, *middle[4:]]))
    assert filling.next_token_accuracy(model, [Problem(prefix="3 8", middle=right, suffix="7")]).percent == 100
    found = filling.next_token_accuracy(model, [Problem(prefix="3 8", middle=wrong, suffix="7")]).percent
    assert 50 <= found < 100  # what comes after the wrong one may differ
