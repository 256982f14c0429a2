from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import models
from app.strategies.registry import strategies
from models.denoiser import BeliefCache, Query
from models.networks.dual_cache import DualCacheDenoiser, Meter, compare
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network
from tests.strategies.scenes import Counting, blank, decode

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

PREFIX, SUFFIX = [3, 8, 1, 20, 7], [5, 6, 30, 2, 9, 11]
STATES = [
    [*PREFIX, MASK, MASK, MASK, MASK, *SUFFIX],
    [*PREFIX, MASK, 14, MASK, MASK, *SUFFIX],
    [*PREFIX, MASK, 14, MASK, 25, *SUFFIX],
    [*PREFIX, MASK, 14, 31, 25, *SUFFIX],
]
"""A run that goes from right to left; the gap is [5, 9)."""


def both(architecture: str, refresh: int, **settings: bool):
    exact = denoiser(network(architecture))
    return exact, DualCacheDenoiser(exact, refresh=refresh, **settings)


def canvas():
    return blank(6, before=tuple(PREFIX), after=tuple(SUFFIX), mask_id=MASK)


@every_architecture
@pytest.mark.parametrize("strategy", ["random", "low_confidence", "reference"])
def test_a_refresh_in_every_pass_is_exact(architecture, strategy):
    exact, cached = both(architecture, 1)
    chosen = strategies()[strategy]
    settings = {"steps": 6, "temperature": 0.8, "seed": 3}
    runs = [list(decode(canvas(), model, chosen.bind({}), **settings)) for model in (exact, cached)]
    for first, second in zip(*runs, strict=True):
        assert difference(first.prediction, second.prediction) < 1e-5
        assert first.nfe == second.nfe


@every_architecture
def test_the_window_gives_what_the_full_pass_gave_while_nothing_has_changed(architecture):
    exact, cached = both(architecture, 100)
    cache = BeliefCache()
    queries = [ask(STATES[1], cache=cache), replace(ask(STATES[1], cache=cache), positions=np.array([5, 7]))]
    queries[1] = replace(queries[1], uniforms=np.zeros(2))
    for query in queries:  # the second asks about fewer positions: another state, the same canvas
        (found,) = cached.predict([query])
        assert difference(found, exact.predict([replace(query, cache=None)])[0]) < 1e-5
    meter = cached.meter_of(cache)
    assert (meter.forwards, meter.positions, meter.whole) == (2, len(STATES[1]) + 5, 2 * len(STATES[1]))


@every_architecture
def test_between_refreshes_beliefs_are_off_by_little_and_the_meter_says_by_how_much(architecture):
    exact, cached = both(architecture, 3, compared=True)
    cache, errors = BeliefCache(), []
    for state in STATES:
        query = ask(state, cache=cache)
        (found,) = cached.predict([query])
        (right,) = exact.predict([replace(query, cache=None)])
        errors.append(float(np.abs(found.confidence - right.confidence).max()))
    assert errors[0] < 1e-5, "the first pass is full"
    assert min(errors[1:3]) > 1e-6, "the next two are of the window"
    assert errors[3] < 1e-5, "the fourth is full again"
    assert max(errors) < 0.5
    meter = cached.meter_of(cache)
    assert meter.compared == 1  # one mask was left at the refresh
    assert 0 < meter.mean_kl == meter.worst_kl < 1
    assert 0 < meter.worst_variation < 0.5
    assert meter == cached.meter


@every_architecture
def test_every_pass_counts_and_so_does_the_comparing_one_if_it_is_asked_for(architecture):
    for settings, expected in (({}, [1, 1, 1, 1]), ({"compared": True}, [1, 1, 1, 2])):
        _, cached = both(architecture, 3, **settings)
        cache = BeliefCache()
        assert [cached.predict([ask(state, cache=cache)])[0].forwards for state in STATES] == expected
        assert cached.predict([ask(STATES[-1], cache=cache)])[0].forwards == 0, "a state that is kept costs nothing"
        assert cached.meter_of(cache).forwards == sum(expected)
        assert (cached.meter.compared > 0) == bool(settings)


