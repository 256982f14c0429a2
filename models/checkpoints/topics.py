"""Topic vectors of a checkpoint's tokens, stored beside its weights; `models.adapt.topics` makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from models.denoiser import Floats

NAME = "topics.safetensors"
"""File in a checkpoint folder: one array, `topics` [vocabulary, dimensions] in fp16."""
_ARRAY = "topics"


def read_topics(folder: Path, vocabulary: int) -> Floats | None:
    """Return the vectors [vocabulary, dimensions] of a folder, or None if it has none.

    They measure topic and not meaning: tokens that occur near the same tokens have similar vectors. The sum of the
    vectors of a text's tokens, scaled to unit length, stands for the text: rare tokens weigh more than common ones, and
    the mean over the training text is subtracted, so that a text about nothing in particular has a short sum.
    Raises ValueError if the file is damaged or has another number of tokens.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        vectors = load_file(path)[_ARRAY].astype(np.float64)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read ({error}); make it again, or delete it") from error
    if vectors.ndim != 2 or len(vectors) != vocabulary or not np.isfinite(vectors).all():
        raise ValueError(
            f"{path} has vectors of shape {vectors.shape} and not finite numbers for each of {vocabulary} tokens; make "
            "it again with this checkpoint's tokenizer, or delete it"
        )
    return vectors


def write_topics(path: Path, vectors: NDArray[np.floating]) -> None:
    """Write vectors [vocabulary, dimensions] to a file in fp16. Raises OSError if that fails."""
    save_file({_ARRAY: np.ascontiguousarray(vectors, dtype=np.float16)}, path)
