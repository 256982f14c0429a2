"""The rows of the comparison, and the texts of each: the same prompts continued by parent and child in several ways."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.errors import InfillError
from app.sampler import Sampler
from app.sampling.canvas import Canvas
from app.sampling.fields import Value
from app.sampling.request import InfillRequest
from models.denoiser import Denoiser, Ids

if TYPE_CHECKING:  # it imports torch
    from models.networks.autoregressive import AutoregressiveModel

HUMAN, PARENT = "human", "parent"
PROMPT = 32
"""Tokens of a prompt, as in the paper."""
TEMPERATURE = 1.0
FIRST_SAMPLE = 1_000_000
"""The number of the first prompt of one's own; the text's prompts have the numbers from 0."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A row: who writes the text, and in which order."""

    key: str
    title: str
    strategy: str = ""  # empty: not written by the child
    knobs: Mapping[str, Value] = field(default_factory=dict)
    redraw: bool = False


WAYS = (
    Way(key=HUMAN, title="human text"),
    Way(key=PARENT, title="parent, left to right"),
    Way(key="left_to_right", title="child, left to right", strategy="left_to_right"),
    Way(key="random", title="child, random order", strategy="first_hitting"),
    Way(key="low_confidence", title="child, surest first", strategy="low_confidence"),
    Way(key="blocks", title="child, surest first, 8 blocks", strategy="low_confidence", knobs={"blocks": 8}),
    Way(key="redraw", title="child, surest first, drawn anew", strategy="low_confidence", redraw=True),
    Way(key="entropy", title="child, least undecided first", strategy="entropy"),
)
"""Every row. The child's each commit one token a pass."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Prompt:
    """Token ids to continue, and how a person continued them."""

    ids: Ids  # [PROMPT], or as many as a prompt of one's own has
    human: Ids  # [G]; empty if it is not known


def cut_prompts(records: Sequence[str], denoiser: Denoiser, *, length: int, count: int) -> list[Prompt]:
    """Return the first tokens of `count` records, and the `length` tokens after them.

    Raises InfillError if too few records are long enough.
    """
    prompts = []
    for record in records:
        ids = np.array(denoiser.tokenizer.encode(record, opening=True), dtype=np.int64)
        if len(ids) >= PROMPT + length:
            prompts.append(Prompt(ids=ids[:PROMPT], human=ids[PROMPT : PROMPT + length]))
        if len(prompts) == count:
            return prompts
    raise InfillError(
        f"only {len(prompts)} records have {PROMPT + length} tokens or more: give more text, or a smaller --texts or "
        "--length"
    )


def own_prompts(texts: Iterable[str], denoiser: Denoiser) -> list[Prompt]:
    """Return prompts of one's own, which no person has continued."""
    encode = denoiser.tokenizer.encode
    return [Prompt(ids=np.array(encode(text, opening=True)), human=np.empty(0, dtype=np.int64)) for text in texts]


def sampler_of(way: Way, denoiser: Denoiser, length: int) -> Sampler:
    """Return how the child writes a row: temperature 1, no nucleus, no special tokens, one token a pass."""
    request = InfillRequest(
        prefix="",
        length=length,
        steps=length,
        strategy=way.strategy,
        knobs=way.knobs,
        temperature=TEMPERATURE,
        redraw=way.redraw,
    )
    return Sampler.of(request, denoiser)


def write_text(way: Way, prompt: Prompt, sampler: Sampler, *, length: int, seed: int) -> list[int]:
    """Return the `length` tokens that the child writes after a prompt; nothing stands behind them."""
    canvas = Canvas.of([prompt.ids, []], [[None] * length], sampler.denoiser.tokenizer.mask_id)
    final = canvas
    for step in replace(sampler, seed=seed).fill(canvas):
        final = step.canvas
    return final.ids[final.span].tolist()


def write_texts(
    left: Sequence[tuple[int, Prompt, Sequence[Way]]],
    denoiser: Denoiser,
    parent: AutoregressiveModel,
    *,
    length: int,
    batch: int,
    until: float = float("inf"),
) -> Iterator[dict[str, Any]]:
    """Write the missing rows of each prompt, whose number is its seed; yield results in the form of `map.runs.Rows`.

    `batch` runs of one way share the child's passes. `until` is the time after which no further batch begins. Rows have
    the tokens and the parent's mean nats a token: the paper's reference cross-entropy.
    """
    from models.serve.batching import BatchingDenoiser

    shared = BatchingDenoiser(denoiser, most=batch) if batch > 1 else denoiser
    with ThreadPoolExecutor(batch) as threads:
        for start in range(0, len(left), batch):
            if time.time() > until:
                return
            began, some = time.process_time(), left[start : start + batch]
            found: dict[int, list[dict[str, Any]]] = {number: [] for number, _, _ in some}
            for way in WAYS:
                mine = [(number, prompt) for number, prompt, ways in some if way in ways]
                for (number, prompt), tokens in zip(
                    mine, _written(way, mine, shared, parent, length, threads), strict=True
                ):
                    (scores,) = parent.log_probabilities([prompt.ids], [tokens])
                    nats = -float(scores.mean()) if tokens else None
                    found[number].append({"key": way.key, "seed": 0, "fill": tokens, "nats": nats})
            seconds = (time.process_time() - began) / len(some)
            for number, rows in found.items():
                yield {"problem": number, "rows": rows, "computed": 0, "seconds": seconds}


def _written(
    way: Way,
    mine: Sequence[tuple[int, Prompt]],
    denoiser: Denoiser,
    parent: AutoregressiveModel,
    length: int,
    threads: ThreadPoolExecutor,
) -> list[list[int]]:
    """Return the texts of one way, one for each number and prompt."""
    if way.key == HUMAN:
        return [prompt.human.tolist() for _, prompt in mine]  # empty for prompts of one's own
    if way.key == PARENT:
        return [
            parent.complete([prompt.ids], length, temperature=TEMPERATURE, seed=number)[0] for number, prompt in mine
        ]
    sampler = sampler_of(way, denoiser, length)
    return list(threads.map(lambda one: write_text(way, one[1], sampler, length=length, seed=one[0]), mine))
