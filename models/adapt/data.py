"""Text files to packed training chunks: records joined by the end-of-text token, cut to the context length."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
MASK = "<|mask|>"


def read_records(path: str | Path) -> list[str]:
    """The records of a text file (plain or .xz), each ended by a line `<|endoftext|>`.

    Raises ValueError, naming the byte, if the file is not UTF-8.
    """
    path = Path(path)
    raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}; convert it (e.g. with iconv) first") from error
    records = [record.strip("\n") for record in text.split(END_OF_TEXT)]
    return [record for record in records if record]


def train_tokenizer(records: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE (as GPT-2's) with an end-of-text and a mask token."""
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


class Packed:
    """An endless, resumable stream of batches: batch `step` depends on nothing but the seed and `step`."""

    def __init__(self, records: Sequence[str], tokenizer: PreTrainedTokenizerFast, *, context: int, seed: int) -> None:
        end = tokenizer.eos_token_id
        forms = (list(records), [record.replace("\n", " ") for record in records])
        self._records = [
            [np.array([*ids, end], dtype=np.int32) for ids in tokenizer(form, add_special_tokens=False)["input_ids"]]
            for form in forms
        ]
        self._context, self._seed = context, seed
        self._epoch, self._chunks = -1, np.empty((0, context), dtype=np.int32)

    def epoch(self, number: int) -> np.ndarray:
        """[chunks, context]: all records in a fresh order, each with its newlines kept or turned into spaces."""
        if number != self._epoch:
            rng = np.random.default_rng([self._seed, number])
            order = rng.permutation(len(self._records[0]))
            form = rng.integers(0, 2, len(order))
            flat = np.concatenate([self._records[f][i] for i, f in zip(order, form, strict=True)])
            flat = flat[rng.integers(0, self._context) :]  # cut elsewhere in every epoch
            whole = len(flat) // self._context
            if whole == 0:
                raise ValueError(f"the text is shorter than one context of {self._context} tokens")
            self._chunks = flat[: whole * self._context].reshape(whole, self._context)
            self._chunks = self._chunks[rng.permutation(whole)]
            self._epoch = number
        return self._chunks

    def batches(self, size: int, *, skip: int) -> Iterator[np.ndarray]:
        """[size, context] each; the first `skip` batches are passed over without being used."""
        number = 0
        while True:
            chunks = self.epoch(number)
            whole = len(chunks) // size
            if whole == 0:
                raise ValueError(f"{len(chunks)} chunks do not fill one batch of {size}")
            for start in range(min(skip, whole), whole):
                yield chunks[start * size : (start + 1) * size]
            skip = max(0, skip - whole)
            number += 1
