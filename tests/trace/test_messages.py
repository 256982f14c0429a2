"""Messages to the browser: small, complete in themselves, and the same result whichever of them arrive."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
from app.trace.length_choice import LengthChoice
from app.trace.messages import (
    LiveMessages,
    Message,
    build_closing,
    build_live,
    build_opening,
    build_replay,
    list_candidates,
)
from app.trace.recording import dump
from app.trace.trace import Commits, Origin, Trace
from app.trace.verdict import verdict
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
    classes = None

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
    """What assets/page/messages.js does with messages in `receive` and `frameOf`."""

    def __init__(self) -> None:
        self.run: str | None = None
        self.opening: Message | None = None
        self.frames: dict[int, Message] = {}
        self.latest, self.ended, self.text = 0, "", ""

    def receive(self, message: Message) -> None:
        message = json.loads(on_the_wire(message))
        if message["run"] != self.run:
            self.run, self.opening, self.frames, self.text = message["run"], None, {}, ""
        assert message["begun"]
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


def test_the_opening_holds_the_request_as_a_recording_has_it() -> None:
    trace = traces(models.load("toy"), prefix="a bc  ", suffix="d", length=3, steps=2, seed=9, banned=["cat"])[0]
    message = build_opening(trace)
    request = message.pop("request")
    assert message == {
        "given": ["a bc", " d"],
        "gaps": [3],
        "inherited": [],
        "notices": [],
        "spaces": ["  "],
        "model": "toy",
        "by": "diffusion",
        "origin": None,
    }
    assert request == json.loads(dump(trace))["request"]
    assert InfillRequest(**request) == trace.request
    assert build_opening(replace(trace, by="parent"))["by"] == "parent"


def declared(interface: str) -> tuple[set[str], set[str]]:
    """Return the names that an interface of types.d.ts requires and those that it allows besides."""
    text = (Path(__file__).parents[2] / "assets" / "page" / "types.d.ts").read_text(encoding="utf-8")
    text = re.sub("//.*", "", text)
    found = re.search(rf"interface {interface}(?: extends (\w+))? \{{((?:[^{{}}]|\{{[^{{}}]*\}})*)\}}", text)
    assert found, interface
    needed, optional = declared(found[1]) if found[1] else (set(), set())
    body = re.sub(r"\{[^{}]*\}", "", found[2])
    for name, mark in re.findall(r"(\w+)(\??):", body):
        (optional if mark else needed).add(name)
    return needed, optional


@pytest.mark.parametrize(
    ("interface", "build"),
    [
        ("Opening", build_opening),
        ("Live", lambda trace: build_live(trace, "r", "k")),
        ("Closing", lambda trace: build_closing(trace, "r", "k")),
        ("Replay", lambda trace: build_replay(trace, "r", "k")),
    ],
)
def test_a_message_has_exactly_the_fields_that_the_browser_declares(interface: str, build: Any) -> None:
    needed, optional = declared(interface)
    assert len(needed) > 5
    for trace in (BACK_AND_FORTH[0], BACK_AND_FORTH[3], BACK_AND_FORTH[-1], branched()[-1]):
        sent = set(build(trace))
        assert needed <= sent <= needed | optional


def test_messages_are_addressed_by_the_names_of_the_run_on_both_sides() -> None:
    for message in (build_live(BACK_AND_FORTH[2], "r", "k"), build_replay(BACK_AND_FORTH[2], "r", "k")):
        assert (message["run"], message["key"]) == ("r", "k")


@every_run
@pytest.mark.parametrize("stride", [1, 3])
def test_messages_built_one_after_another_are_those_built_afresh(run: list[Trace], stride: int) -> None:
    following = LiveMessages("r", "k")
    for trace in [*run[::stride], run[-1], *run[:2], run[-1]]:  # also over again, and back to an earlier state
        assert following.build(trace) == build_live(trace, "r", "k")


def test_a_message_takes_no_more_work_the_more_steps_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    run = traces(length=20, steps=20)
    added: list[Step] = []
    add = Commits.add
    monkeypatch.setattr(Commits, "add", lambda commits, step: (added.append(step), add(commits, step)))
    following = LiveMessages("r")
    for trace in run:
        following.build(trace)
    assert added == list(run[-1].steps)


def test_while_a_length_is_chosen_messages_count_passes_and_carry_the_opening() -> None:
    *waiting, first, last = [
        trace
        for trace in traces(models.load("toy"), prefix="the ", suffix=" ran.", length=None, steps=9)
        if not trace.steps or trace.ended != "running"
    ]
    messages = [build_live(trace, "r") for trace in [*waiting, first]]
    assert [message["begun"] for message in messages] == [False] * len(waiting) + [True]
    assert all(message["opening"]["gaps"] == [len(message["pieces"])] for message in messages)
    counts = [message["choosing"]["calls"] for message in messages]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert messages[-1]["choosing"] == build_closing(last, "r")["choosing"]
    (choice,) = last.choices.values()
    assert messages[-1]["choosing"] == {"rows": choice.rows, "calls": choice.calls}


def test_the_closing_message_has_a_verdict_and_rates_of_three_digits() -> None:
    message = build_closing(BACK_AND_FORTH[-1], "r")
    assert message["verdict"] == verdict(BACK_AND_FORTH[-1])
    assert message["rates"] == {"effective": 4.0, "in_step": 4.0}  # four tokens in seven sevenths of a second
    assert build_closing(BACK_AND_FORTH[0], "r")["rates"] == {"effective": None, "in_step": None}
    choices = {0: replace(choice_of(1), seconds=2.0)}
    assert build_closing(replace(BACK_AND_FORTH[-1], choices=choices), "r")["rates"]["effective"] == 1.33


def choice_of(length: int) -> LengthChoice:
    one = np.array([length])
    scores = {name: np.zeros(1) for name in ("phi", "bias", "score", "rerank")}
    return LengthChoice(lengths=one, tried=one, chosen=length, rule="score", rows=1, calls=1, **scores)


@every_run
def test_a_replay_is_the_closing_message_with_the_candidates_of_every_step(run: list[Trace]) -> None:
    replay = build_replay(run[-1], "r", "k")
    candidates = replay.pop("candidates")
    assert replay == build_closing(run[-1], "r", "k")
    assert candidates == [list_candidates(run[-1], number) for number in range(1, len(run[-1].steps) + 1)]
    on_the_wire(replay | {"candidates": candidates})


def branched() -> list[Trace]:
    """Return a run whose start has a locked token, an inherited one and three masks."""
    start = {"gaps": [[5, None, 7, None, None]], "locked": [0], "confidence": [[0.9, 0, 0.4, 0, 0]]}
    request = InfillRequest(prefix="once", suffix="ever", length=5, steps=3, start=start)  # pyright: ignore[reportArgumentType]
    return list(infill(request, Wordy(), origin=Origin("parent", 2)))


def test_a_branch_names_its_origin_and_the_slots_that_it_took_over() -> None:
    for trace in branched():
        opening = build_opening(trace)
        assert opening["inherited"] == [2]
        assert opening["origin"] == {"run": "parent", "step": 2}
        assert opening["request"]["start"]["locked"] == [0]


def test_an_inherited_token_keeps_its_confidence_and_no_step_asked_about_it() -> None:
    run, reader = branched(), Reader()
    assert list(base64.b64decode(build_live(run[0], "r")["confidence"])) == [0, 0, 102, 0, 0]
    for trace in run[1:]:
        reader.receive(build_live(trace, "r"))
        assert reader.shown["confidence"][:3:2] == [0, 102]
        assert reader.shown["when"][:3:2] == reader.shown["entropy"][:3:2] == [0, 0]
        step = trace.steps[-1]
        before = trace.state(len(trace.steps) - 1).masked[trace.start.slots]
        expected = np.where(before, step.prediction.entropy[trace.start.slots], 0)
        assert np.array(reader.shown["entropy"]) / 24 == pytest.approx(expected, abs=0.5 / 24)
    assert build_closing(run[-1], "r")["verdict"].startswith("Branched from step 2: done in all 3 passes")


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
