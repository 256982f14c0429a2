from __future__ import annotations

import math

import pytest

from models.toy import toy
from tests.strategies.scenes import blank, choose, counts, run, snapshot

# Along the order 0.1, 0.2, 0.4, 1.0: sum minus largest is 0, 0.1, 0.3, 0.7
ENTROPIES = [0.4, 0.1, 1.0, 0.2]


@pytest.mark.parametrize(
    ("bound", "expected"), [(0.0, [2]), (0.05, [2]), (0.1, [2, 4]), (0.31, [2, 4, 1]), (0.71, [2, 4, 1, 3])]
)
def test_the_count_is_the_largest_n_whose_risk_is_within_the_bound(bound, expected):
    selection = choose("entropy_bound", snapshot(entropy=ENTROPIES), bound=bound)
    assert selection.commit.tolist() == expected


def test_the_noted_risk_is_that_of_the_committed_positions_also_under_pace():
    assert choose("entropy_bound", snapshot(entropy=ENTROPIES), bound=0.31).notes["risk"] == pytest.approx(0.3)
    hurried = choose("entropy_bound", snapshot(entropy=ENTROPIES, steps=1), bound=0.31)
    assert hurried.notes["risk"] == pytest.approx(0.7)


def test_bound_zero_commits_one_token_a_step_and_infinity_all():
    denoiser = toy()
    canvas = blank(8, mask_id=denoiser.tokenizer.mask_id)
    assert counts(run("entropy_bound", denoiser, canvas, steps=64, bound=0.0)) == [1] * 8
    assert counts(run("entropy_bound", denoiser, canvas, steps=64, bound=math.inf)) == [8]


def test_no_step_risks_more_than_the_bound_when_there_is_time():
    denoiser = toy()
    several = False
    for bound in (0.1, 1.0, 3.0):
        for step in run(
            "entropy_bound", denoiser, blank(24, mask_id=denoiser.tokenizer.mask_id), steps=24, bound=bound
        ):
            entropies = step.prediction.entropy[step.selection.commit]
            assert entropies.sum() - entropies.max() <= bound + 1e-12
            several |= len(entropies) > 1
    assert several, "nothing was ever committed together: the test shows nothing"


def test_a_larger_bound_never_takes_more_forward_passes():
    denoiser = toy()
    canvas = blank(24, mask_id=denoiser.tokenizer.mask_id)
    nfe = [run("entropy_bound", denoiser, canvas, steps=64, bound=b)[-1].nfe for b in (0.0, 0.1, 1.0, 3.0, 99.0)]
    assert nfe == sorted(nfe, reverse=True)
    assert nfe[0] > nfe[2] > nfe[-1] == 1
