"""What is banned is not written, by whatever strategy and out of whatever tokens."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.constraints import NothingFitsError, forbidden_tokens
from app.sampling.request import InfillRequest
from app.strategies.registry import OneOf, Value, strategies
from app.trace.trace import Trace
from models.denoiser import BeliefCache, Floats, Ids, Query
from models.networks.reduction import reduce
from models.prediction import Prediction
from models.toy import MarkovDenoiser, ToyTokenizer

every_strategy = pytest.mark.parametrize("strategy", strategies())


class Syllables:
    """A vocabulary in which most words take several tokens."""

    NAMES = (
        " hot",
        "dog",
        " do",
        "g",
        "ma",
        "do",
        " ran",
        " ",
        "\n",
        "x\r",
        " Dog",
        "s",
        "\v",
        "é".encode()[:1],
        "é".encode()[1:],
        "\u2028".encode()[:2],
        "\u2028".encode()[2:],
    )
    size, mask_id, begin, special_ids = len(NAMES) + 2, len(NAMES) + 1, (len(NAMES),), frozenset({len(NAMES)})
    frequencies = None
    classes = None

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        names = sorted((name for name in self.NAMES if isinstance(name, str)), key=len, reverse=True)
        return [self.NAMES.index(piece) for piece in re.findall("|".join(map(re.escape, names)), text)]

    def token_bytes(self, token: int) -> bytes:
        name = self.NAMES[token] if token < len(self.NAMES) else ""
        return name if isinstance(name, bytes) else name.encode()


class Stubborn:
    """Wants to write the same tokens into every gap, and thinks little of the `other` one."""

    name, context, notices, tokenizer = "stubborn", 64, (), Syllables()
    judge: Any = None

    def __init__(self, *wanted: str, other: Sequence[str] = ()) -> None:
        self.wanted, self.other = wanted, other
        self.starts: WeakKeyDictionary[BeliefCache, int] = WeakKeyDictionary()

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [self._believe(query) for query in queries]

    def _believe(self, query: Query) -> Prediction:
        names = self.tokenizer.NAMES
        logits = torch.full((len(query.positions), self.tokenizer.size), float("-inf"))
        assert query.cache is not None
        start = self.starts.setdefault(query.cache, int(query.positions[0]))
        for row, position in enumerate(query.positions):
            logits[row, names.index(self.wanted[(int(position) - start) % len(self.wanted)])] = 5.0 - 0.01 * row
            for rank, name in enumerate(self.other):
                logits[row, names.index(name)] = -float(rank)
        known = query.cache.get(query.state) is not None
        query.cache.put(query.state, logits.clone())
        logits[:, list(query.sampling.banned)] = float("-inf")
        return reduce(logits, query, forwards=int(not known))


def last(denoiser, **asked) -> Trace:
    *_, trace = infill(InfillRequest(**asked), denoiser)
    return trace


def test_tokens_that_spell_a_banned_word_or_break_the_line_are_banned_by_themselves():
    def names(**asked) -> set[str]:
        tokens = forbidden_tokens(InfillRequest(**asked), Syllables())
        return {str(Syllables.NAMES[token]) for token in tokens if token not in Syllables.special_ids}

    assert names() == set()
    assert names(banned="dog") == {"dog", " Dog"}
    assert names(banned="DOG, ran") == {"dog", " Dog", " ran"}
    assert names(banned="do") == {"do", " do"}
    assert names(one_line=True) == {"\n", "x\r", "\v"}


def test_nothing_left_to_write_is_refused_before_the_first_pass():
    tiny = MarkovDenoiser(ToyTokenizer("ab"), np.full((2, 2), 0.5))
    assert last(tiny, banned="a", length=2, steps=2).fill == "bb"
    with pytest.raises(InfillError, match="nothing to write; ban fewer"):
        next(infill(InfillRequest(banned="a b"), tiny))


def test_a_word_of_two_tokens_becomes_the_likeliest_text_that_is_allowed():
    model = Stubborn(" do", "g", other=("ma", "s"))
    assert last(model, length=2, steps=2).fill == " dog"
    trace = last(model, length=2, steps=2, banned="DOG")
    assert trace.fill == " doma"
    assert trace.steps[1].prediction.candidates[trace.start.span[1]] == Syllables.NAMES.index("ma")
    assert trace.steps[1].prediction.confidence[trace.start.span[1]] == pytest.approx(
        trace.steps[1].prediction.top_probs[trace.start.span[1], 1], rel=1e-3
    )
    assert trace.steps[1].selection.notes["kept out"] == 1
    assert last(model, length=2, steps=1, banned="dog").fill == " doma", "both in one step"


@pytest.mark.parametrize(
    ("asked", "fill"),
    [
        ({"prefix": " hot", "length": 2}, "dog"),  # hotdog is another word
        ({"prefix": " hot ", "length": 2}, " dos"),  # the space is not on the canvas, and yet in the text
        ({"prefix": " hot", "suffix": "ma", "length": 2}, "dog"),
        ({"prefix": " hot ", "suffix": "ma", "length": 2}, " dog"),  # dogma, too
        ({"prefix": " dog", "length": 2}, "dog"),  # what is given may say what it likes
        ({"prefix": " ran", "suffix": "g", "length": 1}, "do"),
        ({"prefix": " ran ", "suffix": "g", "length": 1}, " s"),
        ({"text": " ran [[1]]g [[2]]ma"}, " s …  dog"),
        ({"text": " hot [[2|2:g]]"}, " s g"),
    ],
)
def test_the_given_text_decides_with_the_fill_what_is_a_word(asked, fill):
    trace = last(Stubborn("do", "g", other=("s",)), steps=4, space=False, banned="dog", **asked)
    assert trace.fill.replace("s g", "sg") == fill.replace("s g", "sg")


def test_a_word_that_nothing_can_take_the_place_of_ends_the_run_with_its_name():
    with pytest.raises(InfillError, match=r"'dog' cannot be avoided.*position 2"):
        last(Stubborn(" do", "g"), length=2, steps=2, banned="dog")


def test_where_nothing_else_is_left_the_position_waits_and_others_go_first():
    trace = last(Stubborn(" do", "g", "ma"), length=3, steps=6, banned="dog", strategy="left_to_right")
    assert trace.fill == " dogma"
    assert trace.order.tolist() == [1, 3, 2]


def test_beyond_the_top_candidates_the_whole_vocabulary_is_tried():
    model = Stubborn(" do", "g", other=("ma", "do", "s", "x\r", " hot"))
    trace = last(model, length=2, steps=2, banned="dog doma dodo dos dox")
    assert trace.fill == " do hot"
    assert Syllables.NAMES.index(" hot") not in trace.steps[1].prediction.top_tokens[trace.start.span[1]]
    assert trace.nfe == 2, "a pass was spent on it"


def test_at_a_temperature_another_token_is_drawn_in_proportion():
    model = Stubborn(" do", "g", other=("ma", "s"))
    fills = [last(model, length=2, steps=2, banned="dog", temperature=5.0, seed=seed).fill for seed in range(300)]
    others = {fill: fills.count(fill) for fill in (" doma", " dos")}
    assert others[" doma"] / sum(others.values()) == pytest.approx(1 / (1 + np.exp(-1 / 5)), abs=0.1)


class Even:
    """An autoregressive model to which all texts are alike; it has never seen a mask."""

    name, context, tokenizer = "even", 64, Syllables()

    def log_probabilities(self, prefixes: Sequence[Ids], continuations: Sequence[Ids]) -> list[Floats]:
        assert not any((text == self.tokenizer.mask_id).any() for text in continuations)
        return [np.zeros(len(text)) for text in continuations]


def settings() -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Every strategy as its paper has it, and with each of its other choices and switches."""
    for name, found in strategies().items():
        yield name, {}
        for parameter in found.knobs:
            options = (
                parameter.domain.options if isinstance(parameter.domain, OneOf) else (True,) * (parameter.kind is bool)
            )
            yield from ((name, {parameter.name: option}) for option in options if option != parameter.default)
    yield "gibbs", {"energy": 0.5}
    yield "gibbs", {"energy": 0.5, "targeted": True}


