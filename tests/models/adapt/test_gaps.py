"""Gaps that are opened in running text."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from models.adapt.data import train_tokenizer
from models.adapt.gaps import Gaps
from models.corpus import Packed

STORY = "The little dog ran home. He was very happy! Was he? A cat sat on the mat. It saw a bird. The bird flew away."


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([STORY] * 3, 300)


def gaps(tokenizer, *, seed: int = 0, everywhere: float = 0.0) -> Gaps:
    return Gaps(Packed([STORY] * 60, tokenizer, context=128, seed=seed), tokenizer, seed=seed, everywhere=everywhere)


def test_gaps_leave_what_lies_around_them_in_sight(tokenizer):
    for batch in islice(gaps(tokenizer).batches(4), 5):
        assert batch.maskable is not None
        assert batch.maskable.shape == batch.ids.shape == (4, 128)
        assert (batch.maskable.any(1) & ~batch.maskable.all(1)).all()


def test_a_share_of_the_chunks_is_gap_from_end_to_end(tokenizer):
    batches = [*islice(gaps(tokenizer, everywhere=0.4).batches(4), 50)]
    share = np.mean([np.asarray(batch.maskable).all(1).mean() for batch in batches])
    assert share == pytest.approx(0.4, abs=0.1)


def test_most_gaps_are_whole_sentences(tokenizer):
    starts = whole = 0
    for batch in islice(gaps(tokenizer).batches(4), 20):
        for ids, maskable in zip(batch.ids, batch.maskable, strict=True):
            (edges,) = np.nonzero(np.diff(maskable.astype(int)) == 1)
            texts = [tokenizer.decode(ids[: edge + 1]) for edge in edges]
            starts += len(texts)
            whole += sum(text.endswith((".", "!", "?")) for text in texts)
    assert starts > 100
    assert whole / starts > 0.4


def test_batches_depend_on_seed_and_number_alone(tokenizer):
    straight = [*islice(gaps(tokenizer, seed=3).batches(2), 9)]
    later = [*islice(gaps(tokenizer, seed=3).batches(2, skip=5), 4)]
    other = [*islice(gaps(tokenizer, seed=4).batches(2), 9)]
    for first, second in zip(straight[5:], later, strict=True):
        assert np.array_equal(first.ids, second.ids)
        assert np.array_equal(first.maskable, second.maskable)
    assert any(not np.array_equal(a.maskable, b.maskable) for a, b in zip(straight, other, strict=True))


def test_a_sample_is_the_same_every_time(tokenizer):
    first, second = gaps(tokenizer).sample(5), gaps(tokenizer).sample(5)
    assert np.array_equal(first.ids, second.ids)
    assert np.array_equal(first.maskable, second.maskable)
