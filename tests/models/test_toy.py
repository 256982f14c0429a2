from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from models.denoiser import Query, Sampling
from models.toy import MarkovDenoiser, ToyTokenizer, toy

CHAIN = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]])


@pytest.mark.parametrize("known", [{}, {0: 1}, {0: 0, 5: 2}, {2: 1}, {1: 2, 2: 0, 4: 1}])
def test_beliefs_equal_the_sum_over_all_texts(known):
    denoiser = MarkovDenoiser(ToyTokenizer("abc"), CHAIN)
    ids = np.array([known.get(i, denoiser.tokenizer.mask_id) for i in range(6)])
    expected = np.zeros((6, 3))
    for text in itertools.product(range(3), repeat=6):
        if all(text[i] == token for i, token in known.items()):
            weight = np.prod([CHAIN[a, b] for a, b in itertools.pairwise(text)])
            expected[range(6), text] += weight
    assert denoiser.marginals(ids) == pytest.approx(expected / expected.sum(-1, keepdims=True))


def test_predictions_are_the_beliefs_and_special_tokens_are_never_believed():
    denoiser = MarkovDenoiser(ToyTokenizer("abc"), CHAIN)
    ids = np.array([0, 4, 4, 2])
    sampling = Sampling(temperature=1.0)
    query = Query(ids=ids, positions=np.array([1, 2]), uniforms=np.array([0.1, 0.9]), sampling=sampling)
    (prediction,) = denoiser.predict([query])
    beliefs = denoiser.marginals(ids)
    for position in (1, 2):
        assert prediction.top_probs[position, :3] == pytest.approx(np.sort(beliefs[position])[::-1])
        assert prediction.top_tokens[position, 3:].tolist() == [-1, -1]


def test_text_survives_the_tokenizer():
    tokenizer = toy().tokenizer
    text = "a quick fox."
    assert b"".join(tokenizer.token_bytes(token) for token in tokenizer.encode(text)).decode() == text


def test_loading_the_toy_and_predicting_does_not_import_torch():
    code = """
import sys
import numpy as np
import models
from models.denoiser import BeliefCache, Guidance, Query, Sampling
toy = models.load("toy")
ids = np.array([0, toy.tokenizer.mask_id, 1])
guidance = Guidance(ids=np.array([0, toy.tokenizer.mask_id, toy.tokenizer.mask_id]), weight=1.0)
sampling = Sampling(temperature=0.9, top_p=0.9, banned=toy.tokenizer.begin)
query = Query(
    ids=ids, positions=np.array([1]), uniforms=np.array([0.5]), sampling=sampling,
    guidance=guidance, cache=BeliefCache(), lookback=1, targets=np.array([2]),
)
(prediction,) = toy.predict([query])
assert prediction.candidates[1] >= 0
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
