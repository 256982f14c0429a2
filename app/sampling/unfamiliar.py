"""How much of a text the model cannot know, told before it is filled."""

from __future__ import annotations

import codecs
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from models.denoiser import Floats, Tokenizer

UNSEEN = 1e-6
"""A token that is rarer than this in the training text is unknown: the model has seen it a few times, if at all."""
SHARE = 0.05
"""Share of unknown tokens from which on they are worth a warning; see LOG.md for the figures behind both limits."""
NONSENSE = 0.3
"""Share from which on a fill that has anything to do with the text would be luck."""
SPLIT = 2.0
"""How many times more tokens than usual a text may take."""
FEWEST = 12
"""Fewest tokens of a text in which it is worth a look how many it takes: single words vary too much."""
_QUOTES = "typographic quotes and dashes"
_TYPOGRAPHIC = "‘’“”„‚«»‹›–—…"
_CODE = 0.2
"""Share of ASCII signs among characters from which on a text is taken for code."""
_usual: WeakKeyDictionary[Tokenizer, float] = WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class Unfamiliar:
    """What a text has that the training text did not."""

    tokens: int
    unknown: int  # tokens rarer than UNSEEN
    never: bool  # none of those was seen more than once; tokens seen once and never cannot be told apart
    split: float  # how many times more tokens the text takes than training text with as many bytes
    kinds: tuple[str, ...]  # what the unknown tokens, or those of a text that is split, are made of; most first

    @property
    def share(self) -> float:
        """The share of unknown tokens."""
        return self.unknown / self.tokens

    @property
    def warning(self) -> str:
        """A sentence for the user; empty if there is nothing to warn of."""
        kinds = ", ".join(self.kinds)
        if self.unknown > 1 and self.share >= SHARE:
            seen = "never saw" if self.never else "hardly ever saw"
            outcome = "expect nonsense" if self.share >= NONSENSE else "what it writes may not fit"
            if self.kinds == (_QUOTES,):
                outcome = "write straight quotes and hyphens instead"
            share = f"{self.share:.0%}".replace("%", " %")
            if kinds:
                return f"{share} of this text is made of tokens that the model {seen} in training ({kinds}): {outcome}."
            return f"{share} of this text is made of tokens that the model {seen} in training: {outcome}."
        if self.tokens >= FEWEST and self.split > SPLIT:
            outcome = "the model has seen few such words, and what it writes may not fit"
            if kinds:
                return f"This text takes {self.split:.1f} times as many tokens as usual ({kinds}): {outcome}."
            return f"This text takes {self.split:.1f} times as many tokens as usual: {outcome}."
        return ""


def unfamiliar(parts: Sequence[str], tokenizer: Tokenizer) -> Unfamiliar | None:
    """Compare the given parts of a text with the training text, by how often the tokenizer's tokens occurred there.

    None if that is not known or the parts are empty. Scripts, emoji and signs that training text lacks are single bytes
    to the tokenizer, which did not occur in it. Capitals and digits did, one by one, but a text of them takes many
    tokens; that is the second measure.
    """
    frequencies = tokenizer.frequencies
    if frequencies is None or not any(parts):
        return None
    ids = [token for number, part in enumerate(parts) for token in tokenizer.encode(part, opening=number == 0)]
    names = [tokenizer.token_bytes(token) for token in ids]
    rates = frequencies[ids]
    unknown = rates <= max(UNSEEN, frequencies.min())
    text = "".join(parts)
    few = unknown.sum() < 2 or unknown.mean() < SHARE
    return Unfamiliar(
        tokens=len(ids),
        unknown=int(unknown.sum()),
        never=bool((rates[unknown] <= 1.5 * frequencies.min()).all()),
        split=_bytes_per_token(tokenizer, frequencies) * len(ids) / max(1, sum(map(len, names))),
        kinds=_traits(text) if few else _kinds(_characters(names, unknown.tolist()), text),
    )


def _bytes_per_token(tokenizer: Tokenizer, frequencies: Floats) -> float:
    """Return the mean number of bytes of a token in the training text."""
    if tokenizer not in _usual:
        lengths = [len(tokenizer.token_bytes(token)) for token in range(len(frequencies))]
        _usual[tokenizer] = float((frequencies * lengths).sum() / frequencies.sum())
    return _usual[tokenizer]


def _characters(names: Sequence[bytes], unknown: Sequence[bool]) -> list[str]:
    """Return the characters of which at least one byte is in an unknown token."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found, pending = [], False
    for name, odd in zip(names, unknown, strict=True):
        for byte in name:
            pending = pending or odd
            if text := decoder.decode(bytes([byte])):
                found += text if pending else ""
                pending = False
    return found


def _kinds(characters: Sequence[str], text: str) -> tuple[str, ...]:
    """Return up to three kinds of characters, the most frequent ones first."""
    counts = Counter(kind for character in characters if (kind := _kind(character)))
    signs = [sign for sign, _ in Counter(characters).most_common() if _kind(sign) == "signs"]
    names = {"signs": "code" if _share_of_signs(text) > _CODE else f"signs such as {' '.join(signs[:3])}"}
    return tuple(names.get(kind, kind) for kind, _ in counts.most_common(3))


def _kind(character: str) -> str:
    """Return the name of a script, or another kind of character; empty for white space and unnamed ones."""
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    if character in _TYPOGRAPHIC:
        return _QUOTES
    if category[0] in "LNM" and name and not name.startswith("VARIATION SELECTOR"):
        script = name.partition(" ")[0].partition("-")[0]
        if character.isascii():
            return "rare words" if character.isalpha() else "digits"
        return {"CJK": "Han", "LATIN": "accented letters", "COMBINING": "accented letters"}.get(script, script.title())
    if character.isascii():
        return "signs" if category[0] in "PS" else ""
    if category in ("So", "Sk", "Cf") or name.startswith("VARIATION SELECTOR"):
        return "emoji"
    return ""


def _traits(text: str) -> tuple[str, ...]:
    """Return what a text that takes many tokens consists of, as far as that explains it."""
    letters = [character for character in text if character.isalpha()]
    shown = [character for character in text if not character.isspace()]
    digits = sum(character.isdigit() for character in shown)
    found = []
    if letters and sum(map(str.isupper, letters)) > len(letters) / 2:
        found.append("capitals")
    if digits > 0.3 * len(shown):
        found.append("digits")
    if _share_of_signs(text) > _CODE:
        found.append("code")
    return tuple(found)


def _share_of_signs(text: str) -> float:
    """Return the share of ASCII punctuation among all characters but white space."""
    shown = [character for character in text if not character.isspace()]
    return sum(character.isascii() and not character.isalnum() for character in shown) / max(1, len(shown))
