"""Token frequencies stored in a checkpoint folder; `models.adapt.frequencies` counts them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from models.checkpoints.json_files import read_json
from models.denoiser import Floats

NAME = "frequencies.json"
"""File in a checkpoint folder: tokens' pieces to counts. Pieces rather than ids reveal another tokenizer's counts."""


def read_frequencies(folder: Path, vocabulary: Mapping[str, int]) -> Floats | None:
    """Return relative frequencies [vocabulary], or None if the folder has no counts; unseen tokens count as seen once.

    `vocabulary` maps pieces to ids. Raises ValueError if the file is damaged or was counted with another tokenizer.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        counted = read_json(path)
        counts = np.ones(max(vocabulary.values()) + 1)
        for piece, count in counted.items():
            counts[vocabulary[piece]] = int(count)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); count again, or delete it") from error
    except KeyError as error:
        raise ValueError(
            f"{path} was counted with another tokenizer, which knows {error}; count again, or delete it"
        ) from error
    total = sum(counted.values())
    if total < 1 or counts.min() < 1:
        raise ValueError(f"{path} holds counts below 1; count again, or delete it")
    return counts / total


def write_frequencies(path: Path, counts: Counter[str]) -> None:
    """Write counts of pieces to a file, the most common one first. Raises OSError if that fails."""
    path.write_text(json.dumps(dict(counts.most_common()), ensure_ascii=False) + "\n", encoding="utf-8")
