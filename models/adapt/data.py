"""Training data: tokenizers trained on text, and examples for fine-tuning; `models.corpus` packs running text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.checkpoints.tokenizer import TextTokenizer
from models.corpus import END_OF_TEXT, Batch, end_of_text, read_text, whole_batches

MASK = "<|mask|>"


class Source(Protocol):
    """Training data: an endless stream in which batch `n` depends only on the seed and `n`."""

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yield batches of `size` sequences, from batch `skip` on."""
        ...

    def sample(self, count: int) -> Batch:
        """Return the first `count` sequences, or all if there are fewer, for validation."""
        ...


def train_tokenizer(records: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE (as GPT-2's) with an end-of-text and a mask token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT, MASK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Both forms of a line break, as in training: a newline and a space.
    bpe.train_from_iterator((form for record in records for form in (record, record.replace("\n", " "))), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        mask_token=MASK,
        clean_up_tokenization_spaces=False,
    )


class Examples:
    """Infilling and instruction examples, one per sequence, in which only the target may be noised.

    As in the paper's fine-tuning (arXiv:2410.17891, stage `ddm-sft`). The padding of shorter ones is masked out.
    """

    def __init__(self, path: str | Path, tokenizer: PreTrainedTokenizerBase, *, context: int, seed: int) -> None:
        """Read JSON lines of `prefix`, `middle`, `suffix` (the middle is the target) or `prompt`, `response`.

        Raises ValueError, naming the line, if one is broken, or if no target fits into the context.
        """
        self._context, self._seed = context, seed
        self._end = end_of_text(tokenizer)
        self._begin = self._end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
        self._encode = TextTokenizer(tokenizer).encode
        path = Path(path)
        found = [
            self._example(path, number, line)
            for number, line in enumerate(read_text(path).split("\n"), start=1)  # JSON may contain U+2028
            if line.strip()
        ]
        self._examples = [example for example in found if example is not None]
        self.left_out = len(found) - len(self._examples)
        if not self._examples:
            raise ValueError(f"{path} has no example whose target fits into a context of {context} tokens")

    def _example(self, path: Path, number: int, line: str) -> tuple[list[int], int, int] | None:
        """Return ids and the target's start and end in them, or None if the target alone is too long."""
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} of {path} is not JSON: {error}") from None
        names = (
            ("prompt", "response") if isinstance(data, dict) and "response" in data else ("prefix", "middle", "suffix")
        )
        if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in names):
            raise ValueError(
                f"line {number} of {path} must have the texts prefix, middle and suffix, or prompt and response"
            )
        before, target, *after = (data[name] for name in names)
        left = self._encode(before.rstrip(" "), opening=True)
        target = target.strip(" ")
        middle = self._encode(" " * bool(left) + target) if target else []
        right = [id_ for text in after for id_ in self._encode(" " * text[:1].isalnum() + text)]  # as the page does
        if not after:
            middle.append(self._end)  # a response ends; a middle is followed by its suffix
        left = left or [self._begin]  # position 0 is never a target
        room = self._context - len(middle)
        if room < 1 or not middle:
            return None
        keep_right = min(len(right), max(room // 2, room - len(left)))
        left = left[max(0, len(left) - (room - keep_right)) :]
        return [*left, *middle, *right[:keep_right]], len(left), len(left) + len(middle)

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yield batches [size, longest] without end, in a new order in every epoch."""
        whole = whole_batches(len(self._examples), size)
        while True:
            number, place = divmod(skip, whole)
            order = np.random.default_rng([self._seed, number]).permutation(len(self._examples))
            yield self._batch(order[place * size : (place + 1) * size])
            skip += 1

    def sample(self, count: int) -> Batch:
        """Return the first `count` examples, or all if there are fewer."""
        return self._batch(np.arange(min(count, len(self._examples))))

    def _batch(self, chosen: np.ndarray) -> Batch:
        picked = [self._examples[number] for number in chosen]
        longest = max(len(ids) for ids, _, _ in picked)
        columns = np.arange(longest)[None]
        start, stop, length = np.array([(start, stop, len(ids)) for ids, start, stop in picked]).T[:, :, None]
        return Batch(
            ids=np.array([[*ids, *[self._end] * (longest - len(ids))] for ids, _, _ in picked]),
            maskable=(columns >= start) & (columns < stop),
            real=columns < length,
        )
