"""Text files to records, and records to packed chunks of token ids."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

END_OF_TEXT = "<|endoftext|>"
_RECORD_END = re.compile(rf"^{re.escape(END_OF_TEXT)}$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Sequences of token ids [b, l], and which of these may be noised and which are padding."""

    ids: NDArray[np.integer]
    maskable: NDArray[np.bool_] | None = None  # [b, l]; None: every token
    real: NDArray[np.bool_] | None = None  # [b, l] False in the padding; None: there is none


def read_records(path: str | Path) -> list[str]:
    """Return the records of a text file (plain or .xz), each ended by a line that is exactly `<|endoftext|>`.

    Raises ValueError as `read_text` does.
    """
    records = [record.strip("\n") for record in _RECORD_END.split(read_text(Path(path)))]
    return [record for record in records if record]


def read_text(path: Path) -> str:
    """Return a text file's content (plain or .xz), without a byte order mark and with CRLF as LF.

    Raises ValueError if the file cannot be read or, naming the byte, if it is not UTF-8.
    """
    try:
        raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start}; convert it (e.g. with iconv) first") from error
    except (OSError, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error


class Packed:
    """Records joined by the end-of-text token and cut into chunks of the context length, without padding."""

    def __init__(self, records: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, context: int, seed: int) -> None:
        """Raises ValueError if the tokenizer has no end-of-text token to join records with."""
        end = end_of_text(tokenizer)
        if not records:
            raise ValueError("the text has no records")
        forms = (list(records), [record.replace("\n", " ") for record in records])
        self._records = [
            [np.array([*ids, end], dtype=np.int32) for ids in tokenizer(form, add_special_tokens=False)["input_ids"]]
            for form in forms
        ]
        self._context, self._seed = context, seed
        self._epoch, self._chunks = -1, np.empty((0, context), dtype=np.int32)

    def epoch(self, number: int) -> np.ndarray:
        """Return chunks [chunks, context] of all records in a new order, newlines kept or turned into spaces.

        Raises ValueError if the text is shorter than one context.
        """
        if number != self._epoch:
            rng = np.random.default_rng([self._seed, number])
            order = rng.permutation(len(self._records[0]))
            form = rng.integers(0, 2, len(order))
            flat = np.concatenate([self._records[f][i] for i, f in zip(order, form, strict=True)])
            flat = flat[rng.integers(0, self._context) :]  # cut at other places in every epoch
            whole = len(flat) // self._context
            if whole == 0:
                raise ValueError(f"the text is shorter than one context of {self._context} tokens")
            self._chunks = flat[: whole * self._context].reshape(whole, self._context)
            self._chunks = self._chunks[rng.permutation(whole)]
            self._epoch = number
        return self._chunks

    def batches(self, size: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yield batches [size, context] without end, from batch `skip` on."""
        number = 0
        while True:
            chunks = self.epoch(number)
            whole = whole_batches(len(chunks), size)
            for start in range(min(skip, whole), whole):
                yield Batch(ids=chunks[start * size : (start + 1) * size])
            skip = max(0, skip - whole)
            number += 1

    def sample(self, count: int) -> Batch:
        """Return the first `count` chunks, or all of them if there are fewer."""
        return Batch(ids=self.epoch(0)[:count])


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token that ends texts. Raises ValueError if the tokenizer has none."""
    end: Any = tokenizer.eos_token_id
    if end is None:
        raise ValueError("the tokenizer has no end-of-text (EOS) token to end texts with; give it one")
    return end


def whole_batches(count: int, size: int) -> int:
    """Return the number of whole batches of `size` sequences. Raises ValueError if there is none."""
    if count < size:
        raise ValueError(
            f"{count} chunks or examples do not fill one batch of {size}; give more text or a smaller --batch"
        )
    return count // size
