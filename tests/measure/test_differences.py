"""Figures of texts by hand, texts of a tiny pair, and what is written of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from app.errors import InfillError
from app.measure.bootstrap import draw_counts, estimate_pooled
from app.measure.differences import report
from app.measure.differences.measures import (
    MEASURES,
    coherence,
    difference,
    diversity,
    measure_texts,
    repeated_places,
    split_sentences,
)
from app.measure.differences.texts import WAYS, cut_prompts, own_prompts, write_texts
from app.measure.map.runs import Rows
from app.trace.metrics import ngram_nats
from models.toy import ToyTokenizer

LETTERS = ToyTokenizer("abcdefghijklmnopqrstuvwxyz .")
AXES = np.eye(30)[:, :3] + np.eye(30, k=-3)[:, :3]  # a and d, b and e, c and f are the same topic; the others have none


def ids(text: str) -> list[int]:
    return LETTERS.encode(text)


def test_pooled_entropies_are_those_worked_by_hand():
    assert ngram_nats(["aabb"], 1) == pytest.approx(math.log(2))
    assert ngram_nats(["abab"], 2) == pytest.approx(-(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)))
    assert ngram_nats(["a", "b"], 2) == 0, "n-grams never cross texts"


def test_diversity_is_that_of_two_equal_opposite_and_orthogonal_texts():
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    found = [diversity(np.array(pair)) for pair in ((east, east), (east, -east), (east, north))]
    assert found == [0.0, 1.0, 0.5]


def test_coherence_is_the_mean_cosine_of_adjacent_sentences_or_missing():
    assert coherence(ids("a.d.b."), AXES, LETTERS) == pytest.approx((1 + 0) / 2)
    assert coherence(ids("abc"), AXES, LETTERS) is np.nan, "one sentence"
    assert coherence(ids("a.x."), AXES, LETTERS) is np.nan, "the second sentence has no topic"
    assert [len(each) for each in split_sentences(ids("a. .bc.d"), LETTERS)] == [2, 3, 1]


def test_texts_of_one_sentence_are_left_out_of_the_mean():
    texts = [ids("a.d."), ids("abcd")]
    found = measure_texts(texts, [1.0, 2.0], AXES, LETTERS, draw_counts(2, resamples=50)).estimates
    assert found["coherence"].mean == pytest.approx(1.0)
    assert found["nats"].mean == 1.5
    assert list(found) == list(MEASURES)


def test_without_topic_vectors_only_the_other_figures_are_measured():
    found = measure_texts([ids("a.d."), ids("b.c.")], [1.0, 2.0], None, LETTERS, draw_counts(2, resamples=9)).estimates
    assert [name for name, figure in found.items() if math.isnan(figure.mean)] == ["coherence", "diversity"]


def test_the_interval_of_a_pooled_figure_lies_around_it():
    found = estimate_pooled(5.0, np.array([3.0, 4.0, 5.0]))
    assert (found.mean, found.low, found.high) == pytest.approx((5.0, 4.05, 5.95))


def test_a_row_does_not_differ_from_itself():
    texts = [ids("abca"), ids("bbcd"), ids("cdef")]
    figures = measure_texts(texts, [1.0, 2.0, 3.0], AXES, LETTERS, draw_counts(3, resamples=50))
    for name in MEASURES:
        if name != "coherence":  # NaN
            found = difference(figures, figures, name)
            assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_tokens_of_triples_that_occurred_before_are_found():
    assert repeated_places("abcxabcy") == [4, 5, 6]
    assert repeated_places("aaaa") == [1, 2, 3]


class Parent:
    """Continues every prompt with the letter b, at a nat a token."""

    tokenizer = LETTERS

    def complete(self, prompts, length, *, temperature, seed):
        return [[1] * length for _ in prompts]

    def log_probabilities(self, prompts, texts):
        return [-np.ones(len(text)) for text in texts]


def written(network, count, *, batch):
    prompts = cut_prompts(["ab" * 24, "cd" * 24, "short"], network, length=12, count=count)
    prompts += own_prompts(["the cat"], network)
    tasks = [(number, prompt, WAYS) for number, prompt in enumerate(prompts)]
    return [*write_texts(tasks, network, Parent(), length=12, batch=batch)]


def test_parent_and_child_continue_the_same_prompts_and_seeds_repeat_the_texts(network):
    found = written(network, 2, batch=1)
    rows = {row["key"]: row for row in found[0]["rows"]}
    assert list(rows) == [way.key for way in WAYS]
    assert rows["human"]["fill"] == ids("ab" * 6)
    assert rows["parent"] == {"key": "parent", "seed": 0, "fill": [1] * 12, "nats": 1.0}
    for key in list(rows)[2:]:
        assert len(rows[key]["fill"]) == 12
        assert max(rows[key]["fill"]) < 28, "a special token was written"
    again = {row["key"]: row["fill"] for row in written(network, 2, batch=2)[0]["rows"]}
    assert again == {key: row["fill"] for key, row in rows.items()}
    assert rows["left_to_right"]["fill"] != rows["random"]["fill"]


def test_too_few_long_records_are_a_mistake(network):
    with pytest.raises(InfillError, match="only 2 records have 44 tokens or more"):
        written(network, 3, batch=1)


def test_the_report_has_every_row_its_samples_and_the_differences(network, tmp_path):
    rows = Rows(tmp_path, {})
    *texts, sample = written(network, 2, batch=1)
    for found in (*texts, {**sample, "problem": 1_000_000}):
        rows.add(found)
    built = report.build(rows, ["the cat"], 2, 12, AXES, network)
    made = json.loads(report.as_json(built))
    assert [row["key"] for row in made["rows"]] == [way.key for way in WAYS]
    assert [len(row["samples"]) for row in made["rows"]] == [0, *[1] * 7]
    parent = made["rows"][1]
    assert parent["samples"][0] == {"prompt": "the cat", "pieces": ["b"] * 12, "repeated": [*range(1, 12)]}
    assert parent["figures"]["entropy1"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert parent["figures"]["coherence"] == {"mean": None, "low": None, "high": None}
    assert {each["from"] for each in made["differences"]} == {"random"}
    assert len(made["differences"]) == 7 * len(MEASURES)
    assert "| parent, left to right | 0.00 [0.00, 0.00] |" in report.as_markdown(built)


def test_fewer_than_two_whole_prompts_are_a_mistake(network, tmp_path):
    with pytest.raises(InfillError, match="fewer than two prompts"):
        report.build(Rows(tmp_path, {}), [], 2, 12, None, network)
