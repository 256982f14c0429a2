"""Texts to records, tokenizers, and packed batches."""

from __future__ import annotations

import lzma

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from models.adapt.data import MASK, train_tokenizer
from models.corpus import END_OF_TEXT, Packed, read_records
from tests.models.adapt.runs import STORIES


@pytest.mark.parametrize("name", ["text.txt", "text.txt.xz"])
def test_records_are_read_plain_or_compressed(tmp_path, name):
    path = tmp_path / name
    raw = f"one\ntwo\n{END_OF_TEXT}\n\n{END_OF_TEXT}\nthree 🐈\n".encode()
    path.write_bytes(lzma.compress(raw) if path.suffix == ".xz" else raw)
    assert read_records(path) == read_records(str(path)) == ["one\ntwo", "three 🐈"]


def test_windows_text_is_read_like_any_other(tmp_path):
    file = tmp_path / "windows.txt"
    file.write_bytes(b"\xef\xbb\xbfOne day\r\nit rained.\r\n<|endoftext|>\r\nThe end.\r\n<|endoftext|>\r\n")
    assert read_records(file) == ["One day\nit rained.", "The end."]


def test_only_a_line_of_its_own_ends_a_record(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("We write <|endoftext|> here.\n<|endoftext|>\n<|endoftext|> starts a line\n", encoding="utf-8")
    assert read_records(file) == ["We write <|endoftext|> here.", "<|endoftext|> starts a line"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_text_that_is_not_utf_8_is_refused_with_the_place(tmp_path, compressed):
    path = tmp_path / ("text.xz" if compressed else "text")
    raw = "añ".encode() + b"\xff and more"
    path.write_bytes(lzma.compress(raw) if compressed else raw)
    with pytest.raises(ValueError, match=r"text(\.xz)? is not UTF-8 at byte 3; convert it"):
        read_records(path)


def test_a_text_that_is_missing_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*nowhere\.txt: .*No such file"):
        read_records(tmp_path / "nowhere.txt")
    with pytest.raises(ValueError, match=r"cannot read .*Is a directory"):
        read_records(tmp_path)


@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"no xz at all"])
def test_a_damaged_archive_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "text.xz"
    path.write_bytes(damage(lzma.compress(b"abc" * 99)))
    with pytest.raises(ValueError, match=r"cannot read .*text\.xz"):
        read_records(path)


@pytest.mark.parametrize(
    "text", ["The little dog", "naïve\n\tשלום  👩‍👩‍👧 \x00", "", " leading and trailing ", "don't , stop .", "ﷺ日本"]
)
def test_the_tokenizer_brings_back_every_text(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_tokenizer_has_an_end_and_a_mask_and_learns_both_forms_of_a_line_break(tokenizer):
    assert tokenizer.convert_tokens_to_ids([END_OF_TEXT, MASK]) == [0, 1]
    assert (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.mask_token_id) == (0, 0, 1)
    assert len(tokenizer) == 300
    one_line = train_tokenizer(["the\nbird"] * 9, 300)
    assert {"Ġbird", "bird"} <= set(one_line.get_vocab())


def packed(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, context: int = 16) -> Packed:
    return Packed(STORIES * 3, tokenizer, context=context, seed=seed)


def first_batches(data: Packed, count: int, *, size: int = 2, skip: int = 0) -> list[list[list[int]]]:
    return [batch.ids.tolist() for batch, _ in zip(data.batches(size, skip=skip), range(count), strict=False)]


def test_the_same_seed_gives_the_same_batches_and_another_one_others(tokenizer):
    first, again, other = (first_batches(packed(tokenizer, seed=seed), 20) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert np.shape(first) == (20, 2, 16)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_skipped_batches_are_those_that_would_have_been_drawn(tokenizer, size):
    epoch = len(packed(tokenizer).epoch(0)) // size
    straight = first_batches(packed(tokenizer), 2 * epoch + 6, size=size)
    for skip in (0, 1, epoch - 1, epoch, epoch + 1, 2 * epoch + 1):
        assert first_batches(packed(tokenizer), 5, size=size, skip=skip) == straight[skip : skip + 5]


def test_every_epoch_has_another_order_and_other_cuts(tokenizer):
    data = packed(tokenizer)
    first, second = data.epoch(0).tolist(), data.epoch(1).tolist()
    assert first != second
    assert packed(tokenizer).epoch(1).tolist() == second, "an epoch depends on the one before it"
    alone = "".join(STORIES).replace("\n", " ")  # a single record can only be cut elsewhere
    single = Packed([alone], tokenizer, context=16, seed=0)
    assert not {tuple(chunk) for chunk in single.epoch(0)} & {tuple(chunk) for chunk in single.epoch(1)}


def test_line_breaks_are_kept_in_some_records_and_turned_into_spaces_in_others(tokenizer):
    data = Packed(["one\ntwo"] * 40, tokenizer, context=64, seed=0)
    text = tokenizer.decode(data.epoch(0).reshape(-1))
    whole = text.split(END_OF_TEXT)
    assert whole.count("one\ntwo") > 5
    assert whole.count("one two") > 5


def test_records_are_joined_by_the_end_of_text(tokenizer):
    data = Packed(["ab"] * 30, tokenizer, context=6, seed=1)
    pattern = [*tokenizer("ab")["input_ids"], 0]
    (period,) = {tuple(pattern[i:] + pattern[:i]) for i in range(len(pattern))} & {
        tuple(data.epoch(0)[0][: len(pattern)].tolist())
    }
    assert sorted(period) == sorted(pattern)


def test_the_sample_to_validate_on_is_the_first_chunks_or_all_of_them(tokenizer):
    data = packed(tokenizer)
    assert data.sample(3).ids.tolist() == data.epoch(0)[:3].tolist()
    assert len(data.sample(10**6).ids) == len(data.epoch(0))


def test_a_text_that_is_too_short_is_refused(tokenizer):
    with pytest.raises(ValueError, match="no records"):
        Packed([], tokenizer, context=16, seed=0)
    with pytest.raises(ValueError, match="shorter than one context of 500"):
        Packed(["a"], tokenizer, context=500, seed=0).epoch(0)
    with pytest.raises(ValueError, match="do not fill one batch of 100"):
        next(packed(tokenizer).batches(100, skip=0))


def test_a_tokenizer_without_an_end_is_refused(tokenizer):
    endless = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(ValueError, match="no end-of-text"):
        Packed(STORIES, endless, context=16, seed=0)
