"""Swapped words and redrawn tokens: how they are made, and the figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.__main__ import main
from app.measure.problems import Problem
from app.measure.proofreading import NEAR, area, like_words, rank_swapped, swap_word
from app.proofread import proofread

PASSAGE = "Hi. the cat sat on the mat today. Bye now."


def test_the_area_under_the_curve_is_that_of_all_pairs_and_ties_count_half():
    original, redrawn = np.array([0.0, -1.0, -2.0]), np.array([-2.0, -3.0])
    pairs = [(a > b) + (a == b) / 2 for a in original for b in redrawn]
    assert area([(original[:1], redrawn), (original[1:], redrawn[:0])]) == pytest.approx(sum(pairs) / 6)
    assert np.isnan(area([(original, redrawn[:0])]))


def test_one_word_of_a_long_sentence_is_swapped_for_a_neighbour():
    likes = {"cat": ["dog"], "mat": ["rug"], "hi": ["no"], "bye": ["no"], "now": ["no"]}
    seen = set()
    for seed in range(20):
        swapped = swap_word(PASSAGE, likes, np.random.default_rng(seed))
        assert swapped is not None
        changed, (start, stop), at = swapped
        assert changed[start:stop].strip() in ("the dog sat on the mat today.", "the cat sat on the rug today.")
        assert changed[at : at + 3] in ("dog", "rug")
        seen.add(changed)
    assert len(seen) == 2
    assert swap_word("Too short.", likes, np.random.default_rng(0)) is None


def test_neighbours_of_a_word_are_about_as_common(bundled):
    likes = like_words(bundled)
    assert len(likes["dog"]) == NEAR
    assert "dog" not in likes["dog"]
    frequency = dict(zip(range(bundled.tokenizer.size), bundled.tokenizer.frequencies, strict=True))
    ids = [bundled.tokenizer.encode(f" {word}")[0] for word in ("dog", *likes["dog"])]
    shares = [frequency[token] for token in ids]
    assert max(shares) < 1.5 * min(shares)


def test_the_rank_is_that_among_the_words_of_the_sentence_and_of_the_passage(bundled):
    changed = "Tom had a dog. The dog was very spoon and ran home. Tom was sad."
    start, stop, at = changed.index(" The"), changed.index(" Tom was"), changed.index("spoon")
    inside, all_words, count = rank_swapped(changed, (start, stop), at, bundled)
    beliefs = {word.start: word.belief for word in proofread([changed], bundled)}
    assert count == 8
    assert all_words == sum(belief < beliefs[at] for belief in beliefs.values())
    assert inside <= all_words


@pytest.fixture(scope="module")
def bundled():
    import models

    return models.load("bundled")


def test_the_command_marks_a_text_and_measures_problems(tmp_path, capsys):
    text = "Tom saw a big dog in the park. The dog was very spoon and ran [[2]]."
    assert main(["proofread", "--text", text, "--share", "0.15"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Tom ")
    assert "_spoon_" in shown
    assert "░░" in shown
    assert main(["proofread", "--text", text, "--json"]) == 0
    words = json.loads(capsys.readouterr().out)
    assert [word["text"] for word in words][:3] == ["Tom", "saw", "a"]
    problem = Problem(
        prefix="One day Tom saw", middle="a big brown dog", suffix="in the park. It was very happy to see him."
    )
    file = tmp_path / "problems.jsonl"
    file.write_text("\n".join([json.dumps(vars(problem))] * 3), encoding="utf-8")
    assert main(["proofread", "--problems", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sentences"], found["texts"]) == (3, 3)
    assert 0 <= found["in_passage"]["mean"] <= found["in_sentence"]["mean"] <= 1


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--text", "a", "--share", "2"], "--share must be from 0 to 1"),
        (["--text", "a [[auto]]"], "write a number of masks"),
        (["--text", "."], "there is no word"),
        (["--problems", "none.jsonl", "--limit", "0"], "--limit must be 1 or more"),
    ],
)
def test_mistakes_are_told(flags, why, capsys):
    assert main(["proofread", *flags, "--model", "toy"]) == 2
    assert why in capsys.readouterr().err
