"""Making a checkpoint's word classes from a text; see `models.checkpoints.classes`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer
from models.classes import CLASSES
from models.corpus import read_records

Tagger = Callable[[str], Iterable[tuple[str, str]]]
"""From a text to its words with their tags of the Penn Treebank, in order."""

_TAGS = {
    "noun": ("NN", "NNS"),
    "name": ("NNP", "NNPS"),
    "verb": ("VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "MD"),
    "adjective": ("JJ", "JJR", "JJS"),
    "adverb": ("RB", "RBR", "RBS", "WRB"),
    "pronoun": ("PRP", "PRP$", "WP", "WP$", "EX"),
    "determiner": ("DT", "PDT", "WDT"),
    "preposition": ("IN", "TO", "RP"),
    "conjunction": ("CC",),
    "number": ("CD",),
    "punctuation": (".", ",", ":", "(", ")", '"', "''", "``", "'", "#", "$", "SYM"),
}
_CLASS = {tag: name for name, tags in _TAGS.items() for tag in tags}
_REST = CLASSES[-1].name


@dataclass(frozen=True, kw_only=True)
class Made:
    """Word classes, and how well one class a token agrees with the tagger."""

    pieces: dict[str, list[str]]  # the tokenizer's pieces of each class, sorted
    tokens: int  # tokens of the text
    agreeing: float  # share of them whose class here is the one that the tagger gave them there


def textblob() -> Tagger:
    """Return TextBlob's PatternTagger: a lexicon of 94,000 words with rules, which needs neither network nor data.

    Raises ValueError if TextBlob is not installed; it is one of the tools in requirements-dev.txt.
    """
    try:
        from textblob.taggers import PatternTagger
    except ImportError:
        raise ValueError("word classes need TextBlob: pip install -r requirements-dev.txt") from None
    tagger = PatternTagger()
    return lambda text: tagger.tag(text)


def make(text: Path, folder: Path, tagger: Tagger) -> Made:
    """Give each token of the folder's tokenizer the class that it has most often in a text; the first of equal ones.

    A token has the class of the word in which its first character that is no space lies. The text is plain or .xz,
    records as in `models.corpus`. Raises ValueError if the text or the tokenizer cannot be read, or the text is empty.
    """
    tokenizer = read_tokenizer(folder)
    reader = TextTokenizer(tokenizer)
    seen: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for record in read_records(text):
        for token, name in classified(record, reader, tagger):
            seen[token][name] += 1
    if not seen:
        raise ValueError(f"there is no text in {text}")
    order = [each.name for each in CLASSES]
    chosen = {token: max(order, key=lambda name: counts[name]) for token, counts in seen.items()}
    pieces: dict[str, list[str]] = {name: [] for name in order[:-1]}  # tokens that are not in the file are the rest
    for token, name in chosen.items():
        if name != _REST:
            pieces[name].append(str(tokenizer.convert_ids_to_tokens(token)))
    total = sum(counts.total() for counts in seen.values())
    return Made(
        pieces={name: sorted(each) for name, each in pieces.items()},
        tokens=total,
        agreeing=sum(seen[token][name] for token, name in chosen.items()) / total,
    )


def classified(text: str, reader: TextTokenizer, tagger: Tagger) -> Iterator[tuple[int, str]]:
    """Yield each token of a text with the class of its word."""
    names = [_REST] * len(text)  # of each character
    cursor = 0
    for word, tag in tagger(text):
        start = text.find(word, cursor)
        if start >= 0:  # a tagger may write some words differently, such as quotes
            cursor = start + len(word)
            names[start:cursor] = [_CLASS.get(tag.partition("-")[0], _REST)] * len(word)
    raw, place = text.encode(), 0
    at = [number for number, character in enumerate(text) for _ in character.encode()]  # character of each byte
    for token in reader.encode(text):
        piece = reader.token_bytes(token)
        first = place + len(piece) - len(piece.lstrip())
        yield token, names[at[first]] if piece.strip() and raw.startswith(piece, place) else _REST
        place += len(piece)
