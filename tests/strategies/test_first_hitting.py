from __future__ import annotations

import numpy as np

from tests.strategies.scenes import (
    CHI_SQUARE_LIMIT,
    STICKY,
    Indifferent,
    blank,
    chi_square,
    counts,
    joint,
    orders,
    run,
    sticky,
    written,
)


def test_it_draws_from_the_exact_joint():
    denoiser, canvas = sticky(), blank(4)
    drawn = [
        written(run("first_hitting", denoiser, canvas, steps=4, temperature=1.0, seed=seed)) for seed in range(1200)
    ]
    assert chi_square(drawn, joint(STICKY, canvas)) < CHI_SQUARE_LIMIT[15]


def test_every_token_has_its_own_step_if_there_are_enough_steps():
    for steps in (8, 64):
        assert counts(run("first_hitting", Indifferent(), blank(8), steps=steps)) == [1] * 8


def test_fewer_steps_than_masks_commit_equal_groups():
    assert counts(run("first_hitting", Indifferent(), blank(8), steps=3)) == [3, 3, 2]


def test_every_position_is_equally_likely_to_be_first():
    first = [orders(run("first_hitting", Indifferent(), blank(8), steps=8, seed=s))[0][0] for s in range(800)]
    seen = np.bincount(first, minlength=9)[1:]
    assert ((seen - 100) ** 2 / 100).sum() < CHI_SQUARE_LIMIT[7]


def test_hitting_times_fall_from_one_and_do_not_depend_on_the_grouping():
    """The k-th largest of n hitting times has mean 1 - k / (n + 1), alone or in a group."""
    for steps, hits in ((8, range(1, 9)), (3, (3, 6, 8))):
        times = np.array(
            [
                [
                    step.selection.notes["tau"]
                    for step in run("first_hitting", Indifferent(), blank(8), steps=steps, seed=s)
                ]
                for s in range(400)
            ]
        )
        assert (np.diff(times, axis=1) < 0).all()
        assert times.max() < 1
        expected = 1 - np.array(list(hits)) / 9
        assert (np.abs(times.mean(0) - expected) < 3.5 * times.std(0) / np.sqrt(400)).all()