@pytest.mark.parametrize(("strategy", "knobs"), settings())
def test_a_position_that_a_ban_holds_back_waits_whatever_the_strategy(strategy, knobs):
    """The second position can only be `g` until the third is known: then it does not end a word."""
    model = Stubborn(" do", "g", "ma")
    model.judge = Even()
    for seed in range(20):
        trace = last(model, length=3, steps=9, banned="dog", strategy=strategy, knobs=knobs, seed=seed)
        assert trace.fill == " dogma"


def test_a_letter_spread_over_two_tokens_is_seen():
    first, second = Syllables.NAMES[-4:-2]
    assert last(Stubborn(first, second, other=("s",)), length=2, steps=2).fill == "é"
    assert last(Stubborn(first, second, other=("s",)), length=2, steps=2, banned="é").fill == "\ufffds"


@every_strategy
@pytest.mark.parametrize(("steps", "temperature"), [(6, 0.0), (24, 1.0)])
def test_no_strategy_writes_a_banned_word(strategy, steps, temperature):
    text = "the [[12]] was, and [[9|4:tom]]."
    asked = {"text": text, "steps": steps, "temperature": temperature, "seed": 3, "strategy": strategy}
    toy = models.load("toy")
    free = last(toy, **asked)
    words = {word for word in re.findall(r"\w+", " ".join(free.fills)) if "tom" not in word and len(word) > 1}
    assert words, "there is nothing to ban"
    trace = last(toy, **asked, banned=sorted(words))
    assert trace.ended == "complete"
    assert len(trace.steps) <= steps
    assert trace.request.ban
    assert not trace.request.ban.search(trace.text.replace("the ", "").replace(" was", ""))


