"""Long gaps cut out of running text."""

from __future__ import annotations

import pytest

import models
from app.errors import InfillError
from app.measure.problems import cut_gaps, oracle_length

STORY = (
    "Once upon a time there was a little girl named Sue. She had a red ball and a small brown dog. One day they went "
    "to the park to play. The dog ran after the ball and did not come back. Sue was sad and called his name. Then she "
    "heard a bark behind a big tree. The dog had found a new friend. They all played together until the sun went down."
)


def test_a_gap_has_exactly_the_tokens_asked_for_and_the_text_is_whole():
    denoiser = models.load("bundled")
    problems = cut_gaps([STORY, f"  {STORY}\n"], denoiser, length=32, seed=1)
    assert len(problems) == 2
    for problem in problems:
        assert oracle_length(problem, denoiser) == 32
        assert " ".join([problem.prefix, problem.middle, problem.suffix]) == STORY
    assert cut_gaps([STORY], denoiser, length=32, seed=1) == problems[:1]
    assert len({cut_gaps([STORY], denoiser, length=32, seed=seed)[0].middle for seed in range(6)}) > 1


def test_texts_that_are_too_short_are_refused():
    with pytest.raises(InfillError, match="gap of 64 tokens"):
        cut_gaps(["A dog."], models.load("toy"), length=64)
