"""How well the belief in written words finds the ones that do not belong: swapped words and redrawn tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from app.errors import InfillError
from app.measure.bootstrap import Estimate, draw_counts, estimate_means, estimate_pooled
from app.measure.problems import Problem, gold
from app.proofread import Word, proofread
from models.denoiser import Denoiser, Floats, Query, Sampling

LOWEST = 3
"""A swapped word counts as found if it is among this many words with the least belief."""
NEAR = 16
"""A word is swapped for one of this many that are next to it in a list by frequency, half of them on either side."""
SHARE = 0.3
"""Share of the tokens of a middle that are drawn again."""
_FEWEST = 6  # words of a sentence
_SENTENCE = re.compile(r"[^.?!]+[.?!]")
_WHOLE = re.compile(r" [a-z]+")


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found; shares from 0 to 1, with 95 % intervals over texts."""

    sentences: int
    in_sentence: Estimate  # share of swapped words among the LOWEST of their sentence
    in_passage: Estimate  # the same among all words of the passage
    by_chance: float  # what `in_sentence` would be for a random order
    words: float  # of a sentence, mean
    texts: int
    auc: Estimate  # that the belief in a random original token is above that in a random redrawn one
    redrawn: int  # tokens that changed when they were drawn again


def measure_proofreading(
    problems: Sequence[Problem],
    denoiser: Denoiser,
    *,
    seed: int = 0,
    progress: Callable[[Sequence[Problem]], Iterable[Problem]] = iter,
) -> Found:
    """Swap a word in a sentence of each passage, and redraw tokens of each middle; ask where the belief is least.

    Raises InfillError if the token frequencies are not known, or if no passage has a sentence of _FEWEST words.
    """
    rng = np.random.default_rng(seed)
    neighbours = like_words(denoiser)
    swaps: list[tuple[int, int, int]] = []  # rank in the sentence and in the passage, words of the sentence
    redraws: list[tuple[Floats, Floats]] = []  # log beliefs in original and in redrawn tokens of a text
    for problem in progress(problems):
        if (swapped := swap_word(_passage(problem), neighbours, rng)) is not None:
            swaps.append(rank_swapped(*swapped, denoiser))
        redraws.append(beliefs_of_redrawn(problem, denoiser, rng))
    if not swaps:
        raise InfillError(f"no passage has a sentence of {_FEWEST} words or more with a word to swap; give other ones")
    ranks = np.array(swaps, dtype=np.float64)
    counts = draw_counts(len(swaps))
    sentence, passage = estimate_means((ranks[:, :2] < LOWEST).astype(np.float64), counts)
    draws = [
        area([redraws[number] for number in np.random.default_rng(at).integers(0, len(redraws), len(redraws))])
        for at in range(500)
    ]
    return Found(
        sentences=len(swaps),
        in_sentence=sentence,
        in_passage=passage,
        by_chance=float(np.minimum(1, LOWEST / ranks[:, 2]).mean()),
        words=float(ranks[:, 2].mean()),
        texts=len(redraws),
        auc=estimate_pooled(area(redraws), np.array(draws)),
        redrawn=sum(len(drawn) for _, drawn in redraws),
    )


def _passage(problem: Problem) -> str:
    return " ".join(filter(None, (problem.prefix, problem.middle.strip(" "), problem.suffix)))