@every_architecture
def test_the_window_holds_the_token_before_the_gap(architecture, monkeypatch):
    _, cached = both(architecture, 8)
    cache, seen = BeliefCache(), []
    run = cached.body.forward

    def spy(**given):
        seen.append((given["input_ids"].tolist()[0], given["position_ids"].tolist()[0]))
        return run(**given)

    monkeypatch.setattr(cached.body, "forward", spy)
    for state in STATES[:2]:
        cached.predict([ask(state, cache=cache)])
    assert seen[0] == (STATES[0], list(range(15)))
    assert seen[1] == ([7, MASK, 14, MASK, MASK], [4, 5, 6, 7, 8])
    changed = [*STATES[2]]
    changed[4] = 33  # s - 1: were it not in the window, nothing would come of this
    (first,) = cached.predict([ask(STATES[2], cache=cache)])
    (second,) = cached.predict([ask(changed, cache=cache)])
    assert np.abs(first.top_probs[5] - second.top_probs[5]).max() > 1e-3
    assert [len(ids) for ids, _ in seen] == [15, 5, 5, 5]


def test_another_text_or_a_position_outside_the_window_is_seen_in_full():
    exact, cached = both("llama", 8)
    cache = BeliefCache()
    wider = Query(ids=np.array(STATES[1]), positions=np.array([3, 5]), uniforms=np.zeros(2), cache=cache)
    queries = [
        *(ask(state, cache=cache) for state in (STATES[0], [*STATES[0][:-1], 12], [9, *STATES[0]])),
        wider,
    ]
    for query in queries:
        (found,) = cached.predict([query])
        assert difference(found, exact.predict([replace(query, cache=None)])[0]) < 1e-5


def test_runs_do_not_share_caches_and_queries_without_a_run_are_exact():
    exact, cached = both("gpt2", 8)
    caches = [BeliefCache(), BeliefCache()]
    alone = [cached.predict([ask(state, cache=caches[0])])[0] for state in STATES]
    other = [9, 9, *STATES[0][2:]]
    for state, expected in zip(STATES, alone, strict=True):
        batch = [ask(state, cache=caches[1]), ask(other, cache=BeliefCache()), ask(state)]
        found = cached.predict(batch)
        assert difference(found[0], expected) < 1e-6
        assert difference(found[2], exact.predict([ask(state)])[0]) < 1e-5


@pytest.mark.parametrize("guidance", [0.0, 1.0])
@pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
def test_every_strategy_fills_the_gap_within_its_budget_and_leaves_given_text_alone(strategy, guidance):
    _, cached = both("llama", 4)
    start, counting = canvas(), Counting(cached)
    steps = list(decode(start, counting, strategy.bind({}), steps=6, temperature=0.7, guidance=guidance))
    given = ~start.editable
    assert all((step.canvas.ids[given] == start.ids[given]).all() for step in steps)
    assert not steps[-1].canvas.masked.any()
    assert steps[-1].nfe == cached.meter.forwards + counting.aside
    assert max(len(steps), steps[-1].calls) <= 6


def test_settings_that_make_no_sense_are_refused():
    exact = denoiser(network("llama"))
    with pytest.raises(ValueError, match="1 or more"):
        DualCacheDenoiser(exact, refresh=0)
    exact.static = True
    with pytest.raises(ValueError, match="static"):
        DualCacheDenoiser(exact)


@pytest.mark.parametrize(("settings", "said"), [({"dual_cache": 0}, "not 0"), ({"static": True}, "static shapes")])
def test_they_are_refused_before_anything_is_downloaded(settings, said, monkeypatch):
    monkeypatch.setattr("models.checkpoints.hub.remote_weights", lambda repo: pytest.fail("asked the hub"))
    with pytest.raises(ValueError, match=said):
        models.load("owner/model", **{"dual_cache": 4} | settings)


def test_a_notice_says_that_the_result_is_approximate():
    exact = denoiser(network("llama"))
    exact.notices = ("said before",)
    before, told = DualCacheDenoiser(exact, refresh=4).notices
    assert before == "said before"
    assert "one pass in 4" in told
    assert "leave out --dual-cache" in told
    assert DualCacheDenoiser(exact, refresh=1).notices == exact.notices == ("said before",), "that is exact"


def test_the_meter_is_right_about_two_beliefs_worked_out_by_hand():
    full = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]]).log()
    window = torch.tensor([[0.25, 0.75, 0.0], [0.25, 0.75, 0.0]]).log()
    meter = compare(full, window) + Meter(forwards=2, positions=6, whole=20)
    expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert meter.worst_kl == pytest.approx(expected)
    assert meter.mean_kl == pytest.approx(expected / 2)
    assert meter.worst_variation == pytest.approx(0.25)
    assert meter.share == pytest.approx(0.3)
