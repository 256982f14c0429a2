"""The tables behind the figures, on the toy, whose beliefs have a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from app.errors import InfillError
from app.lessons.tables import MAKERS, make_table
from models.toy import MarkovDenoiser, ToyTokenizer

CHAIN = MarkovDenoiser(ToyTokenizer("abc"), np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.1, 0.5]]))


def test_the_lens_has_what_the_probabilities_at_any_temperature_need():
    found = make_table({"make": "lens", "request": {"text": "a[[1]]", "steps": 1}, "step": 0}, CHAIN)
    (position,) = found["positions"]
    texts, logits = zip(*position["tops"], strict=True)
    assert texts == ("a", "b", "c")
    for temperature, tail in zip(found["temperatures"], position["tail"], strict=True):
        weights = np.exp(np.array(logits) / temperature)
        exact = np.array([0.7, 0.2, 0.1]) ** (1 / temperature)
        np.testing.assert_allclose(weights / (weights.sum() + np.exp(tail)), exact / exact.sum(), atol=2e-3)
    with pytest.raises(InfillError, match="no masks left after step 1"):
        make_table({"make": "lens", "request": {"text": "a[[1]]", "steps": 1}, "step": 1}, CHAIN)


def test_a_gap_is_filled_with_every_number_of_masks():
    found = make_table({"make": "lengths", "request": {"text": "a[[auto]]c", "steps": 4}, "most": 3}, CHAIN)
    assert [len(fill["pieces"]) for fill in found["fills"]] == [1, 2, 3]
    assert [sorted(fill["when"]) for fill in found["fills"]] == [[1], [1, 2], [1, 2, 3]]
    assert found["choice"]["chosen"] in found["choice"]["lengths"]


def test_passes_are_measured_for_one_to_sixteen_texts():
    found = make_table({"make": "rows"}, CHAIN)
    assert found["rows"] == [1, 2, 4, 8, 16]
    assert len(found["ms"]) == 5
    assert min(found["ms"]) > 0
    assert found["machine"]


def test_pieces_join_to_the_text():
    assert "".join(make_table({"make": "pieces", "text": "abca"}, CHAIN)["pieces"]) == "abca"


def test_a_table_that_does_not_exist_is_refused_by_name():
    with pytest.raises(InfillError, match="unknown table 'lense'; did you mean 'lens'"):
        make_table({"make": "lense"}, CHAIN)
    assert set(MAKERS) == {"lens", "orders", "lengths", "rows", "pieces"}
