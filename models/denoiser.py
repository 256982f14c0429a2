"""The one interface between the two halves: a masked diffusion language model and its tokenizer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.prediction import TOP, Prediction

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Memory:
    """What a denoiser keeps of one run, in its own form: the last few states' logits, and what was believed before.

    A network without a time input believes the same about the same state, so a state that comes again costs nothing.
    It belongs to the run and not to the denoiser, so that no run's NFE depends on the runs before it.
    """

    def __init__(self, capacity: int = 16) -> None:
        """0 keeps nothing."""
        self._capacity = capacity
        self._states: OrderedDict[bytes, Any] = OrderedDict()
        self._beliefs: list[tuple[bytes, Any]] = []  # newest first, whatever the capacity

    def get(self, state: bytes) -> Any:
        """None for a state that is not kept."""
        return self._states.get(state)

    def put(self, state: bytes, logits: Any) -> None:
        self._states[state] = logits
        self._states.move_to_end(state)
        while len(self._states) > self._capacity:
            self._states.popitem(last=False)

    def earlier(self, state: bytes, belief: Any, count: int) -> list[Any]:
        """Keep a belief, and give those of up to `count` predictions before it, newest first.

        A state that comes twice running is one prediction: it is compared with what it was compared with before, and
        never with itself, which would look like a belief that has settled.
        """
        again = bool(self._beliefs) and self._beliefs[0][0] == state
        before = self._beliefs[again : again + count]
        self._beliefs = [(state, belief), *before]
        return [belief for _, belief in before]


@dataclass(frozen=True, eq=False, kw_only=True)
class Query:
    """One canvas to look at in a forward pass, and how to draw a candidate for each asked position."""

    ids: Ids  # [length] token ids, the mask id where nothing is known
    positions: Ids  # [n] the positions asked about, each >= 1
    uniforms: Floats  # [n] in [0, 1): the caller's randomness, so results depend neither on batching nor on the device
    temperature: float = 0.0  # 0 takes the most probable token
    top_p: float = 1.0  # nucleus: the smallest set of top tokens that reaches this mass, the crossing one included
    banned: tuple[int, ...] = ()  # token ids never to write, besides the mask id and padded vocabulary rows
    memory: Memory | None = None  # of the run that asks
    lookback: int = 0  # how many of the run's earlier predictions to compare with; see `Prediction.drift`
    tops: int = TOP  # how many of the most probable tokens of a position are wanted
    targets: Ids | None = None  # [n] a token for each position whose probability is wanted
    against: Ids | None = None  # [length] the same canvas knowing less: logits become other + (1 + weight)(own - other)
    weight: float = 0.0  # of the contrast (classifier-free guidance, Ho and Salimans, 2022, arXiv:2207.12598)
    aside: bool = False  # a canvas that is no state of the run's: caches that go along with a run leave it alone

    @property
    def rows(self) -> tuple[Query, ...]:
        """The canvases that have to pass through the network: its own and, if there is one, what it is held against."""
        if self.against is None:
            return (self,)
        return replace(self, against=None), replace(self, ids=self.against, against=None, aside=True)

    @property
    def state(self) -> bytes:
        """What a network without a time input makes its logits from: the canvas and what is asked about it."""
        return self.ids.tobytes() + b"|" + self.positions.tobytes()


class Vocabulary(Protocol):
    """Text to token ids and back."""

    @property
    def begin(self) -> tuple[int, ...]:
        """What a text starts with when nothing stands before the span: BOS, or GPT-2's end of text."""
        ...

    @property
    def special_ids(self) -> frozenset[int]: ...

    @property
    def size(self) -> int:
        """How many token ids there are, special ones included: 0 up to this."""
        ...

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        """Token ids of the text as it stands: nothing added, nothing stripped, special tokens' names read as text.

        `opening` says that nothing stands before it: LLaMA's SentencePiece puts a space in front of a first word.
        """
        ...

    def token_bytes(self, token: int) -> bytes:
        """The UTF-8 bytes that a token stands for; a character may be spread over several tokens."""
        ...


class Tokenizer(Vocabulary, Protocol):
    """A vocabulary with a mask; `mask_id` may be an ordinary vocabulary id (in DiffuLLaMA it is 811)."""

    @property
    def mask_id(self) -> int: ...

    @property
    def frequencies(self) -> Floats | None:
        """[vocabulary] relative frequency of each token in text, above 0; None where nobody has counted."""
        ...


class Reader(Protocol):
    """A language model as far as it takes to lay out a text for it; with or without a mask."""

    @property
    def name(self) -> str: ...

    @property
    def tokenizer(self) -> Vocabulary: ...

    @property
    def context(self) -> int:
        """The longest sequence, in tokens."""
        ...


class Judge(Reader, Protocol):
    """An autoregressive model, as far as it says how probable a text is."""

    def log_probabilities(self, prefixes: Sequence[Ids], continuations: Sequence[Ids]) -> list[Floats]:
        """[len(continuation)] nats of each token of each continuation, after its prefix."""
        ...


class Denoiser(Reader, Protocol):
    """A masked diffusion language model: one batched forward pass, read so that row i is about position i."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know about this model before he believes what it writes."""
        ...

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """The belief about every asked position of every query, from one forward pass."""
        ...
