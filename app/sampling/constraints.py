"""Banned words and line breaks: kept out of the model's belief as tokens, and out of the canvas as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from app.errors import InfillError, quoted
from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.step import Policy, Selection, Snapshot
from models.denoiser import Floats, Ids, Tokenizer, Vocabulary


class NothingFitsError(InfillError):
    """Every token for some position would complete a banned word; `rows` and `calls` are the run's up to then."""

    def __init__(self, message: str, *, rows: int = 0, calls: int = 0) -> None:  # unpickling gives the message alone
        super().__init__(message)
        self.rows, self.calls = rows, calls


_vocabularies: WeakKeyDictionary[Vocabulary, list[bytes]] = WeakKeyDictionary()
_NEAR = 32
"""Bytes of text, beyond the length of the longest banned word, that are checked on either side of a token."""


def forbidden_tokens(request: InfillRequest, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the special tokens, and those that spell a banned word or break the line on their own.

    Raises InfillError if no token is left to write.
    """
    found = set(tokenizer.special_ids)
    if request.ban:
        names = enumerate(_names(tokenizer))
        found |= {token for token, name in names if request.ban.search(name.decode("utf-8", "replace"))}
        if len(found | {tokenizer.mask_id}) >= tokenizer.size:
            raise InfillError("the bans leave the model nothing to write; ban fewer words")
    return tuple(sorted(found))


def _names(tokenizer: Vocabulary) -> list[bytes]:
    """Return the bytes of every token, read once for each tokenizer."""
    if tokenizer not in _vocabularies:
        _vocabularies[tokenizer] = [tokenizer.token_bytes(token) for token in range(tokenizer.size)]
    return _vocabularies[tokenizer]


def check_start(start: Canvas, request: InfillRequest, tokenizer: Tokenizer) -> None:
    """Raise InfillError if a token that was written before the run is part of a banned word; given ones may be."""
    if request.ban is None:
        return
    text = _Text(start, request, request.ban, tokenizer)
    for position in np.flatnonzero(start.editable & ~start.masked).tolist():
        if (word := text.banned_at(position)) is not None:
            what = f"the banned word {quoted(word)}" if word.strip() else "a line break, which one_line forbids"
            raise InfillError(f"the start has {what}: mask it again, lock it, or drop the ban")


def constrain(policy: Policy, request: InfillRequest, tokenizer: Tokenizer) -> Policy:
    """Return the policy with its commits checked against the bans; the policy itself if nothing is banned.

    Commits are made one by one, surest first. A token that would complete a banned word is drawn again from the model's
    distribution without it, until one fits. If none does, the position stays masked, and if nothing else is committed
    the surest other mask is tried. The policy raises NothingFitsError, naming the word, if that happens in the last
    step.
    """
    ban = request.ban
    if ban is None:
        return policy
    return replace(policy, choose=lambda now: _kept_from(ban, policy.choose(now), now, request, tokenizer))


def _kept_from(
    ban: re.Pattern[str], wanted: Selection, now: Snapshot, request: InfillRequest, tokenizer: Tokenizer
) -> Selection:
    text = _Text(now.canvas.remask(wanted.remask), request, ban, tokenizer)
    draft, sure = now.prediction.candidates.copy(), now.prediction.confidence.copy()
    if wanted.tokens is not None:
        draft[wanted.commit], sure[wanted.commit] = wanted.tokens, wanted.confidence
    written: dict[int, tuple[int, float]] = {}  # position -> token and its probability
    words: list[str] = []

    def drawn(position: int) -> Iterator[tuple[int, float]]:
        """Yield the draft with its probability, then tokens drawn without all earlier ones, until none is left."""
        tokens, left = [int(draft[position])], max(0.0, 1.0 - float(sure[position]))
        yield tokens[0], float(sure[position])
        while (again := now.redraw(tokens)) is not None and again.confidence[position] > 0:
            tokens.append(int(again.candidates[position]))
            probability = left * float(again.confidence[position])  # in the whole distribution
            left -= probability
            yield tokens[-1], probability
        if again is None:  # the belief is no longer cached: choose from the top tokens
            tops = zip(now.prediction.top_tokens[position], now.prediction.top_probs[position], strict=True)
            yield from ((int(token), float(p)) for token, p in tops if token >= 0 and token not in tokens)

    def write(positions: Sequence[int]) -> list[int]:
        """Write what fits at the positions, and return those where nothing does."""
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
    if _is_last(now, wanted, written):  # everything postponed must be written now
        held += others
        before = None
        while held and len(held) != before:  # a token that did not fit before may fit beside one written later
            before, held = len(held), write(held)
        if held:
            what = f"the banned word {quoted(words[-1])}" if words[-1].strip() else "a line break"
            raise NothingFitsError(
                f"{what} cannot be avoided: no other token of the model fits"
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
    notes = {**wanted.notes, "kept out": len(words)}
    return replace(wanted, commit=commit, tokens=tokens, confidence=confidence, drawn=None, own=None, notes=notes)


def _commits(written: Mapping[int, tuple[int, float]]) -> tuple[Ids, Ids]:
    """Return positions [c] and their tokens [c]."""
    return np.array([*written], dtype=np.int64), np.array([token for token, _ in written.values()], dtype=np.int64)


def _is_last(now: Snapshot, wanted: Selection, written: Mapping[int, tuple[int, float]]) -> bool:
    """Return whether the budget ends with this step; a canvas that a probe has paid for allows one more."""
    if now.remaining > 1:
        return False
    after = now.canvas.remask(wanted.remask).commit(*_commits(written))
    return now.step >= now.steps or not now.forwards.knows(after)


def _surest(positions: Ids, sure: Floats) -> list[int]:
    return positions[np.argsort(-sure[positions], kind="stable")].tolist()


class _Text:
    """The result around a position: given text as typed, fills as their tokens read.

    A mask ends the text and counts as a word boundary.
    """

    def __init__(self, canvas: Canvas, request: InfillRequest, ban: re.Pattern[str], tokenizer: Tokenizer) -> None:
        self._ids, self._masked, self._editable = canvas.ids.copy(), canvas.masked.copy(), canvas.editable
        self._gaps, self._name = canvas.gaps, tokenizer.token_bytes
        self._given = [part.encode() for part in request.parts]
        self._spaces = [space.encode() for space in (*request.spaces, "")]
        self._ban, self._reach = ban, _NEAR + sum(len(word.encode()) for word in request.banned)

    def write(self, position: int, token: int) -> str | None:
        """Write a token and return None, or return the banned word that it would complete."""
        kept = self._ids[position], self._masked[position]
        self._ids[position], self._masked[position] = token, False
        word = self.banned_at(position)
        if word is not None:
            self._ids[position], self._masked[position] = kept
        return word

    def banned_at(self, position: int) -> str | None:
        """Return a banned word that touches a position, unless all of it is given text, where anything is allowed."""
        before, after = self._before(position), self._after(position)
        pieces = [*reversed(before), (self._name(int(self._ids[position])), True), *after]
        edges = np.cumsum([0, *(len(piece) for piece, _ in pieces)]).tolist()
        own = edges[len(before)], edges[len(before) + 1]
        text = b"".join(piece for piece, _ in pieces).decode("utf-8", "surrogateescape")  # keeps the number of bytes
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
        """Return the texts to the left, nearest first, and whether each is part of a fill."""
        found, size, gap = [], 0, self._gap(position)
        while True:
            for place in range(position - 1, self._gaps[gap].start - 1, -1):
                if self._masked[place] or size > self._reach:
                    return found
                found.append((self._name(int(self._ids[place])), bool(self._editable[place])))
                size += len(found[-1][0])
            found.append((self._typed(gap)[-self._reach :], False))
            size += len(found[-1][0])
            if gap == 0 or size > self._reach:
                return found
            gap, position = gap - 1, self._gaps[gap - 1].stop

    def _after(self, position: int) -> list[tuple[bytes, bool]]:
        """Return the same for the right."""
        found, size, gap = [], 0, self._gap(position)
        while True:
            for place in range(position + 1, self._gaps[gap].stop):
                if self._masked[place] or size > self._reach:
                    return found
                found.append((self._name(int(self._ids[place])), bool(self._editable[place])))
                size += len(found[-1][0])
            gap += 1
            found.append((self._typed(gap)[: self._reach], False))
            size += len(found[-1][0])
            if gap == len(self._gaps) or size > self._reach:
                return found
            position = self._gaps[gap].start - 1

    def _gap(self, position: int) -> int:
        """Return the number of the gap, from 0, that a position is in."""
        return next(number for number, gap in enumerate(self._gaps) if position < gap.stop)

    def _typed(self, part: int) -> bytes:
        """Return given text with the spaces before its gap, of which the fill's first token may carry one."""
        spaces = self._spaces[part]
        if spaces:
            first = self._gaps[part].start
            if not self._masked[first] and self._name(int(self._ids[first])).startswith(b" "):
                spaces = spaces[1:]
        return self._given[part] + spaces
