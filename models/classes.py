"""Word classes of tokens: what kind of word each token of a vocabulary usually belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WordClass:
    """A kind of word, with the letter that stands for it in figures."""

    name: str
    letter: str
    content: bool  # carries meaning of its own; otherwise it is a function word, a mark or a rest


CLASSES = (
    WordClass("noun", "N", content=True),
    WordClass("name", "M", content=True),
    WordClass("verb", "V", content=True),
    WordClass("adjective", "A", content=True),
    WordClass("adverb", "R", content=True),
    WordClass("pronoun", "p", content=False),
    WordClass("determiner", "d", content=False),
    WordClass("preposition", "i", content=False),
    WordClass("conjunction", "c", content=False),
    WordClass("number", "#", content=True),
    WordClass("punctuation", ".", content=False),
    WordClass("other", "?", content=False),
)
"""The classes of English words, the last one for tokens that were never seen."""


@dataclass(frozen=True, eq=False)
class TokenClasses:
    """A class for each token: hard, so that entropy splits exactly into that of the class and that within it."""

    classes: tuple[WordClass, ...]
    of: NDArray[np.int64]  # [vocabulary] the place in `classes` of each token's class
