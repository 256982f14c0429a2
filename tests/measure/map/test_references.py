"""The likelihood of a fill, and the rows that no user can have."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import models
from app.errors import InfillError
from app.measure.likelihood import AFTER, nats_per_token
from app.measure.map.references import DRAWN, oracle_order, run_best_of, run_oracle
from app.measure.problems import as_request, gold
from app.measure.run import run_to_end
from app.sampling.canvas import Canvas
from app.sampling.layout import lay_out
from app.sampling.request import InfillRequest
from models.denoiser import Floats, Ids
from models.toy import toy


class Bigrams:
    """A judge to whom a token is the likelier the closer it is to the one before: log p = -|difference|."""

    def log_probabilities(self, prefixes: list[Ids], continuations: list[Ids]) -> list[Floats]:
        return [
            -np.abs(np.diff([prefix[-1], *rest])).astype(float)
            for prefix, rest in zip(prefixes, continuations, strict=True)
        ]


class Judged:
    """A denoiser with this judge."""

    judge = Bigrams()

    def __init__(self, denoiser) -> None:
        self._denoiser = denoiser

    def __getattr__(self, name: str):
        return getattr(self._denoiser, name)


def canvas(before: list[int], masks: int, after: list[int]) -> Canvas:
    return Canvas.of([before, after], [[None] * masks], mask_id=99)


def test_a_fill_and_the_tokens_after_it_are_scored_a_token_each():
    first, second = nats_per_token(canvas([5, 1], 2, [4, 4]), [[2, 3], [9, 1]], Bigrams())
    assert (first.fill, first.after, first.passage) == (1, 0.5, 3)  # 1 2 3 | 4 4: 1 and 1, then 1 and 0
    assert (second.fill, second.after, second.passage) == (8, 1.5, 19)


def test_at_most_so_many_tokens_after_the_gap_count_and_none_is_no_number():
    long = nats_per_token(canvas([1], 1, [1, *range(2, AFTER + 1), 999]), [[1]], Bigrams())[0]
    assert long.after == pytest.approx((AFTER - 1) / AFTER)
    alone = nats_per_token(canvas([1], 1, []), [[3]], Bigrams())[0]
    assert (alone.fill, math.isnan(alone.after), alone.passage) == (2, True, 2)


def test_more_fills_than_fit_a_batch_are_all_scored_in_order():
    scores = nats_per_token(canvas([0], 1, []), [[n] for n in range(70)], Bigrams())
    assert [score.fill for score in scores] == list(range(70))


def test_a_canvas_with_two_gaps_is_refused():
    two = Canvas.of([[1], [2], [3]], [[None], [None]], mask_id=99)
    with pytest.raises(ValueError, match="has 2"):
        nats_per_token(two, [[1]], Bigrams())


def test_the_parents_score_is_that_of_its_own_log_probabilities():
    denoiser = models.load("bundled")
    request = InfillRequest(prefix="Tom had a red ball. He", length=3, suffix="with it all day.")
    start, _ = lay_out(request, denoiser)
    fill = denoiser.tokenizer.encode(" liked to play")
    assert denoiser.judge is not None
    (found,) = nats_per_token(start, [fill], denoiser.judge)
    (alone,) = denoiser.judge.log_probabilities(
        [start.ids[: start.gaps[0].start]], [[*fill, *start.ids[start.gaps[0].stop :]]]
    )
    assert found.passage == pytest.approx(-alone.sum())
    assert found.fill == pytest.approx(-alone[: len(fill)].mean())


def test_the_oracle_writes_where_the_true_token_leads_by_most(few):
    denoiser = toy()
    request = as_request(few[0], denoiser)
    start, _ = lay_out(request, denoiser)
    targets = start.ids.copy()
    targets[start.span] = gold(few[0], denoiser)
    trace = run_oracle(request, denoiser, targets).trace
    for number, step in enumerate(trace.steps):
        before, (chosen,) = trace.state(number), step.selection.commit
        beliefs = denoiser.marginals(before.ids)
        lead = {
            place: beliefs[place, targets[place]] - np.delete(beliefs[place], targets[place]).max()
            for place in before.masks.tolist()
        }
        assert lead[int(chosen)] == pytest.approx(max(lead.values()))
        assert step.canvas.ids[chosen] == step.prediction.candidates[chosen], "the token is the model's own"
    assert trace.nfe == len(trace.steps) == request.steps, "asking for the true token costs no pass"


def test_with_every_order_the_same_the_oracle_writes_what_the_model_would(few):
    denoiser = models.load("toy")
    request = replace(as_request(few[0], denoiser), steps=1)
    start, _ = lay_out(request, denoiser)
    whole = run_to_end(request, denoiser, policy=oracle_order(start.ids))
    assert whole.fill == run_to_end(request, denoiser).fill


def test_best_of_r_keeps_the_likeliest_and_pays_for_all(few):
    denoiser = Judged(models.load("toy"))
    request = replace(as_request(few[0], denoiser, seed=2), steps=2)
    best = run_best_of(request, denoiser, 4)
    runs = [run_to_end(replace(request, seed=seed, **DRAWN), denoiser) for seed in (8, 9, 10, 11)]
    scores = [nats_per_token(run.start, [run.canvas.ids[run.canvas.span]], Bigrams())[0].passage for run in runs]
    assert best.trace.fill == runs[int(np.argmin(scores))].fill
    assert len({run.fill for run in runs}) > 1
    assert best.nfe == sum(run.nfe for run in runs) + 4
    assert best.calls == sum(run.calls for run in runs) + 1


def test_best_of_r_draws_at_the_maps_own_temperature_if_it_has_one(few):
    denoiser = Judged(models.load("toy"))
    request = replace(as_request(few[0], denoiser), temperature=0.3)
    assert run_best_of(request, denoiser, 2).trace.request.temperature == 0.3


def test_best_of_r_needs_a_parent(few):
    with pytest.raises(InfillError, match="no autoregressive parent"):
        run_best_of(as_request(few[0], models.load("toy")), models.load("toy"), 2)
