"""Messages to the browser: small, complete in themselves, and the same result whichever of them arrive."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.layout import lay_out
from app.sampling.request import MAX_LENGTH, InfillRequest
from app.sampling.step import Selection, Step
from app.strategies.registry import strategies
from app.trace.messages import Message, build_closing, build_live, build_opening, list_candidates
from app.trace.trace import Trace
from models.denoiser import Query
from models.networks.reduction import reduce
from models.prediction import Prediction

RUN = "r" * 12

LIMIT = 2048
"""Most bytes of JSON for a denoising step."""

every_strategy = pytest.mark.parametrize("strategy", strategies())


class Words:
    """A tokenizer of 600 words with a space before each, as long as English tokens or longer."""

    mask_id, begin, special_ids, size = 601, (600,), frozenset({600, 601}), 602
    frequencies = None

    def __init__(self, letters: int) -> None:
        rng = np.random.default_rng(0)
        self._words = [" " + "".join(rng.choice(list("abcdefghiklmnoprstuvwy"), letters)) for _ in range(600)]

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        return [sum(word.encode()) % 600 for word in text.split()]

    def token_bytes(self, token: int) -> bytes:
        return self._words[token].encode() if token < 600 else b""


class Wordy:
    """A model with different beliefs at every position and state, so that no score is round and no piece is empty."""

    name, context, notices = "wordy", 512, ()

    def __init__(self, letters: int = 6) -> None:
        self.tokenizer = Words(letters)

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        return [reduce(self._logits(query), query, forwards=len(query.rows)) for query in queries]

    def _logits(self, query: Query) -> torch.Tensor:
        generator = torch.Generator().manual_seed(int((query.ids == self.tokenizer.mask_id).sum()))
        logits = 3 * torch.randn(len(query.positions), 602, generator=generator)
        logits[:, 600:] = float("-inf")
        return logits


def traces(denoiser: Any = None, **asked: Any) -> list[Trace]:
    asked = {"prefix": "Once upon a time", "suffix": "ever after.", "temperature": 0.7} | asked
    return list(infill(InfillRequest(**asked), denoiser or Wordy()))


def on_the_wire(message: Message) -> bytes:
    """Return the message as Gradio writes it; anything that is not JSON (NaN, numpy) fails here."""
    return json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class Reader:
    """What assets/denoising_view.js does with messages in `receive` and `frameOf`."""

    def __init__(self) -> None:
        self.run: str | None = None
        self.opening: Message | None = None
        self.frames: dict[int, Message] = {}
        self.latest, self.ended, self.text = 0, "", ""

    def receive(self, message: Message) -> None:
        message = json.loads(on_the_wire(message))
        if message["run"] != self.run:
            self.run, self.opening, self.frames, self.text = message["run"], None, {}, ""
        self.opening = message.get("opening", self.opening)
        if "states" in message:
            pieces: list[str | None] = [None] * message["length"]
            self.frames = {}
            for number, state in enumerate(message["states"]):
                pieces = pieces.copy()
                for place, piece in state["changes"].items():
                    pieces[int(place)] = piece
                self.frames[number] = frame(state, number, pieces)
            self.text = message["text"]
        else:
            self.frames[message["step"]] = frame(message, message["step"], message["pieces"])
        self.ended, self.latest = message["ended"], message["step"]

    @property
    def shown(self) -> Message:
        return self.frames[self.latest]


def frame(message: Message, step: int, pieces: list[str | None]) -> Message:
    read = {name: message[name] for name in ("nfe", "calls", "seconds")}
    read |= {"pieces": pieces, "notes": message.get("notes") or {}}
    read["remask"] = message.get("remask") or []
    read |= {score: [0] * len(pieces) for score in ("when", "confidence", "entropy")}
    if step:
        coded = {score: base64.b64decode(message[score]) for score in ("when", "confidence", "entropy")}
        read |= {"when": list(coded["when"]), "confidence": list(coded["confidence"])}
        pinned = [piece is not None and not when for piece, when in zip(pieces, coded["when"], strict=True)]
        asked = [place for place, when in enumerate(coded["when"]) if when in (0, step) and not pinned[place]]
        for place, value in zip(asked, coded["entropy"], strict=True):
            read["entropy"][place] = value
    return read


def remasking(tokens: Sequence[bytes], turns: Sequence[tuple[dict[int, int], tuple[int, ...]]]) -> list[Trace]:
    """Return a run made by hand: every turn remasks places, then commits {place: token}."""
    toy = models.load("toy")
    request = InfillRequest(prefix="a ", suffix="b", length=4, steps=len(turns))
    start, notices = lay_out(request, toy)
    whole = traces(toy, prefix="a ", suffix="b", length=4, steps=1)[-1].steps[0].prediction
    first = int(start.span[0])
    lexicon = {token: toy.tokenizer.token_bytes(token) for token in set(start.ids.tolist())}
    made = [
        Trace(
            request=request, model="toy", start=start, lexicon=lexicon | dict(enumerate(tokens, 1000)), notices=notices
        )
    ]
    for number, (commit, remask) in enumerate(turns, start=1):
        taken = np.array(remask, dtype=np.int64) + first
        fixed = np.array(list(commit), dtype=np.int64) + first
        before = made[-1].canvas.remask(taken)
        tops = np.where(before.masked[:, None], whole.top_tokens, -1)
        scores = {name: np.where(before.masked, getattr(whole, name), 0) for name in ("confidence", "entropy")}
        step = Step(
            canvas=before.commit(fixed, np.array([1000 + token for token in commit.values()], dtype=np.int64)),
            prediction=replace(whole, top_tokens=tops, **scores),
            selection=Selection(commit=fixed, remask=taken, notes={"turn": float(number)}),
            nfe=number,
            calls=number,
            seconds=number / 7,
            model_seconds=number / 8,
        )
        made.append(replace(made[-1], steps=(*made[-1].steps, step)))
    ended = "stopped" if made[-1].canvas.masked.any() else "complete"
    return [*made[:-1], replace(made[-1], ended=ended)]


HALVES = [b"\xe2", b"\x82\xac", b" dog", b"<i>", b" cat"]
BACK_AND_FORTH = remasking(
    HALVES,
    [
        ({0: 0, 3: 2}, ()),  # half a character alone
        ({1: 1}, ()),  # its other half changes the first one's text as well
        ({}, (3, 0)),
        ({3: 4, 2: 3}, ()),
        ({0: 0}, (3,)),
        ({3: 2}, (1,)),
        ({1: 1}, ()),
    ],
)


@every_strategy
@pytest.mark.parametrize("steps", [1, 12, 60])
def test_a_step_of_60_positions_takes_at_most_2048_bytes(strategy: str, steps: int) -> None:
    for trace in traces(length=60, steps=max(steps, strategies()[strategy].least_steps({})), strategy=strategy):
        assert len(on_the_wire(build_live(trace, RUN))) <= LIMIT


def test_a_step_of_the_longest_gap_in_long_words_takes_at_most_2048_bytes() -> None:
    for trace in traces(Wordy(7), length=MAX_LENGTH, steps=MAX_LENGTH):
        assert len(on_the_wire(build_live(trace, RUN))) <= LIMIT


RUNS = {
    "remasking": BACK_AND_FORTH,
    "several gaps": traces(models.load("toy"), prefix="", suffix="", text="the [[3]] saw [[7|2:cat]][[2]].", steps=4),
    **{name: traces(length=9, steps=5, strategy=name, seed=4) for name in strategies()},
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@every_run
def test_the_last_message_alone_shows_the_same_as_all_messages_together(run: list[Trace]) -> None:
    all_so_far = Reader()
    for trace in run:
        alone = Reader()
        alone.receive(build_live(trace, "r"))
        all_so_far.receive(build_live(trace, "r"))
        assert alone.shown == all_so_far.shown
        assert (alone.latest, alone.ended) == (all_so_far.latest, all_so_far.ended)
        assert alone.shown["pieces"] == trace.pieces(len(trace.steps))


@every_run
def test_repeated_and_missing_messages_do_not_change_the_frames(run: list[Trace]) -> None:
    steady, patchy = Reader(), Reader()
    for number, trace in enumerate(run):
        steady.receive(build_live(trace, "r"))
        for _ in range(2 * (number % 2)):
            patchy.receive(build_live(trace, "r"))
    assert patchy.frames == {number: frame for number, frame in steady.frames.items() if number % 2}


@every_run
def test_the_closing_message_holds_every_state_as_the_live_messages_sent_it(run: list[Trace]) -> None:
    followed, closed = Reader(), Reader()
    for trace in run:
        followed.receive(build_live(trace, "r"))
    closed.receive(build_closing(run[-1], "r"))
    assert closed.frames == followed.frames
    assert (closed.latest, closed.ended, closed.opening) == (followed.latest, followed.ended, followed.opening)
    assert closed.text == run[-1].text


def test_the_closing_message_changes_a_remasked_piece_and_its_neighbour_back() -> None:
    reader = Reader()
    reader.receive(build_closing(BACK_AND_FORTH[-1], "r"))
    assert [reader.frames[number]["pieces"] for number in range(8)] == [
        [None, None, None, None],
        ["\ufffd", None, None, " dog"],
        ["", "€", None, " dog"],
        [None, "\ufffd\ufffd", None, None],
        [None, "\ufffd\ufffd", "<i>", " cat"],
        ["", "€", "<i>", None],
        ["\ufffd", None, "<i>", " dog"],
        ["", "€", "<i>", " dog"],
    ]
    assert [reader.frames[number]["remask"] for number in range(8)] == [[], [], [], [3, 0], [], [3], [1], []]


def test_the_closing_message_writes_only_what_changed() -> None:
    whole = build_closing(traces(length=40, steps=40)[-1], "r")
    assert [len(state["changes"]) for state in whole["states"]] == [0, *[1] * 40]


def test_scores_are_bytes_and_a_committed_position_keeps_its_confidence() -> None:
    *_, trace = traces(length=9, steps=4)
    span = trace.start.span
    committed = np.zeros(9)
    for number, step in enumerate(trace.steps, start=1):
        reader = Reader()
        so_far = replace(trace, steps=trace.steps[:number])
        reader.receive(build_live(so_far, "r"))
        shown = reader.shown
        assert shown["when"] == so_far.order.tolist()
        fresh = so_far.order == number
        committed[fresh] = step.prediction.confidence[span][fresh]
        expected = np.where(so_far.order > 0, committed, step.prediction.confidence[span])
        assert np.array(shown["confidence"]) / 255 == pytest.approx(expected, abs=0.5 / 255)
        assert np.array(shown["entropy"]) / 24 == pytest.approx(step.prediction.entropy[span], abs=0.5 / 24)
        assert all(entropy > 0 for entropy, order in zip(shown["entropy"], so_far.order, strict=True) if order == 0)


def test_only_the_state_before_the_first_step_and_the_closing_carry_the_opening() -> None:
    run = traces(length=5, steps=5)
    assert ["opening" in build_live(trace, "r") for trace in run] == [True, *[False] * 5]
    assert build_live(run[0], "r")["opening"] == build_closing(run[-1], "r")["opening"] == build_opening(run[-1])


def test_the_opening_holds_the_request() -> None:
    message = build_opening(traces(models.load("toy"), prefix="a bc  ", suffix="d", length=3, steps=2, seed=9)[0])
    assert message == {
        "given": ["a bc", " d"],
        "gaps": [3],
        "notices": [],
        "strategy": "low_confidence",
        "steps": 2,
        "spaces": ["  "],
    }


def test_infinite_and_nan_notes_are_left_out_of_the_json() -> None:
    *_, trace = traces(length=3, steps=1)
    (step,) = trace.steps
    odd = replace(step, selection=replace(step.selection, notes={"most": float("inf"), "none": float("nan"), "n": 2}))
    for message in (build_live(replace(trace, steps=(odd,)), "r"), build_closing(replace(trace, steps=(odd,)), "r")):
        assert b'"n":2' in on_the_wire(message)


def test_candidates_are_the_beliefs_of_that_step_surest_first() -> None:
    *_, trace = traces(length=6, steps=3)
    for number, step in enumerate(trace.steps, start=1):
        rows = list_candidates(trace, number)
        assert len(rows) == 6
        for place, row in zip(trace.start.span, rows, strict=True):
            tokens = step.prediction.top_tokens[place]
            assert [text for text, _ in row] == [trace.lexicon[int(token)].decode() for token in tokens if token >= 0]
            shares = [share for _, share in row]
            assert shares == sorted(shares, reverse=True)
            assert shares == pytest.approx(step.prediction.top_probs[place][: len(row)], abs=5e-5)
    asked = [bool(row) for row in list_candidates(trace, 2)]
    assert asked == trace.state(1).masked[trace.start.span].tolist()
    assert True in asked
    assert False in asked


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (b"\xe2\x82", "<E2 82>"),
        (b"\xac", "<AC>"),
        (b"a\xc3", "<61 C3>"),
        ("€".encode(), "€"),
        (b"<b>", "<b>"),
        (b"\n", "\n"),
    ],
)
def test_a_candidate_that_is_part_of_a_character_is_shown_by_its_bytes(token: bytes, text: str) -> None:
    *_, trace = traces(length=1, steps=1)
    best = int(trace.steps[0].prediction.top_tokens[trace.start.span[0], 0])
    assert list_candidates(replace(trace, lexicon={**trace.lexicon, best: token}), 1)[0][0][0] == text


@pytest.mark.parametrize("number", [0, -1, 5, 10**30, "1", None, True, 1.0, [1], {}, float("nan")])
def test_an_unknown_step_has_no_candidates(number: object) -> None:
    *_, trace = traces(length=4, steps=4)
    with pytest.raises(InfillError, match="no step"):
        list_candidates(trace, number)


def test_a_run_without_steps_has_no_candidates() -> None:
    with pytest.raises(InfillError, match="no step"):
        list_candidates(traces(length=4, steps=4)[0], 1)


def test_several_gaps_are_sent_with_the_text_between_them_and_pinned_words() -> None:
    *_, trace = RUNS["several gaps"]
    message = build_opening(trace)
    assert (message["given"], message["gaps"], message["spaces"]) == (
        ["the", " saw", "", "."],
        [3, 7, 2],
        [" ", " ", ""],
    )
    reader = Reader()
    reader.receive(build_closing(trace, "r"))
    assert reader.frames[0]["pieces"] == [None, None, None, None, " ", "c", "a", "t", None, None, None, None]
    for number in range(1, len(trace.steps) + 1):
        frame = reader.frames[number]
        assert frame["pieces"][4:8] == [" ", "c", "a", "t"]
        assert frame["when"][4:8] == frame["confidence"][4:8] == frame["entropy"][4:8] == [0] * 4
        assert [bool(row) for row in list_candidates(trace, number)][4:8] == [False] * 4
        assert list_candidates(trace, number)[0]
    assert reader.text == trace.text


def test_calls_are_sent_beside_nfe_and_differ_under_guidance() -> None:
    *_, trace = traces(models.load("toy"), length=3, steps=3, guidance=1.0)
    message = build_live(trace, "r")
    assert (message["nfe"], message["calls"]) == (6, 3)
