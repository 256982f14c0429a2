"""Classifier-free guidance: by hand on the coin, by the formula in a network, and what it costs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from app.__main__ import main
from app.errors import InfillError
from app.sampling.request import InfillRequest
from app.sampling.step import Selection, Snapshot
from models.denoiser import BeliefCache, Guidance
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network
from tests.strategies.scenes import blank, decode, orders, sticky, written

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def left_to_right(now: Snapshot) -> Selection:
    return now.commit_first(now.canvas.masks, 1)


def coin(guidance: float, by: str = "suffix"):
    """The only letter between "a" and "b"."""
    (step,) = decode(blank(1), sticky(), left_to_right, steps=1, guidance=guidance, guided_by=by)
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
            decode(
                blank(6),
                sticky(),
                lambda now: now.commit_first(now.canvas.masks, 1),
                steps=6,
                temperature=1.0,
                **settings,
            )
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
    query = ask(OWN, guidance=Guidance(ids=np.array(OTHER), weight=w))
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
        ask(OWN, guidance=Guidance(ids=np.array(OTHER), weight=1.5), temperature=0.9),
        ask(OTHER),
        ask([7, *OWN], guidance=Guidance(ids=np.array([MASK, *OWN]), weight=0.5)),
    ]
    for query, found in zip(queries, model.predict(queries), strict=True):
        (single,) = model.predict([query])
        assert difference(found, single) < 1e-5
        assert found.forwards == single.forwards == len(query.rows)


@every_architecture
def test_a_contrast_uses_what_the_run_knows_of_either_canvas(architecture):
    model, cache = denoiser(network(architecture)), BeliefCache()
    plain = ask(OWN, cache=cache)
    contrast = replace(plain, guidance=Guidance(ids=np.array(OTHER), weight=1.0))
    stronger_ = Guidance(ids=np.array(OTHER), weight=2.0)
    assert [model.predict([query])[0].forwards for query in (plain, contrast, contrast)] == [1, 1, 0]
    (stronger,) = model.predict([replace(contrast, guidance=stronger_)])
    assert stronger.forwards == 0, "the weight is no matter of the network"
    (fresh,) = model.predict([replace(contrast, guidance=stronger_, cache=None)])
    assert difference(stronger, fresh) < 1e-5


def test_a_guided_run_of_a_network_takes_two_rows_and_one_call_a_step():
    canvas = blank(6, before=(3, 8), after=(5, 6), mask_id=MASK)
    steps = list(
        decode(
            canvas, denoiser(network("gpt2")), lambda now: now.commit_first(now.canvas.masks, 1), steps=6, guidance=1.0
        )
    )
    assert [(step.nfe, step.calls) for step in steps] == [(2 * n, n) for n in range(1, 7)]
