"""The promises that every strategy makes, and the errors for a strategy that breaks them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.sampling.step import NONE, ContractError, Policy, Selection, Snapshot
from app.strategies.registry import BUDGETS, Knob, OneOf, find, strategies
from models.toy import toy
from tests.strategies.scenes import ChainJudge, Counting, blank, decode, partly_written, snapshot, written

TOY = toy()
MASK = TOY.tokenizer.mask_id
SPECIAL = tuple(TOY.tokenizer.special_ids)
every_strategy = pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
every_knob = pytest.mark.parametrize(
    ("strategy", "knob"),
    [pytest.param(s, k, id=f"{s.name}-{k.name}") for s in strategies().values() for k in s.knobs],
)


SABER = strategies()["saber"]
PROBING = [strategy for strategy in strategies().values() if strategy.least_steps({}) > 1]
JUDGE = ChainJudge(TOY.transition)


def go(strategy, canvas, *, steps, denoiser=TOY, temperature=1.0, seed=0, knobs=None, **settings):
    """Return the steps of a whole run, with at least the steps that the strategy needs."""
    return list(
        decode(
            canvas,
            denoiser,
            strategy.bind(knobs or {}),
            steps=max(steps, strategy.least_steps({})),
            temperature=temperature,
            seed=seed,
            banned=SPECIAL,
            judge=JUDGE,
            **settings,
        )
    )


def test_all_strategies_of_the_specification_exist():
    assert set(strategies()) >= {
        *("random", "reference", "low_confidence", "maskgit", "margin", "entropy", "threshold", "factor", "frechet"),
        *(
            "early_commit",
            "first_hitting",
            "entropy_bound",
            "left_to_right",
            "right_to_left",
            "outside_in",
            "middle_out",
        ),
        *("remdm", "p2", "rcr", "credit", "dus", "apart", "klass", "extrapolate", "ahd", "core", "saber", "gibbs"),
        *("speculate", "focore", "pc_sampler", "edge_damping", "info_gain", "local_leap"),
    }


@pytest.mark.parametrize(("steps", "length"), itertools.product([1, 3, 64], [1, 2, 7, 16]))
@every_strategy
def test_it_fills_the_span_within_the_budget_and_touches_nothing_else(strategy, steps, length):
    before, after = (4, MASK, 5), (MASK, 6)  # in real checkpoints the mask id is an ordinary word
    canvas = blank(length, before=before, after=after, mask_id=MASK)
    counting = Counting(TOY)
    taken = go(strategy, canvas, steps=steps, denoiser=counting)
    assert len(taken) <= max(steps, strategy.least_steps({}))
    assert taken[-1].calls <= min(max(steps, strategy.least_steps({})), taken[-1].nfe)
    assert (taken[-1].nfe, taken[-1].calls) == (counting.rows, counting.calls)
    for state in (step.canvas for step in taken):
        assert tuple(state.ids[: len(before)]) == before
        assert tuple(state.ids[-len(after) :]) == after
        assert state.span.tolist() == canvas.span.tolist()
    assert not taken[-1].canvas.masked.any()
    assert not set(written(taken)) & set(SPECIAL), "a special token was written"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("steps", "length"), itertools.product([1, 3, 9, 64], [5, 18]))
@every_strategy
def test_it_continues_from_a_partly_written_start_and_keeps_what_is_locked(strategy, steps, length, temperature):
    start = partly_written(length, before=(4, 5), after=(6,), mask_id=MASK)
    budget = max(steps, strategy.least_steps({}))
    counting = Counting(TOY)
    taken = go(strategy, start, steps=steps, denoiser=counting, temperature=temperature)
    assert not taken[-1].canvas.masked.any()
    assert (taken[-1].nfe, taken[-1].calls) == (counting.rows, counting.calls)
    assert max(len(taken), taken[-1].calls) <= budget
    written = ~start.masked
    for number, step in enumerate(taken, start=1):
        assert (step.canvas.ids[~start.editable] == start.ids[~start.editable]).all()
        assert written[step.selection.remask].all()
        assert start.editable[step.selection.remask].all()
        assert not len(step.selection.remask) or max(number, step.calls) <= budget - -(-budget // 10)
        written[step.selection.remask] = False
        assert not written[step.selection.commit].any()
        written[step.selection.commit] = True
    if not any(len(step.selection.remask) for step in taken):
        assert (taken[-1].canvas.ids[~start.masked] == start.ids[~start.masked]).all()


TAKES_BACK = {"p2": {}, "rcr": {}, "remdm": {"eta": 0.5}, "gibbs": {}, "saber": {}, "core": {"rate": 1.0, "sure": 0.0}}


@pytest.mark.parametrize("name", TAKES_BACK)
def test_a_strategy_that_remasks_may_take_back_what_was_written_before_the_run(name):
    start = partly_written(30, before=(4,), after=(6,), mask_id=MASK)
    inherited = start.editable & ~start.masked
    runs = [go(find(name), start, steps=24, seed=seed, knobs=TAKES_BACK[name]) for seed in range(5)]
    assert any(inherited[step.selection.remask].any() for taken in runs for step in taken)


@every_strategy
def test_one_mask_left_is_written_in_a_single_step(strategy):
    start = blank(6, before=(4,), after=(6,), mask_id=MASK)
    start = start.inherit(start.span[:-1], np.full(5, 8), np.ones(5))
    taken = go(strategy, start, steps=1)
    assert start.masks[0] in taken[0].selection.commit
    assert not taken[-1].canvas.masked.any()


@every_knob
def test_every_corner_of_a_knob_continues_from_a_partly_written_start(strategy, knob):
    for value in corners(knob):
        for steps in (1, 4, 12):
            start = partly_written(11, before=(4,), after=(6,), mask_id=MASK)
            *_, last = go(strategy, start, steps=steps, temperature=0.7, knobs={knob.name: value})
            assert not last.canvas.masked.any()


@every_strategy
def test_it_commits_masked_positions_only_and_each_once(strategy):
    canvas = blank(16, before=(4,), after=(6,), mask_id=MASK)
    times = np.zeros(len(canvas), dtype=int)
    for step in go(strategy, canvas, steps=16):
        commit, remask = step.selection.commit, step.selection.remask
        assert len(set(commit.tolist())) == len(commit)
        times[remask] -= 1
        assert (times[commit] == 0).all()
        times[commit] += 1
    assert (times == canvas.editable).all()


@every_strategy
def test_nothing_is_remasked_in_the_last_tenth_of_the_budget(strategy):
    taken = go(strategy, blank(32, before=(4,), after=(6,), mask_id=MASK), steps=40)
    for number, step in enumerate(taken, start=1):
        assert max(number, step.calls) <= 36 or not len(step.selection.remask)


@pytest.mark.parametrize("strategy", [s for s in strategies().values() if s.least_steps({}) == 1], ids=lambda s: s.name)
def test_one_step_takes_exactly_one_forward_pass(strategy):
    counting = Counting(TOY)
    taken = go(strategy, blank(7, before=(4,), mask_id=MASK), steps=1, denoiser=counting)
    assert counting.calls == len(taken) == taken[-1].nfe == 1


@pytest.mark.parametrize("strategy", PROBING, ids=lambda s: s.name)
def test_a_budget_too_small_for_probes_is_refused_with_the_number_of_steps_needed(strategy):
    settings = {"length": 9, "strategy": strategy.name}
    with pytest.raises(InfillError, match=f"needs {strategy.least_steps({})} steps"):
        next(infill(InfillRequest(**settings, steps=strategy.least_steps({}) - 1), TOY))
    assert not next(infill(InfillRequest(**settings, steps=strategy.least_steps({})), TOY)).steps


@pytest.mark.parametrize("strategy", PROBING, ids=lambda s: s.name)
def test_the_least_budget_is_enough_for_a_probe_or_a_remasked_token(strategy):
    canvas = blank(16, before=(4,), after=(6,), mask_id=MASK)
    runs = [go(strategy, canvas, steps=strategy.least_steps({}), seed=seed) for seed in range(5)]
    assert any(taken[-1].nfe > len(taken) or any(len(s.selection.remask) for s in taken) for taken in runs)


@pytest.mark.parametrize("every", range(1, 9))
def test_the_least_budget_of_saber_is_the_first_with_a_test(every):
    def tests(steps: int) -> int:
        canvas = blank(60, before=(4,), after=(6,), mask_id=MASK)
        taken = list(decode(canvas, TOY, SABER.bind({"every": every, "fewest": 1}), steps=steps))
        return taken[-1].calls - len(taken)

    least = SABER.least_steps({"every": every})
    assert tests(least) > 0
    assert tests(least - 1) == 0


@pytest.mark.parametrize("steps", [4, 11])
@pytest.mark.parametrize("strategy", PROBING, ids=lambda s: s.name)
def test_with_guidance_a_strategy_that_probes_keeps_its_budget(strategy, steps):
    counting = Counting(TOY)
    canvas = blank(9, before=(4,), after=(6,), mask_id=MASK)
    taken = go(strategy, canvas, steps=steps, denoiser=counting, guidance=1.5)
    assert not taken[-1].canvas.masked.any()
    assert taken[-1].calls == counting.calls <= max(steps, strategy.least_steps({}))
    assert taken[-1].nfe == counting.rows >= 2 * len(taken)


@every_strategy
def test_the_same_seed_repeats_the_steps_and_another_seed_does_not(strategy):
    canvas = blank(16, before=(4,), after=(6,), mask_id=MASK)

    def states(seed: int) -> list[list[int]]:
        return [step.canvas.ids.tolist() for step in go(strategy, canvas, steps=5, seed=seed)]

    assert states(1) == states(1)
    assert states(1) != states(2)


def run_badly(choose, *, steps):
    """Run a bad strategy called `hasty` on seven masks."""
    return list(decode(blank(7, mask_id=MASK), TOY, Policy(name="hasty", choose=choose), steps=steps))


def test_an_order_shorter_than_the_pace_is_a_contract_error():
    now = snapshot(length=7, steps=2)
    assert now.commit_first(now.canvas.masks[:4], 1).commit.tolist() == [1, 2, 3, 4]
    with pytest.raises(ContractError, match=r"has 3 positions, but 4 must be committed now \(7 masks, 2 steps left\)"):
        now.commit_first(now.canvas.masks[:3], 1)


def test_the_error_for_a_short_order_names_the_strategy_the_step_and_the_counts():
    def hasty(now: Snapshot) -> Selection:
        return now.commit_first(now.canvas.masks[: 3 if now.step == 1 else 1], 1)

    expected = r"'hasty' .* in step 2: .* 1 positions, but 2 must be committed now \(4 masks, 2 steps left\)"
    with pytest.raises(ContractError, match=expected):
        run_badly(hasty, steps=3)


def test_masks_left_after_the_last_step_are_a_contract_error_that_names_the_counts():
    def hasty(now: Snapshot) -> Selection:
        remask = now.canvas.span[:1] if now.step == 3 else NONE
        return Selection(commit=now.canvas.masks[:2], remask=remask)

    expected = "'hasty' .* budget of 3 in step 3: .* 3 forward passes, committed 2 and remasked 1 .* 2 masks are left"
    with pytest.raises(ContractError, match=expected):
        run_badly(hasty, steps=3)


@every_strategy
def test_it_explains_itself(strategy):
    assert strategy.summary.endswith("."), "the first line of the docstring is shown as help"
    assert len(strategy.summary) <= 120
    assert strategy.papers or strategy.budget == "orders", "name the paper's arXiv id in the docstring"
    assert strategy.budget in BUDGETS


@every_knob
def test_a_knob_explains_itself_and_starts_inside_its_range(strategy, knob):
    assert knob.domain.help
    assert knob.check(knob.default) == knob.default
    assert type(knob.default) is knob.kind
    if isinstance(knob.domain, Knob):
        assert knob.domain.low < knob.domain.high


@every_knob
def test_a_bad_value_of_a_knob_is_refused(strategy, knob):
    if isinstance(knob.domain, OneOf):
        bad = ["nonsense", 1, True, None]
    elif knob.kind is bool:
        bad = [1, 0.0, "true", math.nan, None]
    else:
        low, high = knob.domain.low, knob.domain.high
        bad = [low - 1, high + 1, math.nan, math.inf, -math.inf, 10**400, True, False, "1", None]
        bad += [low + 0.5] if knob.kind is int else []
    for value in bad:
        with pytest.raises(InfillError, match=knob.name):
            strategy.bind({knob.name: value})


def corners(knob):
    """Return the extreme values of a knob."""
    if knob.kind is bool:
        return (False, True)
    if isinstance(knob.domain, OneOf):
        return knob.domain.options
    return (knob.kind(knob.domain.low), knob.kind(knob.domain.high))


@every_knob
def test_every_corner_of_a_knob_fills_the_span(strategy, knob):
    for value in corners(knob):
        for steps in (1, 3, 9):
            canvas = blank(7, before=(4,), mask_id=MASK)
            *_, last = go(strategy, canvas, steps=steps, temperature=0.7, knobs={knob.name: value})
            assert not last.canvas.masked.any()


@every_knob
def test_a_misspelt_knob_is_refused_with_the_closest_name(strategy, knob):
    with pytest.raises(InfillError, match=f"did you mean '{knob.name}'"):
        strategy.bind({knob.name + "x": knob.default})


def test_a_knob_of_a_strategy_without_knobs_is_refused():
    with pytest.raises(InfillError, match="has no knobs"):
        find("random").bind({"tau": 0.5})


def test_an_unknown_strategy_is_refused_with_the_closest_name():
    with pytest.raises(InfillError, match="did you mean 'entropy'"):
        find("entrpy")


def test_a_whole_number_from_a_slider_becomes_an_int():
    policy = find("low_confidence").bind({"blocks": 2.0})
    assert type(policy.choose.keywords["blocks"]) is int  # pyright: ignore[reportFunctionMemberAccess]
