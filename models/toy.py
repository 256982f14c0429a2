"""A tiny exact denoiser without weights: a Markov chain, whose conditionals have a closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.classes import TokenClasses, WordClass
from models.denoiser import Floats, Ids, Query, Tokenizer
from models.prediction import Prediction
from models.reduction import contrasted, reduce

LETTERS = (
    WordClass("vowel", "v", content=False),
    WordClass("consonant", "c", content=True),
    WordClass("other", "?", content=False),
)
"""What stands for word classes where a token is a letter."""


class ToyTokenizer:
    """One token per character of `alphabet`; unknown characters become its first. Then begin and mask."""

    def __init__(self, alphabet: str) -> None:
        self._alphabet = alphabet
        self.begin = (len(alphabet),)
        self.mask_id = len(alphabet) + 1
        self.special_ids = frozenset({len(alphabet), len(alphabet) + 1})
        self.size = len(alphabet) + 2
        self.frequencies: Floats | None = None
        kinds = [0 if letter in "aeiou" else 1 if letter.isalpha() else 2 for letter in alphabet]
        self.classes: TokenClasses | None = TokenClasses(LETTERS, np.array([*kinds, 2, 2]))

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return [max(0, self._alphabet.find(character)) for character in text]

    def token_bytes(self, token: int) -> bytes:
        return self._alphabet[token].encode() if token < len(self._alphabet) else b""


class MarkovDenoiser:
    """Exact beliefs under p(x) = start(x_0) prod transition(x_i | x_{i-1}), given the unmasked tokens.

    As in a network, the mask id marks unknown tokens, also in the prefix, and states in a query's cache cost no pass.
    """

    name = "toy"
    context = 256
    notices = ()
    judge = None

    def __init__(self, tokenizer: ToyTokenizer, transition: Floats) -> None:
        """Take transition [states, states], whose rows sum to 1; the chain starts from the uniform distribution."""
        self.tokenizer: Tokenizer = tokenizer
        self.transition = transition

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Return exact predictions; see `Denoiser`."""
        predictions = []
        for query in queries:
            (own, forwards), *other = [self._log_beliefs(row) for row in query.rows]
            logits = contrasted(own, other[0][0], query.guidance.weight) if query.guidance else own.copy()
            logits[:, list(query.sampling.banned)] = -np.inf
            predictions.append(reduce(logits, query, forwards=forwards + sum(passed for _, passed in other)))
        return predictions

    def _log_beliefs(self, query: Query) -> tuple[Floats, int]:
        """Return logits [n, vocabulary] of a query's positions, and the number of forward passes that they cost."""
        known = query.cache and query.cache.get(query.state)
        if known is not None:
            return known, 0
        beliefs = self.marginals(query.ids)[query.positions]
        logits = np.full((len(query.positions), len(self.transition) + 2), -np.inf)
        with np.errstate(divide="ignore"):
            logits[:, : len(self.transition)] = np.log(beliefs)
        if query.cache is not None:
            query.cache.put(query.state, logits)
        return logits, 1

    def marginals(self, ids: Ids) -> Floats:
        """Return exact p(x_i | unmasked tokens) [length, states], by the forward-backward recursion."""
        states = len(self.transition)
        evidence = np.ones((len(ids), states))
        known = ids < states
        evidence[known] = np.eye(states)[ids[known]]
        ahead, behind = np.empty_like(evidence), np.empty_like(evidence)
        belief = np.full(states, 1 / states)
        for i in range(len(ids)):
            belief = evidence[i] * (belief if i == 0 else belief @ self.transition)
            belief = ahead[i] = belief / belief.sum()
        belief = np.ones(states)
        for i in reversed(range(len(ids))):
            behind[i] = belief
            belief = self.transition @ (evidence[i] * belief)
            belief = belief / belief.sum()
        joint = ahead * behind
        return joint / joint.sum(-1, keepdims=True)


def toy(alphabet: str = "abcdefghijklmnopqrstuvwxyz .,", *, seed: int = 0) -> MarkovDenoiser:
    """Make a Markov chain over the alphabet in which each letter has a few likely successors."""
    weights = np.random.default_rng(seed).exponential(size=(len(alphabet), len(alphabet))) ** 4 + 1e-3
    return MarkovDenoiser(ToyTokenizer(alphabet), weights / weights.sum(-1, keepdims=True))
