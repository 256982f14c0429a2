"""The interface between `app` and `models`: a masked diffusion language model and its tokenizer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.classes import TokenClasses
from models.prediction import TOP, Prediction

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class BeliefCache:
    """The beliefs of one run, in the denoiser's own form: the logits of its last states, and its earlier predictions.

    A network without a time input believes the same about the same state, so a state that returns costs nothing.
    The cache belongs to the run, not to the denoiser, so the NFE of a run never depends on the runs before it.
    """

    def __init__(self, capacity: int = 16) -> None:
        """Keep the logits of at most `capacity` states; 0 keeps none."""
        self._capacity = capacity
        self._states: OrderedDict[bytes, Any] = OrderedDict()
        self._beliefs: list[tuple[bytes, Any]] = []  # newest first; the capacity does not apply

    def get(self, state: bytes) -> Any:
        """Return what was stored for a state, or None."""
        return self._states.get(state)

    def put(self, state: bytes, logits: Any) -> None:
        """Store the logits of a state, and drop the oldest state if the cache is full."""
        self._states[state] = logits
        self._states.move_to_end(state)
        while len(self._states) > self._capacity:
            self._states.popitem(last=False)

    def earlier(self, state: bytes, belief: Any, count: int) -> list[Any]:
        """Store a belief and return those of up to `count` predictions before it, newest first.

        A state that is asked about twice in a row is one prediction. It is compared with the predictions before it,
        never with itself: otherwise the belief would look as if it had stopped changing.
        """
        again = bool(self._beliefs) and self._beliefs[0][0] == state
        before = self._beliefs[again : again + count]
        self._beliefs = [(state, belief), *before]
        return [belief for _, belief in before]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a candidate token is drawn from the model's distribution at a position."""

    temperature: float = 0.0  # 0 takes the most probable token
    top_p: float = 1.0  # nucleus: the smallest set of top tokens that reaches this mass, the crossing one included
    banned: tuple[int, ...] = ()  # token ids never to write, besides the mask id and padded vocabulary rows


@dataclass(frozen=True, eq=False, kw_only=True)
class Guidance:
    """Classifier-free guidance: logits become other + (1 + weight)(own - other), with `other` from `ids`.

    Ho and Salimans, 2022, arXiv:2207.12598
    """

    ids: Ids  # [length] the same canvas with some given tokens masked
    weight: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Query:
    """A canvas to pass through the network, and what is wanted of the positions asked about."""

    ids: Ids  # [length] token ids, the mask id where nothing is known
    positions: Ids  # [n] the positions asked about, each >= 1
    uniforms: Floats  # [n] in [0, 1): the caller's random numbers, so that results depend on neither batch nor device
    sampling: Sampling = Sampling()
    guidance: Guidance | None = None
    cache: BeliefCache | None = None  # of the run that asks
    lookback: int = 0  # number of the run's earlier predictions to compare with; see `Prediction.drift`
    tops: int = TOP  # number of most probable tokens wanted for each position
    targets: Ids | None = None  # [n] a token for each position whose probability is wanted
    attention: bool = False  # also say which positions the network reads; see `Prediction.columns`
    classes: TokenClasses | None = None  # whose probabilities are wanted; see `Prediction.class_probs`
    aside: bool = False  # this canvas is not a state of the run: caches that follow a run leave it alone

    @property
    def rows(self) -> tuple[Query, ...]:
        """The canvases that must pass through the network: its own and, with guidance, the other one."""
        if self.guidance is None:
            return (self,)
        return replace(self, guidance=None), replace(
            self, ids=self.guidance.ids, guidance=None, attention=False, aside=True
        )

    @property
    def state(self) -> bytes:
        """Key of what the logits depend on in a network without a time input: canvas and positions."""
        return self.ids.tobytes() + b"|" + self.positions.tobytes()


class Vocabulary(Protocol):
    """Text to token ids and back."""

    @property
    def begin(self) -> tuple[int, ...]:
        """The tokens that begin a text if nothing precedes the span: BOS, or GPT-2's end of text."""
        ...

    @property
    def special_ids(self) -> frozenset[int]:
        """Token ids that are not text."""
        ...

    @property
    def size(self) -> int:
        """Number of token ids, including special ones."""
        ...

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        """Return the token ids of a text: nothing is added or stripped, and names of special tokens are read as text.

        `opening` means that nothing precedes the text: LLaMA's SentencePiece puts a space before a first word.
        """
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the UTF-8 bytes of a token; a character may be spread over several tokens."""
        ...


class Tokenizer(Vocabulary, Protocol):
    """A vocabulary with a mask; `mask_id` may be an ordinary vocabulary id (in DiffuLLaMA it is 811)."""

    @property
    def mask_id(self) -> int:
        """The token id of a mask."""
        ...

    @property
    def frequencies(self) -> Floats | None:
        """[vocabulary] relative frequency of each token in text, above 0; None if they were not counted."""
        ...

    @property
    def classes(self) -> TokenClasses | None:
        """The word class of each token; None if they were not made. See `models.checkpoints.classes`."""
        ...


class Reader(Protocol):
    """A language model, with or without a mask: the part of it that is needed to lay out a text."""

    @property
    def name(self) -> str:
        """The name that is shown."""
        ...

    @property
    def tokenizer(self) -> Vocabulary:
        """Its vocabulary."""
        ...

    @property
    def context(self) -> int:
        """The longest sequence, in tokens."""
        ...


class Judge(Reader, Protocol):
    """An autoregressive model that scores texts."""

    def log_probabilities(self, prefixes: Sequence[Ids], continuations: Sequence[Ids]) -> list[Floats]:
        """Return log-probabilities [len(continuation)] in nats of the tokens of each continuation after its prefix."""
        ...


class Denoiser(Reader, Protocol):
    """A masked diffusion language model whose predictions are aligned: row i is about position i."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Its vocabulary and mask."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Warnings about this model for the user."""
        ...

    @property
    def judge(self) -> Judge | None:
        """The autoregressive model that this one was adapted from, with the same vocabulary; None if not available."""
        ...

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Return the belief about every asked position of every query, from one forward pass."""
        ...
