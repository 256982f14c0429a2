"""The counts of tokens that ship with a checkpoint."""

from __future__ import annotations

import json

import numpy as np
import pytest

import models
from models.adapt.frequencies import count
from models.checkpoints.convert import quantize
from models.checkpoints.frequencies import NAME, read_frequencies, write_frequencies
from tests.models.checkpoints.test_formats import write

VOCABULARY = {"a": 0, "b": 1, "Ġa": 2, "c": 3}


def test_frequencies_are_counts_over_their_sum_and_what_never_came_counts_once(tmp_path):
    (tmp_path / NAME).write_text(json.dumps({"a": 5, "Ġa": 3}))
    found = read_frequencies(tmp_path, VOCABULARY)
    assert found is not None
    assert found.tolist() == [5 / 8, 1 / 8, 3 / 8, 1 / 8]


def test_a_folder_without_counts_has_none(tmp_path):
    assert read_frequencies(tmp_path, VOCABULARY) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 5, "d": 3}', "another tokenizer, which knows 'd'"),
        ('{"a": 5', "cannot be read"),
        ("[1, 2]", "cannot be read"),
        ('{"a": "many"}', "cannot be read"),
        ('{"a": null}', "cannot be read"),
        ('{"a": 0}', "below 1"),
        ("{}", "below 1"),
    ],
)
def test_counts_that_make_no_sense_are_refused_with_the_way_out(tmp_path, content, said):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ValueError, match=said):
        read_frequencies(tmp_path, VOCABULARY)


def test_the_denoiser_knows_the_counts_of_a_text(tmp_path):
    folder, text = write(tmp_path / "model"), tmp_path / "text.txt"
    text.write_text("the cat sat\nthe cat\n<|endoftext|>\nthe cat\n<|endoftext|>\n", encoding="utf-8")
    counted = count(text, folder)
    write_frequencies(folder / NAME, counted)
    counts = json.loads((folder / NAME).read_text())
    assert counts == dict(counted)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert "".join(counts).count("<|endoftext|>") == 0, "where records end is no text"
    tokenizer = models.load(str(folder)).tokenizer
    assert tokenizer.frequencies is not None
    written = [*tokenizer.encode("the cat sat\nthe cat"), *tokenizer.encode("the cat")]
    expected = [max(1, written.count(token)) / len(written) for token in range(len(tokenizer.frequencies))]
    assert tokenizer.frequencies.tolist() == pytest.approx(expected)


def test_counts_go_along_when_a_checkpoint_is_quantised(tmp_path):
    folder = write(tmp_path / "model")
    (folder / NAME).write_text(json.dumps({"a": 5}))
    quantize(str(folder), tmp_path / "small", "int8")
    assert (tmp_path / "small" / NAME).read_text() == (folder / NAME).read_text()


def test_the_bundled_model_has_counts_in_which_the_full_stop_is_the_commonest():
    tokenizer = models.load("bundled").tokenizer
    assert tokenizer.frequencies is not None
    assert tokenizer.token_bytes(int(tokenizer.frequencies.argmax())) == b"."
    assert tokenizer.frequencies.min() > 0
    assert tokenizer.frequencies.sum() == pytest.approx(1.0, abs=1e-3)  # unseen tokens count once


def test_a_model_of_letters_has_none():
    assert models.load("toy").tokenizer.frequencies is None


def test_a_missing_and_an_empty_text_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot read"):
        count(tmp_path / "nowhere.txt", models.BUNDLED)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ValueError, match="there is no text"):
        count(tmp_path / "empty.txt", models.BUNDLED)


def test_frequencies_are_as_long_as_the_vocabulary():
    denoiser = models.load("bundled")
    assert denoiser.tokenizer.frequencies is not None
    assert len(denoiser.tokenizer.frequencies) == 4096
    assert np.isfinite(np.log(denoiser.tokenizer.frequencies)).all()
