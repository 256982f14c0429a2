"""Word classes of tokens stored in a checkpoint folder; `models.adapt.classes` makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.checkpoints.json_files import read_json
from models.classes import CLASSES, TokenClasses

NAME = "classes.json"
"""File in a checkpoint folder: names of classes to their tokens' pieces. Pieces reveal another tokenizer's classes."""


def read_classes(folder: Path, vocabulary: Mapping[str, int]) -> TokenClasses | None:
    """Return the class of each token, or None if the folder has none; tokens that the file lacks are of the last class.

    `vocabulary` maps pieces to ids. Raises ValueError if the file is damaged, names a class that is not among CLASSES,
    or was made with another tokenizer.
    """
    path = folder / NAME
    if not path.exists():
        return None
    places = {each.name: place for place, each in enumerate(CLASSES)}
    of = np.full(max(vocabulary.values()) + 1, len(CLASSES) - 1, dtype=np.int64)
    try:
        for name, pieces in read_json(path).items():
            if name not in places or not isinstance(pieces, list):
                raise ValueError(f"{name!r} is not a class with a list of tokens")
            of[[vocabulary[piece] for piece in pieces]] = places[name]
    except KeyError as error:
        raise ValueError(
            f"{path} was made with another tokenizer, which knows {error}; make it again, or delete it"
        ) from error
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} cannot be read ({error}); make it again, or delete it") from error
    return TokenClasses(CLASSES, of)


def write_classes(path: Path, pieces: Mapping[str, Sequence[str]]) -> None:
    """Write the pieces of each class to a file, a class a line. Raises OSError if that fails."""
    lines = (f"{json.dumps(name)}: {json.dumps(list(each), ensure_ascii=False)}" for name, each in pieces.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
