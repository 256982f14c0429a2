from __future__ import annotations

import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, run, snapshot

# G_n along the order: 0.95 - 0.05 = 0.9, 0.85 - 0.1 = 0.75, 0.65 - 0.2 = 0.45, 0.35 - 0.3 = 0.05
SURE = [0.8, 0.95, 0.7, 0.9]


@pytest.mark.parametrize(
    ("delta", "expected"),
    [(0.95, [2]), (0.8, [2]), (0.5, [2, 4]), (0.25, [2, 4, 1]), (0.06, [2, 4, 1]), (0.04, [2, 4, 1, 3])],
)
def test_the_count_is_the_largest_n_whose_bound_exceeds_delta(delta, expected):
    assert choose("frechet", snapshot(confidence=SURE), delta=delta).commit.tolist() == expected


def test_the_notes_have_the_joint_bound_and_the_lead_of_the_committed_set():
    notes = choose("frechet", snapshot(confidence=SURE), delta=0.25).notes
    assert notes["joint"] == pytest.approx(0.65)
    assert notes["lead"] == pytest.approx(0.45)
    hurried = choose("frechet", snapshot(confidence=SURE, steps=1), delta=0.25).notes
    assert hurried["lead"] == pytest.approx(0.05)


def test_delta_one_commits_one_token_per_step():
    denoiser = toy()
    assert (
        counts(run("frechet", denoiser, blank(8, mask_id=denoiser.tokenizer.mask_id), steps=64, delta=1.0)) == [1] * 8
    )


def test_a_larger_delta_never_takes_fewer_forward_passes():
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    nfe = [run("frechet", denoiser, canvas, steps=64, delta=d)[-1].nfe for d in (-99.0, 0.0, 0.25, 0.5, 1.0)]
    assert nfe == sorted(nfe)
    assert nfe[0] == 1
    assert nfe[1] < nfe[-1]
