"""The account of a run's forward passes, probes, guidance, and the judge."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from app.__main__ import main
from app.decode import decode
from app.errors import InfillError
from app.passes import TAIL, Drawing, Passes
from app.request import InfillRequest
from app.step import Selection, Snapshot
from models.denoiser import Floats, Ids, Memory
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network
from tests.strategies.scenes import blank, orders, snapshot, sticky, written

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
HALF = np.full(9, 0.5)


def one(position: int, token: int = 0):
    """A gap of five with one letter written."""
    return blank(5).commit(np.array([position]), np.array([token]))


def asked(passes: Passes, *canvases, **settings):
    return passes.ask(canvases, [c.masks for c in canvases], [HALF[: len(c)] for c in canvases], **settings)


def test_canvases_are_rows_and_a_batch_of_them_is_one_call():
    passes = Passes(sticky())
    first = asked(passes, one(1), one(2), one(3))
    assert (passes.rows, passes.calls) == (3, 1)
    assert [prediction.forwards for prediction in first] == [1, 1, 1]
    again = asked(passes, one(1), one(4))
    assert (passes.rows, passes.calls) == (4, 2)
    assert [prediction.forwards for prediction in again] == [0, 1]
    asked(passes, one(4), one(2))
    assert (passes.rows, passes.calls) == (4, 2), "what was known costs nothing"
    assert passes.seconds > 0


def test_what_was_asked_is_known_until_sixteen_other_states_have_come():
    passes = Passes(sticky())
    assert not passes.knows(one(1))
    asked(passes, one(1))
    assert passes.knows(one(1))
    assert not passes.knows(one(1, 1))
    asked(passes, *[blank(length) for length in range(1, 8)], *[blank(n, before=(1,)) for n in range(1, 9)])
    assert passes.knows(one(1))
    asked(passes, one(2))
    assert not passes.knows(one(1))


def test_under_guidance_a_canvas_is_known_once_both_sides_of_the_contrast_are():
    memory = Memory()
    plain = Passes(sticky(), memory=memory)
    guided = Passes(sticky(), Drawing(guidance=1.0), memory=memory)
    asked(plain, one(1))
    assert plain.knows(one(1))
    assert not guided.knows(one(1))
    asked(guided, one(1))
    assert (guided.rows, guided.calls) == (1, 1), "its own row was known"
    assert guided.knows(one(1))


def test_a_probe_takes_a_step_from_the_budget_and_raises_the_pace():
    now = snapshot(length=6, steps=3)
    asked(now.passes, now.canvas)
    assert (now.remaining, now.pace, now.share) == (3, 2, 2)
    now.probe([one(1), one(2)])
    assert (now.passes.rows, now.passes.calls) == (3, 2)
    assert (now.remaining, now.pace, now.share) == (2, 3, 3)
    now.probe([one(1)])
    assert now.remaining == 2, "what is known costs nothing"
    now.probe([one(3)])
    assert (now.remaining, now.pace) == (1, 6)


def test_a_probe_answers_in_order_about_the_masks_of_each_canvas():
    beliefs = snapshot(length=5).probe([one(1), one(3, 1), one(5)])
    for belief, canvas in zip(beliefs, (one(1), one(3, 1), one(5)), strict=True):
        assert belief.top_probs[canvas.masks, 0] == pytest.approx(sticky().marginals(canvas.ids).max(-1)[canvas.masks])
        assert (belief.confidence > 0).tolist() == canvas.masked.tolist()


def probing(now: Snapshot) -> Selection:
    """Asks about the canvas that it makes, so that it is known in the next step."""
    chosen = now.canvas.masks[:1]
    drafted = now.canvas.commit(chosen, now.prediction.candidates[chosen])
    if drafted.masked.any():
        now.probe([drafted])
    return Selection(commit=chosen)


def test_a_canvas_that_was_probed_and_becomes_the_state_is_not_paid_for_twice():
    steps = list(decode(blank(4), sticky(), probing, steps=4, banned=(2,)))
    assert [step.calls for step in steps] == [2, 3, 4, 4]
    assert [step.nfe for step in steps] == [2, 3, 4, 4]


def test_more_batched_passes_than_the_budget_are_a_bug_even_in_fewer_steps():
    def wasteful(now: Snapshot) -> Selection:
        now.probe([now.canvas.commit(now.canvas.masks[:1], np.array([1]))])
        return Selection(commit=now.canvas.masks[:3])

    assert len(list(decode(blank(6), sticky(), wasteful, steps=4, banned=(2,)))) == 2
    with pytest.raises(AssertionError, match="budget"):
        list(decode(blank(6), sticky(), wasteful, steps=3, banned=(2,)))


@dataclass
class Scorer:
    """Gives each token of a continuation its number as log-probability, negated."""

    name: str = "judge"
    seen: list[tuple[list[int], list[int]]] = field(default_factory=list)

    def log_probabilities(self, prefixes: list[Ids], continuations: list[Ids]) -> list[Floats]:
        self.seen += [(p.tolist(), c.tolist()) for p, c in zip(prefixes, continuations, strict=True)]
        return [-continuation.astype(float) for continuation in continuations]


def test_a_judge_reads_the_span_and_the_beginning_of_what_follows():
    after = tuple(range(1, 21))
    canvases = [
        blank(2, before=(7, 8), after=after).commit(np.array([2, 3]), np.array(fill)) for fill in ([4, 5], [6, 0])
    ]
    judge = Scorer()
    passes = Passes(sticky(), judge=lambda: judge)  # pyright: ignore[reportArgumentType]
    scores = passes.judged(canvases)
    tail = list(after[:TAIL])
    assert judge.seen == [([7, 8], [4, 5, *tail]), ([7, 8], [6, 0, *tail])]
    assert scores.tolist() == [-(9 + sum(tail)), -(6 + sum(tail))]
    assert (passes.rows, passes.calls) == (2, 1)


def test_without_a_judge_texts_are_not_judged():
    with pytest.raises(InfillError, match="'toy' has no autoregressive parent"):
        Passes(sticky()).judged([blank(2)])


def coin(guidance: float, by: str = "suffix"):
    """The only letter between "a" and "b"."""
    (step,) = decode(
        blank(1), sticky(), lambda now: now.first(now.canvas.masks, 1), steps=1, guidance=guidance, guided_by=by
    )
    return step


@pytest.mark.parametrize(
    ("by", "alone"),
    [
        ("suffix", [0.7, 0.3]),  # after "a", whatever follows
        ("prefix", [0.525 * 0.3, 0.475 * 0.65]),  # before "b", after either letter
    ],
)
@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 3.0])
def test_guidance_by_hand(by, alone, w):
    """p(x | prefix, suffix)^(1 + w) / p(x | one side)^w; between both a is 0.7 x 0.3, and b 0.3 x 0.65."""
    both = np.array([0.21, 0.195]) / 0.405
    expected = both ** (1 + w) / (np.array(alone) / sum(alone)) ** w
    expected /= expected.sum()
    step = coin(w, by)
    assert dict(zip(step.prediction.top_tokens[1, :2], step.prediction.top_probs[1, :2], strict=True)) == pytest.approx(
        dict(enumerate(expected))
    )
    assert (step.nfe, step.calls) == (1 + (w > 0), 1)


def test_enough_guidance_by_the_suffix_turns_the_letter():
    """0.5185 against 0.4815 becomes 0.5185^2 / 0.7 = 0.384 against 0.4815^2 / 0.3 = 0.773."""
    assert coin(0.0).canvas.ids[1] == 0
    assert coin(1.0).canvas.ids[1] == 1
    assert coin(1.0).prediction.confidence[1] == pytest.approx(0.668, abs=5e-4)


def test_no_guidance_is_no_guidance():
    runs = [
        list(
            decode(blank(6), sticky(), lambda now: now.first(now.canvas.masks, 1), steps=6, temperature=1.0, **settings)
        )
        for settings in ({}, {"guidance": 0.0}, {"guidance": 0.0, "guided_by": "prefix"})
    ]
    assert len({(written(steps), json.dumps(orders(steps)), steps[-1].nfe) for steps in runs}) == 1


@pytest.mark.parametrize(("by", "sides"), [("suffix", {"prefix": "a"}), ("prefix", {"suffix": "a"})])
def test_there_is_no_guidance_by_an_empty_side(by, sides):
    with pytest.raises(InfillError, match=f"there is no {by} to be guided by"):
        InfillRequest(guidance=1.0, guided_by=by, **sides)
    InfillRequest(guidance=0.0, guided_by=by, **sides)


def test_the_command_line_guides(capsys):
    command = ["infill", "--model", "toy", "--prefix", "the cat", "--length", "6", "--json", "--guidance", "1.5"]
    assert main([*command, "--suffix", "sat", "--guided-by", "prefix"]) == 0
    trace = json.loads(capsys.readouterr().out)
    assert (trace["request"]["guidance"], trace["request"]["guided_by"]) == (1.5, "prefix")
    assert (trace["steps"][-1]["nfe"], trace["steps"][-1]["calls"]) == (12, 6)
    assert main(command) == 2
    assert "there is no suffix to be guided by" in capsys.readouterr().err


OWN, OTHER = [3, 8, MASK, MASK, 5, 6], [3, 8, MASK, MASK, MASK, MASK]


@every_architecture
@pytest.mark.parametrize("w", [0.0, 0.5, 2.0])
def test_a_networks_contrast_is_the_formula(architecture, w):
    network_ = network(architecture)
    query = ask(OWN, against=np.array(OTHER), weight=w)
    (found,) = denoiser(network_).predict([query])
    with torch.inference_mode():
        own, other = network_(input_ids=torch.tensor([OWN, OTHER])).logits[:, [1, 2], :MASK].double()
    top = (other + (1 + w) * (own - other)).softmax(-1).topk(5)
    assert found.top_tokens[2:4].tolist() == top.indices.tolist()
    assert found.top_probs[2:4] == pytest.approx(top.values.numpy(), abs=1e-5)
    assert found.confidence[2:4] == pytest.approx(top.values[:, 0].numpy(), abs=1e-5)
    assert found.forwards == 2


@every_architecture
def test_contrasts_in_a_batch_are_those_of_single_queries(architecture):
    model = denoiser(network(architecture))
    queries = [
        ask(OWN, against=np.array(OTHER), weight=1.5, temperature=0.9),
        ask(OTHER),
        ask([7, *OWN], against=np.array([MASK, *OWN]), weight=0.5),
    ]
    for query, found in zip(queries, model.predict(queries), strict=True):
        (single,) = model.predict([query])
        assert difference(found, single) < 1e-5
        assert found.forwards == single.forwards == len(query.rows)


@every_architecture
def test_a_contrast_uses_what_the_run_knows_of_either_canvas(architecture):
    model, memory = denoiser(network(architecture)), Memory()
    plain = ask(OWN, memory=memory)
    contrast = replace(plain, against=np.array(OTHER), weight=1.0)
    assert [model.predict([query])[0].forwards for query in (plain, contrast, contrast)] == [1, 1, 0]
    (stronger,) = model.predict([replace(contrast, weight=2.0)])
    assert stronger.forwards == 0, "the weight is no matter of the network"
    (fresh,) = model.predict([replace(contrast, weight=2.0, memory=None)])
    assert difference(stronger, fresh) < 1e-5


def test_a_guided_run_of_a_network_takes_two_rows_and_one_call_a_step():
    canvas = blank(6, before=(3, 8), after=(5, 6), mask_id=MASK)
    steps = list(
        decode(canvas, denoiser(network("gpt2")), lambda now: now.first(now.canvas.masks, 1), steps=6, guidance=1.0)
    )
    assert [(step.nfe, step.calls) for step in steps] == [(2 * n, n) for n in range(1, 7)]
