from __future__ import annotations

import numpy as np
import pytest

from models.adapt.topics import count_pairs, positive_information, topics_of
from models.checkpoints.topics import NAME, read_topics, write_topics


def test_pairs_are_counted_both_ways_within_the_window_and_within_a_record():
    pairs = count_pairs([np.array([0, 1, 2]), np.array([2, 0])], 3, 1)
    assert pairs.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert count_pairs([np.array([0, 1, 2])], 3, 2)[0].tolist() == [0, 1, 1]


def test_information_is_positive_and_zero_for_pairs_that_never_occur():
    pairs = np.array([[0, 2, 0], [2, 0, 0], [0, 0, 4]], dtype=np.float32)
    # p(0, 1) = 2/8, p(0) = p(1) = 2/8: log(1/4 / (1/16)) = log 4; p(2, 2) = 4/8 = p(2): log 2.
    expected = np.log([[1, 4, 1], [4, 1, 1], [1, 1, 2]])
    assert positive_information(pairs) == pytest.approx(expected, abs=1e-6)


def test_tokens_of_one_topic_are_near_each_other_and_unseen_ones_have_none():
    rng = np.random.default_rng(0)
    records = [rng.integers(0, 4, 30) + 4 * (number % 2) for number in range(60)]
    vectors = topics_of(records, 9, dimensions=3)
    units = vectors[:8] / np.linalg.norm(vectors[:8], axis=1, keepdims=True)
    cosines = units @ units.T
    assert cosines[:4, :4].min() > 0.5 > cosines[:4, 4:].max()
    assert not vectors[8].any()


def test_vectors_are_read_as_written_in_half_precision(tmp_path):
    vectors = np.array([[0.5, -1.25], [3.0, 0.0]])
    assert read_topics(tmp_path, 2) is None
    write_topics(tmp_path / NAME, vectors)
    np.testing.assert_array_equal(read_topics(tmp_path, 2), vectors)
    with pytest.raises(ValueError, match="for each of 3 tokens"):
        read_topics(tmp_path, 3)
    (tmp_path / NAME).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        read_topics(tmp_path, 2)
