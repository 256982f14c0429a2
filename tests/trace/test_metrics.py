"""Scores of traces and texts, against values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.step import Selection
from app.trace import metrics
from app.trace.trace import Trace


def test_rouge_is_the_f_measure_in_percent():
    scores = metrics.rouge("the cat sat", "the cat ran away")
    assert scores["rouge1"] == pytest.approx(100 * 2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert scores["rouge2"] == pytest.approx(100 * 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert scores["rougeL"] == pytest.approx(scores["rouge1"])


def test_rouge_2_and_l_depend_on_word_order_and_no_rouge_stems():
    turned = metrics.rouge("ran cat the", "the cat ran")
    assert turned["rouge1"] == pytest.approx(100)
    assert turned["rouge2"] == 0
    assert turned["rougeL"] == pytest.approx(100 / 3)
    assert metrics.rouge("cats", "cat")["rouge1"] == 0


def test_rouge_of_a_text_without_words_is_zero():
    assert set(metrics.rouge("", "the cat").values()) == {0}
    assert set(metrics.rouge("...", "the cat").values()) == {0}


@pytest.mark.parametrize("gold", ["你好。", "...", "☃ é", ""])
def test_rouge_against_a_text_that_it_cannot_see_is_not_measurable(gold):
    assert not metrics.has_rouge(gold)
    for fill in (gold, "the cat", ""):
        assert all(math.isnan(score) for score in metrics.rouge(fill, gold).values())
    assert metrics.has_rouge("你好 1")
    assert metrics.rouge("1", "你好 1")["rougeL"] == pytest.approx(100)


def test_the_mean_of_rouge_leaves_out_what_cannot_be_measured():
    scores = [metrics.rouge("cat", "cat"), metrics.rouge("你", "你"), metrics.rouge("dog", "cat")]
    assert metrics.mean_rouge(scores) == {"rouge1": 50, "rouge2": 0, "rougeL": 50}
    assert all(math.isnan(mean) for mean in metrics.mean_rouge(scores[1:2]).values())


@pytest.mark.parametrize(
    ("fill", "same"),
    [
        (" the cat.", True),
        ("the  cat.\n", True),
        ("The cat.", False),
        ("the cat", False),
        ("the c at.", False),
        ("", False),
    ],
)
def test_an_exact_match_ignores_only_white_space(fill, same):
    assert metrics.exact_match(fill, "the cat.") is same


def test_ngram_entropy_is_1_without_repetition_and_0_for_a_single_repeated_ngram():
    assert metrics.ngram_entropy(["abcd"], 1) == pytest.approx(1)
    assert metrics.ngram_entropy(["aaaa", "aa"], 1) == 0
    assert metrics.ngram_entropy(["aab", "b"], 1) == pytest.approx(math.log(2) / math.log(4))


def test_distinct_n_is_the_share_of_different_ngrams_of_all_sequences():
    assert metrics.distinct(["aab", "b"], 1) == pytest.approx(2 / 4)
    assert metrics.distinct(["abab", "ab"], 2) == pytest.approx(2 / 4)
    assert metrics.distinct(["ab"], 3) == 1


def test_repetition_is_the_share_of_ngrams_seen_earlier_in_the_same_sequence():
    assert metrics.repetition(["abab", "abab"], 2) == pytest.approx(1 / 3)
    assert metrics.repetition(["abab", "abc"], 1) == pytest.approx((2 / 4 + 0) / 2)
    assert metrics.repetition(["abc", "abc"], 2) == 0


def test_ngrams_do_not_cross_from_one_sequence_to_the_next():
    # ab, ba | ab: two of three are ab
    expected = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)) / math.log(3)
    assert metrics.ngram_entropy([[0, 1, 0], [0, 1]], 2) == pytest.approx(expected)


def test_ngram_nats_is_the_entropy_without_division():
    # arXiv:2605.12522: of "a a b b" ln 2; of the bigrams of (a, b, a, b) two thirds ab and one third ba
    assert metrics.ngram_nats(["aabb"], 1) == pytest.approx(0.693147)
    assert metrics.ngram_nats(["abab"], 2) == pytest.approx(0.636514)
    assert metrics.ngram_nats(["a", "b"], 2) == 0


def test_ngram_entropy_of_fewer_than_two_ngrams_is_1():
    assert metrics.ngram_entropy([], 2) == 1
    assert metrics.ngram_entropy(["ab", "c"], 2) == 1


def committed(order: list[int], entropies: list[float]) -> Trace:
    """Return a trace in which step order[i] commits position i with entropy entropies[i]; 0 leaves it masked."""
    *_, trace = infill(InfillRequest(length=len(order), steps=1), models.load("toy"))
    span = trace.start.span
    entropy = np.zeros(len(trace.start))
    entropy[span] = entropies
    steps = []
    canvas = trace.start
    for number in range(1, max(order) + 1):
        commit = span[np.array(order) == number]
        canvas = canvas.commit(commit, np.zeros(len(commit), dtype=np.int64))
        prediction = replace(trace.steps[0].prediction, entropy=entropy)
        steps.append(replace(trace.steps[0], canvas=canvas, prediction=prediction, selection=Selection(commit=commit)))
    return replace(trace, steps=tuple(steps))


def test_independence_risk_leaves_out_the_largest_entropy_of_every_step():
    assert metrics.independence_risk(committed([1, 1, 1, 2, 3, 3], [1.0, 3.0, 0.5, 9.0, 2.0, 2.0])) == pytest.approx(
        3.5
    )


def test_one_token_per_step_and_steps_without_commits_have_no_risk():
    assert metrics.independence_risk(committed([1, 3, 4], [1.0, 2.0, 3.0])) == 0


@pytest.mark.parametrize(
    ("order", "tau"),
    [
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], -1.0),
        ([1, 1, 1], 0.0),
        ([1], 0.0),
        ([1, 1, 2], 2 / math.sqrt(2 * 3)),
        ([2, 1, 3], 1 / 3),
        ([0, 1, 0, 2], 1.0),  # masked positions are not part of the order
    ],
)
def test_left_to_right_is_kendalls_tau_b_of_the_unmasking_order(order, tau):
    assert metrics.left_to_right(committed(order, [1.0] * len(order))) == pytest.approx(tau)


def test_a_trace_without_steps_scores_zero():
    trace = next(infill(InfillRequest(length=3), models.load("toy")))
    assert metrics.independence_risk(trace) == metrics.left_to_right(trace) == 0
