from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.step import Step
from models.denoiser import Query
from models.prediction import Prediction
from models.toy import toy
from tests.strategies.scenes import (
    CHI_SQUARE_LIMIT,
    STICKY,
    ChainJudge,
    Indifferent,
    Quick,
    Scripted,
    blank,
    chi_square,
    counts,
    joint,
    orders,
    run,
    sticky,
    written,
)

MASK = 3
EVEN = (0.4, 0.35, 0.25)


def visits(steps: Sequence[Step]) -> list[list[int]]:
    """Return the positions that each step after the draft left masked for their visit."""
    return [step.canvas.masks.tolist() for step in steps if step.selection.notes["sweep"] and step.canvas.masked.any()]


@pytest.mark.parametrize(
    ("steps", "length", "draft"),
    [(15, 9, [2, 2, 2, 2, 1]), (6, 9, [5, 4]), (60, 3, [1, 1, 1]), (9, 4, [2, 1, 1])],
)
def test_the_draft_takes_a_third_of_the_steps_in_equal_shares(steps, length, draft):
    taken = run("gibbs", Indifferent(), blank(length), steps=steps)
    assert counts(taken)[: len(draft)] == draft
    assert [step.selection.notes["sweep"] for step in taken[: len(draft)]] == [*[0] * (len(draft) - 1), 1]


@pytest.mark.parametrize("length", [2, 5, 8])
def test_a_sweep_visits_every_position_once_in_a_random_order(length):
    taken = run("gibbs", sticky(), blank(length), steps=100, temperature=1.0, seed=4)
    places = [place for (place,) in visits(taken)]
    sweeps = [places[start : start + length] for start in range(0, len(places) - length, length)]
    assert len(sweeps) > 5
    assert all(sorted(sweep) == list(range(1, length + 1)) for sweep in sweeps)
    assert length == 2 or len(set(map(tuple, sweeps))) > 1
    assert all(first != second for first, second in itertools.pairwise(places))


@pytest.mark.parametrize("block", [2, 3, 4])
def test_a_block_has_no_neighbours(block):
    taken = run("gibbs", sticky(), blank(9), steps=60, temperature=1.0, block=block)
    found = visits(taken)
    assert max(map(len, found)) == block
    assert all(b - a > 1 for places in found for a, b in itertools.pairwise(places))


def test_a_greedy_run_ends_with_the_first_sweep_that_changes_nothing():
    """Nine draft steps, of which the last leaves one position for its visit, and nine visits."""
    taken = run("gibbs", Scripted(lambda ids, place: EVEN), blank(9), steps=200, banned=())
    assert len(taken) == 9 + 9
    assert written(taken) == (0,) * 9
    assert sorted(place for (place,) in visits(taken)) == list(range(1, 10))


def test_a_change_is_counted_and_leads_to_another_sweep():
    """Position 1, committed first, is drafted as 1 and becomes 2 once position 2 is known."""

    def beliefs(ids: list[int], place: int) -> tuple[float, ...]:
        if place == 1:
            return (0.0, 0.9, 0.1) if ids[2] == MASK else (0.0, 0.1, 0.9)
        return EVEN

    taken = run("gibbs", Scripted(beliefs), blank(4), steps=200, banned=())
    assert written(taken) == (2, 0, 0, 0)
    assert len(taken) == 4 + 2 * 4
    swept = [step.selection.notes["changed"] for step in taken[4:]]
    assert (swept[3], swept[7]) == (1, 0)  # at the end of the two sweeps


def test_the_last_tenth_remasks_nothing_and_commits_what_is_masked():
    taken = run("gibbs", sticky(), blank(6), steps=40, temperature=1.0)
    assert [len(step.selection.remask) for step in taken][-2:] == [1, 0]
    assert len(taken) == 37  # the 36th remasks one, because a tenth is 4 steps, and the 37th commits it


def test_a_span_of_one_is_only_drafted():
    assert counts(run("gibbs", sticky(), blank(1), steps=30, temperature=1.0)) == [1]


@pytest.mark.parametrize("targeted", [False, True])
def test_a_draft_in_one_step_leaves_a_position_for_its_visit(targeted):
    scripted = Scripted(lambda ids, place: (0.1, 0.6, 0.3) if place == 3 and ids.count(MASK) == 1 else (0.6, 0.2, 0.2))
    taken = run("gibbs", scripted, blank(4), steps=4, banned=(), targeted=targeted)
    if targeted:
        assert orders(taken) == [[1, 2, 4], [3]]
        assert written(taken) == (0, 0, 1, 0)
    else:
        assert counts(taken) == [3, 1, 1, 1]


