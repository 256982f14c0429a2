"""How common each token is, counted once for a checkpoint's tokenizer."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import models
from models.denoiser import Floats

NAME = "frequencies.json"
"""Beside the weights: token to count. Tokens are named by their pieces, so that no other tokenizer's can be read."""


def read_frequencies(folder: Path, vocabulary: Mapping[str, int]) -> Floats | None:
    """[vocabulary] relative frequencies, or None if the folder has no counts; unseen tokens count as seen once.

    `vocabulary` is pieces to ids. Raises ValueError where the file is damaged, or was counted with another tokenizer.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        counted = json.loads(path.read_text(encoding="utf-8"))
        counts = np.ones(max(vocabulary.values()) + 1)
        for piece, count in counted.items():
            counts[vocabulary[piece]] = int(count)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); count again, or delete it") from error
    except KeyError as error:
        raise ValueError(
            f"{path} was counted with another tokenizer, which knows {error}; count again, or delete it"
        ) from error
    total = sum(counted.values())
    if total < 1 or counts.min() < 1:
        raise ValueError(f"{path} holds counts below 1; count again, or delete it")
    return counts / total


def count(text: Path, folder: Path) -> Counter[str]:
    """How often each piece of the folder's tokenizer comes in a text file: plain or .xz, records as in `models.adapt`.

    Raises ValueError where text or tokenizer cannot be read, or the text is empty.
    """
    from models.adapt.data import read_records
    from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer

    tokenizer = read_tokenizer(folder)
    encode = TextTokenizer(tokenizer).encode
    counts: Counter[int] = Counter()
    for record in read_records(text):
        counts.update(encode(record, opening=True))
    if not counts:
        raise ValueError(f"there is no text in {text}")
    return Counter({str(tokenizer.convert_ids_to_tokens(token)): number for token, number in counts.items()})


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 2 for a mistake that the user can put right."""
    parser = argparse.ArgumentParser(prog="python -m models.checkpoints.frequencies", description=__doc__)
    parser.add_argument("--text", type=Path, required=True, help="any text like that to be written; .xz is unpacked")
    parser.add_argument("--model", default="bundled", help="a preset, folder or hub name (default: %(default)s)")
    parser.add_argument("--out", type=Path, help=f"the file to write (default: {NAME} in the model's folder)")
    args = parser.parse_args(arguments)
    try:
        source = models.find(args.model)
        if source is None:
            raise ValueError("the toy's letters are not counted: give a checkpoint folder or a hub name")
        folder = models.fetch(source)
        counts, out = count(args.text, folder), args.out or folder / NAME
        out.write_text(json.dumps(dict(counts.most_common()), ensure_ascii=False) + "\n", encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{out}: {counts.total()} tokens, {len(counts)} different ones")
    return 0


if __name__ == "__main__":
    sys.exit(main())
