from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from app.sampling.canvas import Canvas
from app.sampling.forwards import Forwards
from app.sampling.step import Snapshot
from models.denoiser import Floats
from models.toy import toy
from tests.strategies.scenes import Indifferent, blank, choose, counts, orders, run, snapshot


@dataclass
class Counted:
    """The coin's tokenizer with frequencies: a is common (1 nat) and b is rare (4 nats)."""

    frequencies: Floats
    mask_id: int = 3


def scene(*, steps: int = 1) -> Snapshot:
    """Return a snapshot of four masks; the second draft is a rare word, the others are common ones."""
    now = snapshot(steps=steps, confidence=[0.5, 0.5, 0.5, 0.9])
    candidates = np.array([-1, 0, 1, 0, 0, -1])
    tokenizer = Counted(np.exp([-1.0, -4.0]))
    return replace(
        now,
        prediction=replace(now.prediction, candidates=candidates),
        forwards=Forwards(Indifferent(tokenizer=tokenizer)),  # pyright: ignore[reportArgumentType]
    )


@pytest.mark.parametrize(
    ("knobs", "order"),
    [
        ({"pull": 0.0, "ceiling": 20.0}, [2, 4, 1, 3]),  # 0.5, 2, 0.5, 0.9: the rare word first
        ({"pull": 0.0, "ceiling": 0.8}, [2, 4, 1, 3]),  # 0.5, 0.8, 0.5, 0.8
        ({"pull": 0.0, "ceiling": 0.4}, [1, 2, 3, 4]),  # all the same
        ({"pull": 0.5, "ceiling": 0.4, "edge": "nearest"}, [1, 4, 2, 3]),  # 1, 0.61, 0.61, 1 times that
        ({"pull": 0.5, "ceiling": 0.4}, [1, 2, 3, 4]),
        ({"pull": 0.5, "edge": "nearest"}, [2, 4, 1, 3]),  # 0.5, 1.21, 0.30, 0.9
        ({"pull": 1.5, "edge": "nearest"}, [4, 1, 2, 3]),  # 0.5, 0.45, 0.11, 0.9
        ({"pull": 0.5}, [2, 1, 4, 3]),  # 0.5, 1.21, 0.18, 0.20
        ({}, [2, 1, 4, 3]),  # 0.5, 2 x 0.78 = 1.56, 0.5 x 0.61 = 0.30, 0.9 x 0.47 = 0.43
    ],
)
def test_rare_words_and_edges_come_first(knobs, order):
    selection = choose("pc_sampler", scene(), **knobs)
    assert selection.commit.tolist() == order
    assert selection.notes["counted"] == 1


def test_an_equal_share_is_committed_in_each_step():
    assert choose("pc_sampler", scene(steps=2), pull=0.0).commit.tolist() == [2, 4]
    canvas = blank(7, mask_id=toy().tokenizer.mask_id)
    assert counts(run("pc_sampler", toy(), canvas, steps=4)) == [2, 2, 2, 1]
    assert counts(run("pc_sampler", toy(), canvas, steps=64)) == [1] * 7


@pytest.mark.parametrize("steps", [1, 4, 9, 64])
def test_without_frequencies_and_pull_it_equals_low_confidence(steps):
    denoiser = toy()
    canvas = blank(9, mask_id=denoiser.tokenizer.mask_id)
    ours = run("pc_sampler", denoiser, canvas, steps=steps, pull=0.0)
    assert orders(ours) == orders(run("low_confidence", denoiser, canvas, steps=steps))
    assert ours[0].selection.notes["counted"] == 0


def test_every_gap_has_its_own_edges():
    """The gaps are positions 1 to 3 and 5 to 6, with a given token between them."""
    ids = np.array([0, 3, 3, 3, 1, 3, 3, 0])
    canvas = Canvas(ids=ids, editable=ids == 3, masked=ids == 3, mask_id=3)
    left, right = canvas.from_edges
    assert left.tolist() == [0, 0, 1, 2, 0, 0, 1, 0]
    assert right.tolist() == [0, 2, 1, 0, 0, 1, 0, 0]
    now = replace(snapshot(length=6, steps=1), canvas=canvas)
    now = replace(now, prediction=replace(now.prediction, confidence=np.full(8, 0.5)))
    # Distances 0, 1, 2 in the gap of three, and 0, 1 in the gap of two.
    assert choose("pc_sampler", now).commit.tolist() == [1, 5, 2, 6, 3]
    # To the nearest edge 0, 1, 0 and 0, 0.
    assert choose("pc_sampler", now, edge="nearest").commit.tolist() == [1, 3, 5, 6, 2]
