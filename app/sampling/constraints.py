"""What may not be written: banned words and line breaks, as tokens in the model's belief and as text on the canvas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from app.errors import InfillError
from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.step import Policy, Selection, Snapshot
from models.denoiser import Floats, Ids, Tokenizer, Vocabulary


class NothingFitsError(InfillError):
    """Whatever could be written somewhere would complete a banned word; `rows` and `calls` are the run's until then."""

    def __init__(self, message: str, *, rows: int = 0, calls: int = 0) -> None:  # unpickling gives the message alone
        super().__init__(message)
        self.rows, self.calls = rows, calls


_vocabularies: WeakKeyDictionary[Vocabulary, list[bytes]] = WeakKeyDictionary()
_NEAR = 32
"""Bytes of text looked at beyond the longest banned word on either side of a token."""


def forbidden_tokens(request: InfillRequest, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Special tokens, and those that by themselves spell a banned word or break the line.

    Raises InfillError where nothing is left to write.
    """
    found = set(tokenizer.special_ids)
    if request.ban:
        names = enumerate(_names(tokenizer))
        found |= {token for token, name in names if request.ban.search(name.decode("utf-8", "replace"))}
        if len(found | {tokenizer.mask_id}) >= tokenizer.size:
            raise InfillError("what is banned leaves the model nothing to write; ban fewer words")
    return tuple(sorted(found))


def _names(tokenizer: Vocabulary) -> list[bytes]:
    """The bytes of every token, read once for each tokenizer."""
    if tokenizer not in _vocabularies:
        _vocabularies[tokenizer] = [tokenizer.token_bytes(token) for token in range(tokenizer.size)]
    return _vocabularies[tokenizer]


def constrain(policy: Policy, request: InfillRequest, tokenizer: Tokenizer) -> Policy:
    """The strategy, kept from completing what is banned; itself where nothing is.

    Its commits are made one by one, the surest first. One that would complete a banned word is drawn anew from the
    model's distribution without it, until it does not. Where nothing is left it stays masked, and the surest other mask
    is tried if nothing else is committed. Raises NothingFitsError, naming the word, where that is so in the last step.
    """
    ban = request.ban
    if ban is None:
        return policy
    return replace(policy, choose=lambda now: _kept_from(ban, policy.choose(now), now, request.spaces, tokenizer))


def _kept_from(
    ban: re.Pattern[str], wanted: Selection, now: Snapshot, spaces: Sequence[str], tokenizer: Tokenizer
) -> Selection:
    text = _Text(now.canvas.remask(wanted.remask), ban, spaces, tokenizer)
    draft, sure = now.prediction.candidates.copy(), now.prediction.confidence.copy()
    if wanted.tokens is not None:
        draft[wanted.commit], sure[wanted.commit] = wanted.tokens, wanted.confidence
    written: dict[int, tuple[int, float]] = {}  # position -> token and its probability
    words: list[str] = []

    def drawn(position: int) -> Iterator[tuple[int, float]]:
        """The draft and its probability, then what is drawn without all before it, until nothing is left."""
        tokens, left = [int(draft[position])], max(0.0, 1.0 - float(sure[position]))
        yield tokens[0], float(sure[position])
        while (again := now.redraw(tokens)) is not None and again.confidence[position] > 0:
            tokens.append(int(again.candidates[position]))
            probability = left * float(again.confidence[position])  # by the whole distribution
            left -= probability
            yield tokens[-1], probability
        if again is None:  # what is left to choose from where the belief is not kept
            tops = zip(now.prediction.top_tokens[position], now.prediction.top_probs[position], strict=True)
            yield from ((int(token), float(p)) for token, p in tops if token >= 0 and token not in tokens)

    def write(positions: Sequence[int]) -> list[int]:
        """What could not be written."""
        for position in positions:
            for token, probability in drawn(position):
                if (word := text.write(position, token)) is None:
                    written[position] = token, probability
                    break
                words.append(word)
        return [position for position in positions if position not in written]

    order = _surest(wanted.commit, sure)
    others = _surest(np.setdiff1d(now.canvas.masks, wanted.commit), sure)
    held = write(order)
    if _is_last(now, wanted, written):  # whatever was put off must be written now
        held += others
        before = None
        while held and len(held) != before:  # what could not stand before may do so beside what came after
            before, held = len(held), write(held)
        if held:
            what = f"the banned word '{words[-1]}'" if words[-1].strip() else "a line break"
            raise NothingFitsError(
                f"{what} cannot be kept out: nothing else that the model could write fits"
                f" position {now.canvas.places(np.array(held[:1]))[0] + 1}; give it more steps, another seed, or"
                " another length",
                rows=now.forwards.rows,
                calls=now.forwards.calls,
            )
    elif held and not written:
        next((position for position in others if not write([position])), None)
    if not words and written.keys() == set(order):
        return wanted
    commit, tokens = _commits(written)
    confidence = np.array([probability for _, probability in written.values()])
    return replace(
        wanted, commit=commit, tokens=tokens, confidence=confidence, notes={**wanted.notes, "kept out": len(words)}
    )


def _commits(written: Mapping[int, tuple[int, float]]) -> tuple[Ids, Ids]:
    """[c] positions and their tokens."""
    return np.array([*written], dtype=np.int64), np.array([token for token, _ in written.values()], dtype=np.int64)


def _is_last(now: Snapshot, wanted: Selection, written: Mapping[int, tuple[int, float]]) -> bool:
    """Whether the budget ends with this step; a canvas that a probe has paid for allows another one."""
    if now.remaining > 1:
        return False
    after = now.canvas.remask(wanted.remask).commit(*_commits(written))
    return now.step >= now.steps or not now.forwards.knows(after)


def _surest(positions: Ids, sure: Floats) -> list[int]:
    return positions[np.argsort(-sure[positions], kind="stable")].tolist()


class _Text:
    """A canvas as text around a position; a mask ends it, and so counts as a boundary of words."""

    def __init__(self, canvas: Canvas, ban: re.Pattern[str], spaces: Sequence[str], tokenizer: Tokenizer) -> None:
        self._ids, self._masked, self._editable = canvas.ids.copy(), canvas.masked.copy(), canvas.editable
        # Spaces before a gap are not on the canvas; they are put back before a fill that has none.
        self._spaced = {gap.start for gap, space in zip(canvas.gaps, spaces, strict=True) if space}
        self._ban, self._name, self._reach = ban, tokenizer.token_bytes, _NEAR + len(ban.pattern.encode())

    def write(self, position: int, token: int) -> str | None:
        """Write a token, or give the banned word that would stand there with it."""
        kept = self._ids[position], self._masked[position]
        self._ids[position], self._masked[position] = token, False
        word = self._banned_at(position)
        if word is not None:
            self._ids[position], self._masked[position] = kept
        return word

    def _banned_at(self, position: int) -> str | None:
        """A banned word that touches a position, unless it stands in given text alone, which may say what it likes."""
        before, after = self._before(position), self._after(position)
        pieces = [*reversed(before), (self._name(int(self._ids[position])), True), *after]
        edges = np.cumsum([0, *(len(piece) for piece, _ in pieces)]).tolist()
        own = edges[len(before)], edges[len(before) + 1]
        text = b"".join(piece for piece, _ in pieces).decode("utf-8", "surrogateescape")  # odd bytes keep their number
        for match in self._ban.finditer(text):
            start, stop = (len(text[:edge].encode("utf-8", "surrogateescape")) for edge in match.span())
            mine = any(
                editable and a < stop and b > start
                for (_, editable), a, b in zip(pieces, edges[:-1], edges[1:], strict=True)
            )
            if mine and start <= own[1] and stop >= own[0]:
                return match[0]
        return None

    def _before(self, position: int) -> list[tuple[bytes, bool]]:
        """Token texts to the left, the nearest first, and which are not given."""
        found, size = [], 0
        while True:
            if position in self._spaced:
                found.append((b" ", False))
            position -= 1
            if position < 0 or self._masked[position] or size > self._reach:
                return found
            found.append((self._name(int(self._ids[position])), bool(self._editable[position])))
            size += len(found[-1][0])

    def _after(self, position: int) -> list[tuple[bytes, bool]]:
        found, size = [], 0
        for place in range(position + 1, len(self._ids)):
            if self._masked[place] or size > self._reach:
                break
            if place in self._spaced:
                found.append((b" ", False))
            found.append((self._name(int(self._ids[place])), bool(self._editable[place])))
            size += len(found[-1][0])
        return found