@every_strategy
def test_every_strategy_leaves_given_and_pinned_text_alone(strategy):
    toy = models.load("toy")
    trace = last(toy, text="a [[7|3:cat]] b [[1]][[5|4:x]] c", steps=9, strategy=strategy, temperature=0.8)
    given = ~trace.start.editable
    for step in trace.steps:
        assert (step.canvas.ids[given] == trace.start.ids[given]).all()
    assert trace.ended == "complete"
    assert trace.pieces(0)[:7] == [None, None, " ", "c", "a", "t", None]
    assert trace.order[:7].astype(bool).tolist() == [True, True, False, False, False, False, True]


def test_one_line_stays_one_line():
    model = Stubborn(" do", "\n", "g", "x\r", other=("s",))
    assert "\n" in last(model, length=4).fill
    assert last(model, length=4, one_line=True).fill == " dosgs"


def test_a_line_break_spread_over_two_tokens_is_one():
    first, second = Syllables.NAMES[-2:]
    assert last(Stubborn(first, second, other=("s",)), length=2, steps=2).fill == "\u2028"
    assert last(Stubborn(first, second, other=("s",)), length=2, steps=2, one_line=True).fill == "\ufffds"
    with pytest.raises(InfillError, match=r"^a line break cannot be avoided: no other token of the model"):
        last(Stubborn(first, second), length=2, steps=2, one_line=True)
    with pytest.raises(InfillError, match="'1:a\u2028b' cannot be written, because it has a line break"):
        InfillRequest(text="[[4|1:a\u2028b]]", one_line=True)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 12])
def test_a_ban_that_never_applies_changes_nothing_that_any_strategy_writes(steps):
    """Of a probe in the last step but one, too: a canvas that it has paid for leaves another step."""
    toy = models.load("toy")
    for strategy, found in strategies().items():
        asked = {"prefix": "the cat ", "suffix": " and ran", "length": 12, "strategy": strategy, "seed": 7}
        asked["steps"] = max(steps, found.least_steps({}))
        free, bound = last(toy, **asked), last(toy, **asked, banned="xylophone")
        assert bound.order.tolist() == free.order.tolist(), strategy
        assert (bound.fill, bound.nfe) == (free.fill, free.nfe), strategy


def test_what_a_ban_puts_in_the_place_of_a_draft_is_judged_by_its_own_probability():
    model = Stubborn(" do", "g", other=("ma", "s"))
    for seed in range(20):
        trace = last(model, length=4, steps=6, banned="dog", strategy="p2", temperature=1.0, seed=seed)
        for step in trace.steps:
            written = step.selection.commit
            found = step.prediction.drawn_confidence[written]
            assert found.tolist() == pytest.approx(step.prediction.confidence[written].tolist())


def test_a_word_that_cannot_be_kept_out_is_named_across_processes():
    error = NothingFitsError("the banned word 'dog'", rows=3, calls=2)
    there = pickle.loads(pickle.dumps(error))
    assert (str(there), there.rows, there.calls) == ("the banned word 'dog'", 3, 2)


def test_blocks_go_on_where_a_ban_has_used_up_their_steps():
    two = MarkovDenoiser(ToyTokenizer("ab"), np.full((2, 2), 0.5))
    trace = last(two, length=8, steps=4, banned="aa,ab,ba,bb", strategy="low_confidence", knobs={"blocks": 4})
    assert trace.ended == "complete"


def test_the_bundled_model_keeps_to_what_is_banned():
    model = models.load()
    asked = {"prefix": "The little dog was", "suffix": "so he ran home.", "length": 6, "steps": 6}
    free = last(model, **asked)
    words = re.findall(r"\w+", free.fill)
    trace = last(model, **asked, banned=words)
    assert trace.ended == "complete"
    assert trace.request.ban
    assert not trace.request.ban.search(trace.fill)