def like_words(denoiser: Denoiser) -> dict[str, list[str]]:
    """Return for each whole word of one token the NEAR words that are about as common; all are in small letters.

    Raises InfillError if the token frequencies are not known.
    """
    tokenizer = denoiser.tokenizer
    if tokenizer.frequencies is None:
        raise InfillError(f"'{denoiser.name}' has no token frequencies: count them with python -m app frequencies")
    names = [tokenizer.token_bytes(token).decode("utf-8", "replace") for token in range(tokenizer.size)]
    common = sorted(
        (token for token, name in enumerate(names) if _WHOLE.fullmatch(name)),
        key=lambda token: -tokenizer.frequencies[token],  # pyright: ignore[reportOptionalSubscript]
    )
    words = [names[token].strip() for token in common]
    found = {}
    for at, word in enumerate(words):
        low = max(0, min(at - NEAR // 2, len(words) - NEAR - 1))
        found[word] = [other for other in words[low : low + NEAR + 1] if other != word]
    return found


def swap_word(
    passage: str, neighbours: dict[str, list[str]], rng: np.random.Generator
) -> tuple[str, tuple[int, int], int] | None:
    """Swap a random word in a random sentence of a passage for one that is about as common.

    Return the passage, where the sentence starts and stops in it, and where the new word starts; None if no sentence
    has _FEWEST words and one to swap.
    """
    sentences = [each.span() for each in _SENTENCE.finditer(passage)]
    long = [(start, stop) for start, stop in sentences if len(passage[start:stop].split()) >= _FEWEST]
    for number in rng.permutation(len(long)).tolist():
        start, stop = long[number]
        words = [each for each in re.finditer(r"(?<= )[a-z]+(?=[ .,!?])", passage) if start <= each.start() < stop]
        words = [each for each in words if each[0] in neighbours]
        if words:
            old = words[rng.integers(len(words))]
            others = neighbours[old[0]]
            new = others[rng.integers(len(others))]
            changed = passage[: old.start()] + new + passage[old.end() :]
            return changed, (start, stop + len(new) - len(old[0])), old.start()
    return None


def rank_swapped(passage: str, sentence: tuple[int, int], at: int, denoiser: Denoiser) -> tuple[int, int, int]:
    """Return the swapped word's rank from 0 in its sentence and in the passage, and the words of the sentence."""
    words = proofread([passage], denoiser)
    mine = next(word for word in words if word.start <= at < word.stop)

    def rank(some: list[Word]) -> int:
        return sum(word.belief < mine.belief for word in some)

    inside = [word for word in words if sentence[0] <= word.start < sentence[1]]
    return rank(inside), rank(words), len(inside)


def beliefs_of_redrawn(problem: Problem, denoiser: Denoiser, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw SHARE of the middle's tokens anew at temperature 1, and return the beliefs in what then stands there.

    The log beliefs (nats) in the original tokens, to which those count that were drawn as they had been, and in others.
    """
    true, encode = gold(problem, denoiser), denoiser.tokenizer.encode
    before = encode(problem.prefix, opening=True) or list(denoiser.tokenizer.begin)
    ids = np.array([*before, *true, *encode(" " + problem.suffix if problem.suffix else "")], dtype=np.int64)
    ids = ids[: denoiser.context]
    middle = np.arange(len(before), len(before) + len(true))
    chosen = np.sort(rng.permutation(middle)[: max(1, round(SHARE * len(middle)))])
    masked = ids.copy()
    masked[chosen] = denoiser.tokenizer.mask_id
    sampling = Sampling(temperature=1.0, banned=tuple(sorted(denoiser.tokenizer.special_ids)))
    (drawn,) = denoiser.predict(
        [Query(ids=masked, positions=chosen, uniforms=rng.random(len(chosen)), sampling=sampling)]
    )
    written = ids.copy()
    written[chosen] = drawn.candidates[chosen]
    (found,) = denoiser.predict(
        [Query(ids=written, positions=middle, uniforms=np.zeros(len(middle)), targets=written[middle])]
    )
    assert found.log_targets is not None
    beliefs, same = found.log_targets[middle], written[middle] == ids[middle]
    return beliefs[same], beliefs[~same]


def area(texts: Sequence[tuple[Floats, Floats]]) -> float:
    """Return the area under the ROC curve for finding redrawn tokens by low belief; ties count half, NaN if none is."""
    original, redrawn = (np.concatenate([text[which] for text in texts]) for which in (0, 1))
    if not len(original) or not len(redrawn):
        return np.nan
    both = np.concatenate([original, redrawn])
    _, group, sizes = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (sizes.cumsum() - (sizes - 1) / 2)[group]  # from 1; the mean for ties
    above = ranks[: len(original)].sum() - len(original) * (len(original) + 1) / 2
    return float(above / (len(original) * len(redrawn)))
