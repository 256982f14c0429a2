"""Which word of a text looks wrong: the model's belief in every word that is written, from one forward pass."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import InfillError
from models.denoiser import Denoiser, Ids, Query, Sampling, Tokenizer

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word of a text, and how much the model believes in it."""

    start: int  # characters before it in the text, masks not counted
    stop: int
    text: str
    tokens: int  # that it is made of, so that a gap of this length can take its place
    belief: float  # log of the least probability of these tokens, given the whole text as it is, in nats


def proofread(parts: Sequence[str | int], denoiser: Denoiser) -> list[Word]:
    """Return every word of a text and the model's belief in it, from one forward pass.

    `parts` are stretches of text and numbers of masks, from left to right. The belief is log p(token | whole text),
    which the model was never trained for, since it sees the token itself; it nevertheless finds replaced words. It is
    the visible half of the confidence rater of AsyncVLA (arXiv:2511.14148), without training.
    Raises InfillError if the text has no word, if it is longer than the model's context, and if the model reads other
    characters than are written.
    """
    ids, places = _lay_out(parts, denoiser)
    text = "".join(part for part in parts if isinstance(part, str))
    found = list(_WORD.finditer(text))
    if not found:
        raise InfillError("there is no word in this text; write some")
    beliefs = _beliefs(ids, np.array(list(places)), denoiser)
    words = []
    for each in found:
        mine = [at for at, (start, stop) in places.items() if start < each.end() and stop > each.start()]
        belief = min(beliefs[at] for at in mine)
        words.append(Word(start=each.start(), stop=each.end(), text=each[0], tokens=len(mine), belief=belief))
    return words


def least_believed(words: Sequence[Word], share: float) -> list[Word]:
    """Return the share of words with the least belief, rounded and at least one, in the order of the text."""
    count = max(1, round(share * len(words)))
    bar = sorted(word.belief for word in words)[min(count, len(words)) - 1]
    return [word for word in words if word.belief <= bar][: max(count, 1)]


def _lay_out(parts: Sequence[str | int], denoiser: Denoiser) -> tuple[Ids, dict[int, tuple[int, int]]]:
    """Return the token ids [length] of a text, and the characters that each written position stands for.

    Raises InfillError as `proofread` does.
    """
    vocabulary = denoiser.tokenizer
    ids, places, read = list(vocabulary.begin), {}, 0
    for number, part in enumerate(_joined(parts)):
        if isinstance(part, int):
            ids += [vocabulary.mask_id] * part
            continue
        before_gap = number + 1 < len(_joined(parts))
        tokens = vocabulary.encode(part.rstrip(" ") if before_gap else part, opening=number == 0)
        for token, (start, stop) in zip(tokens, _spans(tokens, part, vocabulary, denoiser.name), strict=True):
            places[len(ids)] = (read + start, read + stop)
            ids.append(token)
        read += len(part)
    if len(ids) > denoiser.context:
        raise InfillError(
            f"the text has {len(ids)} tokens, and '{denoiser.name}' reads {denoiser.context} at once: shorten it, or "
            "check it in parts"
        )
    return np.array(ids, dtype=np.int64), places


def _joined(parts: Sequence[str | int]) -> list[str | int]:
    """Return the parts with texts that follow one another as one, and empty ones left out."""
    whole: list[str | int] = []
    for part in parts:
        last = whole[-1] if whole else None
        if isinstance(part, str) and isinstance(last, str):
            whole[-1] = last + part
        elif part:
            whole.append(part)
    return whole


def _spans(tokens: Sequence[int], part: str, vocabulary: Tokenizer, name: str) -> list[tuple[int, int]]:
    """Return the characters [start, stop) of a text that each of its tokens stands for.

    A character that is spread over several tokens belongs to each of them. Raises InfillError if the tokens read
    otherwise than the text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    spans, read, text = [], 0, ""
    for token in tokens:
        text += decoder.decode(vocabulary.token_bytes(token))
        spans.append((read, max(len(text), read + 1)))
        read = len(text)
    added = text.startswith(" ") and not part.startswith(" ")  # LLaMA's SentencePiece puts a space before a text
    if not part.startswith(text[added:]):
        raise InfillError(f"'{name}' cannot read every character of this text: leave out unusual ones, and try again")
    return [(max(0, start - added), stop - added) for start, stop in spans]


def _beliefs(ids: Ids, positions: Ids, denoiser: Denoiser) -> dict[int, float]:
    """Return log p(token | whole text) in nats of the tokens at some positions; one forward pass."""
    query = Query(
        ids=ids, positions=positions, uniforms=np.zeros(len(positions)), sampling=Sampling(), targets=ids[positions]
    )
    (prediction,) = denoiser.predict([query])
    assert prediction.log_targets is not None
    floor = math.log(np.finfo(np.float64).tiny)
    return {int(at): max(floor, float(prediction.log_targets[at])) for at in positions}