def test_a_targeted_sweep_probes_all_positions_and_visits_the_improbable_ones():
    """The draft is all 0. Masked alone, 0 has probability 0.29 at position 2 and 0.31 at position 4."""
    alone = {2: (0.29, 0.71), 4: (0.31, 0.69)}

    def beliefs(ids: list[int], place: int) -> tuple[float, ...]:
        return alone.get(place, EVEN) if ids[1:6].count(MASK) == 1 else EVEN

    scripted = Scripted(beliefs)
    taken = run("gibbs", scripted, blank(5), steps=12, banned=(), targeted=True)
    probes = [batch for batch in scripted.asked if len(batch) > 1]
    assert [[ids.index(MASK) for ids in batch] for batch in probes] == [[1, 2, 3, 4, 5]] * 2
    assert visits(taken) == [[2]]
    assert written(taken) == (0, 1, 0, 0, 0)
    assert taken[-1].selection.notes["sweep"] == 2  # after the one change all tokens are probable enough


RUNS = 400


def test_many_sweeps_draw_from_the_joint_of_exact_conditionals():
    canvas, exact = blank(3), joint(STICKY, blank(3))
    drafts = [written(run("low_confidence", Quick(), canvas, steps=1, temperature=1.0, seed=s)) for s in range(RUNS)]
    drawn = [written(run("gibbs", Quick(), canvas, steps=24, temperature=1.0, seed=s)) for s in range(RUNS)]
    assert chi_square(drawn, exact) < CHI_SQUARE_LIMIT[7]
    assert chi_square(drafts, exact) > CHI_SQUARE_LIMIT[7], "the test cannot tell a draft from the joint"


OTHER = np.array([[0.3, 0.7], [0.6, 0.4]])
"""A parent that prefers to alternate."""


@pytest.mark.parametrize("energy", [0.5, 1.0])
def test_with_an_energy_it_draws_from_the_parents_joint_or_a_mixture(energy):
    """Both are Markov chains, so their geometric mean is a joint with the conditionals that the visits draw from."""
    canvas, own, other = blank(3), joint(STICKY, blank(3)), joint(OTHER, blank(3))
    mixed = {filling: other[filling] ** energy * own[filling] ** (1 - energy) for filling in own}
    mixed = {filling: weight / sum(mixed.values()) for filling, weight in mixed.items()}
    settings = {"steps": 36, "temperature": 1.0, "judge": ChainJudge(OTHER), "energy": energy}
    drawn = [written(run("gibbs", Quick(), canvas, seed=seed, **settings)) for seed in range(RUNS)]
    assert chi_square(drawn, mixed) < CHI_SQUARE_LIMIT[7]
    assert chi_square(drawn, own) > CHI_SQUARE_LIMIT[7]


def test_a_visit_with_an_energy_is_two_calls_and_greedy_at_temperature_zero():
    """A token's weight is parent^energy pi^(1 - energy), with pi 0.7, 0.25, 0.05 and the parent 0.2, 0.7, 0.1."""

    def judge(prefixes, continuations):
        return [np.log([{0: 0.2, 1: 0.7, 2: 0.1}[int(token)] for token in rest]) for rest in continuations]

    parent = ChainJudge(STICKY)
    parent.log_probabilities = judge
    scripted = Scripted(lambda ids, place: (0.7, 0.25, 0.05))
    for energy, token in ((0.2, 0), (0.5, 1), (1.0, 1)):  # 0.7^0.5 0.2^0.5 = 0.374, 0.25^0.5 0.7^0.5 = 0.418
        taken = run("gibbs", scripted, blank(3), steps=60, banned=(), judge=parent, energy=energy)
        assert written(taken) == (token,) * 3
        visit = taken[3]
        assert visit.calls - taken[2].calls == 2
        assert visit.nfe - taken[2].nfe == 1 + 3  # the canvas, and three texts for the parent
        last = np.log([0.2, 0.7][token]) * 3 + np.log(0.7)  # the token after the span is a 1
        assert taken[-1].selection.notes["energy"] == pytest.approx(-last)


def test_with_an_energy_sixteen_tokens_are_weighted():
    letters = toy()
    canvas = blank(3, before=(4,), after=(6,), mask_id=letters.tokenizer.mask_id)
    taken = run("gibbs", letters, canvas, steps=30, banned=(30,), judge=ChainJudge(letters.transition), energy=0.5)
    spent = [after.nfe - before.nfe for before, after in itertools.pairwise(taken)]
    assert max(spent) == 1 + 16


@pytest.mark.parametrize("cooling", [0.0, 0.25, 1.0])
def test_the_temperature_falls_linearly_from_the_draft_to_the_last_step(cooling):
    asked: list[float] = []

    class Listening(Scripted):
        def predict(self, queries: Sequence[Query]) -> list[Prediction]:
            asked.extend(query.sampling.temperature for query in queries)
            return super().predict(queries)

    taken = run(
        "gibbs", Listening(lambda ids, place: EVEN), blank(3), steps=13, temperature=0.8, banned=(), cooling=cooling
    )
    expected = 0.8 * (1 - (1 - cooling) * np.arange(11) / 10)
    assert asked == pytest.approx([0.8, 0.8, *expected][: len(taken)])


def test_an_energy_without_a_parent_is_refused_before_any_pass():
    counting = Scripted(lambda ids, place: EVEN)
    request = InfillRequest(length=3, strategy="gibbs", steps=9, knobs={"energy": 0.5})
    with pytest.raises(InfillError, match="no autoregressive parent"):
        next(infill(request, counting))
    assert not counting.asked
