"""Examples to fine-tune on: targets, padding, and examples left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerFast

from models.adapt.data import Examples
from models.corpus import Batch
from tests.models.adapt.runs import EXAMPLES, STORIES

END = 0


@pytest.fixture
def read(tokenizer, tmp_path) -> Any:
    """Make a source of texts or examples, one per line."""

    def read(*lines: str | dict[str, str], context: int = 64, seed: int = 0) -> Examples:
        written = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        path = tmp_path / "examples.jsonl"
        path.write_text("\n".join(written) + "\n", encoding="utf-8")
        return Examples(path, tokenizer, context=context, seed=seed)

    return read


def parts(batch: Batch, tokenizer: PreTrainedTokenizerFast, row: int = 0) -> tuple[str, str, str]:
    """Return the texts before the target, of it, and after it without the padding."""
    assert batch.maskable is not None
    assert batch.real is not None
    places = np.flatnonzero(batch.maskable[row])
    assert (np.diff(places) == 1).all(), "the target is not one stretch"
    start, stop = places[0], places[-1] + 1
    length = int(batch.real[row].sum())
    assert batch.real[row][:length].all()
    left, target, right = (
        str(tokenizer.decode(batch.ids[row][slice(*ends)])) for ends in ((0, start), (start, stop), (stop, length))
    )
    return left, target, right


def test_the_middle_alone_is_the_target_and_carries_its_own_space(read, tokenizer):
    source = read({"prefix": "The little dog ", "middle": " ran home. ", "suffix": "He was happy."})
    assert parts(source.sample(9), tokenizer) == ("The little dog", " ran home.", " He was happy.")


def test_a_response_and_its_end_are_the_target(read, tokenizer):
    source = read({"prompt": "Who flew away?", "response": "The bird."})
    assert parts(source.sample(9), tokenizer) == ("Who flew away?", " The bird.<|endoftext|>", "")


def test_something_stands_before_every_target(read, tokenizer):
    source = read({"prefix": "", "middle": "She", "suffix": ""}, {"prompt": " ", "response": "Yes"})
    batch = source.sample(9)
    assert batch.maskable is not None
    assert not batch.maskable[:, 0].any()
    assert parts(batch, tokenizer) == ("<|endoftext|>", "She", "")
    assert parts(batch, tokenizer, 1) == ("<|endoftext|>", "Yes<|endoftext|>", "")


def test_what_begins_a_text_is_the_tokenizers_begin_where_it_has_one(tokenizer, tmp_path):
    other = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|endoftext|>", bos_token="!"
    )
    path = tmp_path / "examples.jsonl"
    path.write_text(json.dumps({"prefix": "", "middle": "She", "suffix": ""}))
    batch = Examples(path, other, context=16, seed=0).sample(1)
    assert other.decode(batch.ids[0]) == "!She"


def test_an_empty_middle_is_left_out_but_an_empty_response_is_an_end(read, tokenizer):
    source = read({"prefix": "A cat", "middle": " ", "suffix": "sat."}, {"prompt": "Say nothing.", "response": ""})
    assert source.left_out == 1
    assert parts(source.sample(9), tokenizer) == ("Say nothing.", "<|endoftext|>", "")


def test_shorter_examples_are_padded_and_the_padding_is_hidden_and_no_target(read, tokenizer):
    batch = read(*EXAMPLES).sample(9)
    assert batch.real is not None
    assert batch.maskable is not None
    lengths = batch.real.sum(1)
    assert lengths.max() == batch.ids.shape[1] > lengths.min()
    assert not (batch.maskable & ~batch.real).any()
    assert (batch.ids[~batch.real] == END).all()
    alone = [parts(read(example).sample(1), tokenizer) for example in EXAMPLES]
    assert [parts(read(*EXAMPLES).sample(9), tokenizer, row) for row in range(len(EXAMPLES))] == alone


@pytest.mark.parametrize("context", [6, 7, 8, 11, 20])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 3), (9, 1), (1, 9), (9, 9), (0, 9), (9, 0)])
def test_what_does_not_fit_is_cut_at_the_far_ends_and_never_the_target(read, tokenizer, context, before, after):
    def count(text: str) -> int:
        return len(tokenizer(text)["input_ids"])

    prefix, suffix = "QWRTZPSDF"[:before], "987654321"[:after]
    batch = read({"prefix": prefix, "middle": "ABCD", "suffix": suffix}, context=context).sample(1)
    left, target, right = parts(batch, tokenizer)
    whole_left, whole_right = prefix or "<|endoftext|>", " " * bool(after) + suffix
    assert target == " " * bool(before) + "ABCD"
    assert whole_left.endswith(left)
    assert whole_right.startswith(right)
    assert batch.ids.shape[1] == min(context, count(whole_left + target + whole_right)), "cut too much or too little"
    if left != whole_left and right != whole_right:
        assert abs(count(left) - count(right)) <= 1, "one side was cut more than the other"


def test_targets_that_are_too_long_are_counted_and_left_out(read, tokenizer):
    long = {"prompt": "Tell me a story.", "response": " ".join(STORIES)}
    source = read(long, *EXAMPLES, long, context=16)
    assert source.left_out == 2
    assert len(source.sample(99).ids) == len(EXAMPLES)
    with pytest.raises(ValueError, match=r"examples\.jsonl has no example whose target fits into a context of 16"):
        read(long, context=16)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prefix": "a", "middle": ', "line 3 of .*examples.jsonl is not JSON"),
        ("[" * 100_000, "line 3 of .*examples.jsonl is not JSON"),
        ('{"prefix": "a", "middle": "b"}', "line 3 of .* must have the texts prefix, middle and suffix, or prompt"),
        ('{"response": "b"}', "line 3 of .* must have the texts"),
        ('{"prompt": "a", "response": 7}', "line 3 of .* must have the texts"),
        ('["prefix", "middle", "suffix"]', "line 3 of .* must have the texts"),
        ("7", "line 3 of .* must have the texts"),
    ],
)
def test_a_line_that_is_broken_is_named(read, line, said):
    with pytest.raises(ValueError, match=said):
        read(EXAMPLES[0], "", line)


def test_characters_that_only_some_take_for_a_line_break_do_not_break_a_line(read, tokenizer):
    source = read({"prompt": "a\u2028b\u0085", "response": "c\x0bd\x1c"}, EXAMPLES[2])
    assert len(source.sample(9).ids) == 2
    assert parts(source.sample(9), tokenizer)[1] == " c\x0bd\x1c<|endoftext|>"


def test_examples_that_are_not_utf_8_or_missing_are_refused(tokenizer, tmp_path):
    (tmp_path / "latin").write_bytes(b'{"prompt": "\xe9"}')
    with pytest.raises(ValueError, match="latin is not UTF-8 at byte 12"):
        Examples(tmp_path / "latin", tokenizer, context=16, seed=0)
    with pytest.raises(ValueError, match=r"cannot read .*nowhere"):
        Examples(tmp_path / "nowhere", tokenizer, context=16, seed=0)


def test_a_tokenizer_without_an_end_is_refused(tokenizer, tmp_path):
    endless = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    (tmp_path / "examples").write_text(json.dumps(EXAMPLES[0]))
    with pytest.raises(ValueError, match="no end-of-text"):
        Examples(tmp_path / "examples", endless, context=16, seed=0)


def test_a_batch_depends_on_the_seed_and_its_number_alone(read):
    def batches(count: int, *, seed: int = 0, skip: int = 0) -> list[list[list[int]]]:
        source = read(*EXAMPLES, seed=seed)
        return [batch.ids.tolist() for batch, _ in zip(source.batches(2, skip=skip), range(count), strict=False)]

    straight = batches(9)
    assert straight != batches(9, seed=1)
    for skip in range(8):
        assert batches(1, skip=skip) == straight[skip : skip + 1]
    for epoch in (straight[:2], straight[2:4]):  # five examples make two batches of two
        rows = [json.dumps([id_ for id_ in row if id_ != END]) for batch in epoch for row in batch]
        assert len(set(rows)) == 4, "an example came twice in an epoch"


def test_too_few_examples_for_a_batch_are_refused(read):
    with pytest.raises(ValueError, match="5 chunks or examples do not fill one batch of 6"):
        next(read(*EXAMPLES).batches(6))


def test_the_file_is_found_by_name_or_path(read, tokenizer, tmp_path):
    read(*EXAMPLES)
    path = Path(tmp_path / "examples.jsonl")
    first, second = (Examples(given, tokenizer, context=64, seed=0) for given in (path, str(path)))
    assert first.sample(9).ids.tolist() == second.sample(9).ids.tolist()


def test_a_suffix_has_a_space_before_it_where_the_page_would_put_one(read, tokenizer):
    for suffix, shown in (("He ran.", " He ran."), (" He ran.", " He ran."), (", he ran.", ", he ran.")):
        source = read({"prefix": "The dog", "middle": "barked", "suffix": suffix})
        assert parts(source.sample(1), tokenizer) == ("The dog", " barked", shown)
