"""The entropy of a token splits exactly into that of its class and that within it, in numpy and in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from models import reduction
from models.classes import CLASSES, TokenClasses, WordClass
from models.denoiser import Query
from models.networks import reduction as in_torch
from models.prediction import Prediction
from tests.models.test_reduction import assert_equal, query, random_logits


def table(of: list[int]) -> TokenClasses:
    named = [WordClass(str(number), str(number), content=False) for number in range(max(of) + 1)]
    return TokenClasses(tuple(named), np.array(of))


def both(probabilities: list[float], of: list[int]) -> list[Prediction]:
    """Return what is believed about one position."""
    logits = np.log(np.array([probabilities]))
    asked = Query(ids=np.zeros(3, dtype=np.int64), positions=np.array([1]), uniforms=np.zeros(1), classes=table(of))
    return [reduction.reduce(logits, asked), in_torch.reduce(torch.from_numpy(logits), asked)]


def numbers(found: Prediction) -> tuple[Any, float, float]:
    assert found.class_probs is not None
    assert found.class_entropy is not None
    assert found.class_given is not None
    return found.class_probs[1].tolist(), float(found.class_entropy[1]), float(found.class_given[1])


def test_a_half_a_quarter_and_two_eighths_in_two_classes():
    """H = 1.75 bits; p = (3/4, 1/4); within them 3/4 of H(1/3) and 1/4 of ln 2."""
    for found in both([0.5, 0.25, 0.125, 0.125], [0, 0, 1, 1]):
        p, of_class, within = numbers(found)
        assert p == pytest.approx([0.75, 0.25], abs=1e-15)
        assert of_class == pytest.approx(0.5623351446, abs=1e-9)
        assert within == pytest.approx(0.75 * 0.6365141683 + 0.25 * np.log(2), abs=1e-9)
        assert of_class + within == pytest.approx(1.75 * np.log(2), abs=1e-12)


def test_one_class_for_all_says_nothing():
    for found in both([0.5, 0.25, 0.125, 0.125], [0, 0, 0, 0]):
        p, of_class, within = numbers(found)
        assert (p, abs(of_class)) == ([1.0], 0.0)
        assert within == found.entropy[1]


def test_a_class_for_each_token_says_everything():
    for found in both([0.5, 0.25, 0.125, 0.125], [2, 0, 3, 1]):
        assert numbers(found)[2] == pytest.approx(0.0, abs=1e-15)
        assert numbers(found)[0] == pytest.approx([0.25, 0.125, 0.5, 0.125])


@pytest.mark.parametrize("seed", range(5))
def test_both_reductions_agree_and_split_as_the_definition_says(seed):
    rng = np.random.default_rng(seed)
    logits = random_logits(seed)
    of = np.r_[0:5, rng.integers(0, 5, logits.shape[1] - 8)]  # fewer than the logits: the rest are padded rows
    logits[:, len(of) :] = -np.inf
    asked = query(seed, classes=table(of.tolist()))
    found = reduction.reduce(logits, asked)
    assert_equal(found, in_torch.reduce(torch.from_numpy(logits), asked))
    assert found.class_given is not None
    for row, position in zip(logits, asked.positions, strict=True):
        pi = np.exp(row - row.max())[: len(of)] / np.exp(row - row.max()).sum()
        within = 0.0
        for place in range(5):
            mine = pi[of == place]
            part = mine[mine > 0] / mine.sum()
            within -= mine.sum() * (part * np.log(part)).sum()
        assert found.class_given[position] == pytest.approx(within, abs=1e-12)


def test_without_classes_there_are_no_probabilities():
    found = reduction.reduce(random_logits(0), query(0))
    assert (found.class_probs, found.class_entropy, found.class_given) == (None, None, None)


def test_twelve_classes_have_letters_of_their_own():
    assert len(CLASSES) == len({each.letter for each in CLASSES}) == len({each.name for each in CLASSES}) == 12
    assert [each.name for each in CLASSES if each.content] == ["noun", "name", "verb", "adjective", "adverb", "number"]
