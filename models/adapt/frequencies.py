"""Counting a checkpoint's tokens in a text; see `models.checkpoints.frequencies`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer
from models.corpus import read_records


def count(text: Path, folder: Path) -> Counter[str]:
    """Count each piece of the folder's tokenizer in a text file (plain or .xz, records as in `models.corpus`).

    Raises ValueError if the text or the tokenizer cannot be read, or the text is empty.
    """
    tokenizer = read_tokenizer(folder)
    encode = TextTokenizer(tokenizer).encode
    counts: Counter[int] = Counter()
    for record in read_records(text):
        counts.update(encode(record, opening=True))
    if not counts:
        raise ValueError(f"there is no text in {text}")
    return Counter({str(tokenizer.convert_ids_to_tokens(token)): number for token, number in counts.items()})
