"""The exact test: its numbers, against those worked out by hand, and what it finds."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from app.__main__ import main
from app.errors import InfillError
from app.measure import exact
from app.measure.exact import (
    BUDGETS,
    GAP,
    STICKY,
    Chain,
    blank,
    by_strategy,
    configurations,
    divergence,
    estimate_divergence,
    independent,
    joint,
    measure,
    standard_error,
    variation,
    yardsticks,
)
from app.sampler import Sampler
from app.sampling.request import InfillRequest
from app.strategies.registry import strategies
from models.toy import MarkovDenoiser, ToyTokenizer

CHAIN = Chain()


def measured(strategy: str, steps: int, *, redraw: bool = False, runs: int = 300) -> exact.Row:
    return measure(strategy, steps, redraw=redraw, runs=runs, seed=0, chain=CHAIN)


def test_a_joint_of_two_letters_is_what_one_works_out_by_hand():
    p = joint(np.array([[0.75, 0.25], [0.5, 0.5]]), 2, before=0, after=1)
    # a aa b, a ab b, a ba b, a bb b: 9/64, 6/64, 2/64 · 2, 8/64 · 1, over their sum
    by_hand = np.array([0.75 * 0.75 * 0.25, 0.75 * 0.25 * 0.5, 0.25 * 0.5 * 0.25, 0.25 * 0.5 * 0.5])
    assert p == pytest.approx(by_hand / by_hand.sum())


def test_two_equal_letters_are_half_right_and_cost_log_2():
    tied = np.array([0.5, 0.0, 0.0, 0.5])
    product = independent(tied, 2)
    assert product.tolist() == [0.25] * 4
    assert divergence(tied, product) == pytest.approx(np.log(2))
    assert float(variation(tied, product)) == 0.5
    skewed = np.array([0.1, 0.2, 0.3, 0.4])
    assert independent(skewed, 2) == pytest.approx([0.3 * 0.4, 0.3 * 0.6, 0.7 * 0.4, 0.7 * 0.6])


def test_the_estimated_divergence_is_close_where_the_plug_in_estimate_is_too_large():
    p = joint(STICKY, GAP, before=0, after=1)
    q = independent(p, 2)
    rng = np.random.default_rng(1)
    for written in (p, q):
        counts = rng.multinomial(2000, written, size=200)
        found, true = estimate_divergence(counts, p), divergence(written, p)
        plug_in = np.mean([divergence(each / 2000, p) for each in counts])
        assert abs(found.mean() - true) < 0.01
        assert plug_in - true > 0.03
        assert standard_error(counts[0], p) == pytest.approx(found.std(), rel=0.4)


def test_the_quick_chain_writes_what_the_toy_writes():
    slow = MarkovDenoiser(ToyTokenizer("ab"), STICKY)
    for name in ("low_confidence", "reference", "core", "speculate", "gibbs"):
        for seed in range(2):
            request = InfillRequest(
                prefix="a", suffix="b", length=GAP, strategy=name, steps=GAP, temperature=1.0, seed=seed, redraw=True
            )
            runs = [list(Sampler.of(request, denoiser).fill(blank())) for denoiser in (CHAIN, slow)]
            quick, plain = ([(step.canvas.ids.tolist(), step.nfe, step.calls) for step in run] for run in runs)
            assert quick == plain


@pytest.mark.parametrize("strategy", ["random", "low_confidence"])
def test_one_pass_writes_the_product_of_the_marginals(strategy):
    row, closed = measured(strategy, 1, runs=1000), yardsticks(1000, 0)
    assert row.calls == row.nfe == 1
    assert abs(row.kl - closed.independent_kl) < 3 * row.error
    assert row.variation == pytest.approx(closed.independent_variation, abs=0.08)
    assert closed.independent_kl != pytest.approx(closed.total_correlation, abs=0.02)  # the other direction


def test_one_at_a_time_is_exact_unless_places_are_chosen_by_drafts():
    floor = yardsticks(300, 0).floor_kl
    assert measured("left_to_right", GAP).kl < floor
    chosen_by_drafts, redrawn = measured("low_confidence", GAP), measured("low_confidence", GAP, redraw=True)
    assert redrawn.kl < floor < measured("low_confidence", 1).kl < chosen_by_drafts.kl


def test_a_budget_that_is_too_small_for_the_probes_is_a_reason_and_not_a_number():
    row = measured("gibbs", 2)
    assert row.reason == "needs 3 steps"
    assert np.isnan(row.kl)


def test_every_strategy_is_measured_and_drawn_anew_only_where_that_differs():
    rows = configurations(list(strategies()), BUDGETS)
    assert {name for name, _, _ in rows} == set(strategies())
    assert {name for name, _, redraw in rows if redraw} == {
        name for name, one in strategies().items() if one.ranks == "drafts"
    }


def test_the_command_writes_table_numbers_and_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)  # no browser: no picture, and a line that says so
    asked = ["bench", "--exact", "--strategies", "low_confidence,core", "--steps", "8,1", "--runs", "100", "--json"]
    assert main([*asked, "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr()
    assert "exact.png was not written" in printed.err
    found = json.loads(printed.out)
    assert [(row["strategy"], row["steps"], row["redraw"]) for row in found["rows"]] == configurations_as_lists()
    with (tmp_path / "new" / "exact.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + len(found["rows"])
    assert float(rows[2]["kl"]) == pytest.approx(found["rows"][0]["kl"], rel=1e-3)
    table = (tmp_path / "new" / "exact.md").read_text(encoding="utf-8")
    assert by_strategy(tmp_path / "new" / "exact.csv") in table
    assert "With 100 texts a row the floor is at" in table
    assert "| `core` |" in table
    assert "needs 5 steps" in table
    page = (tmp_path / "new" / "exact.html").read_text(encoding="utf-8")
    assert "low_confidence redraw" in page


def configurations_as_lists() -> list[tuple[str, int, bool]]:
    return configurations(["low_confidence", "core"], [8, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "50"], "--runs needs --exact; for runs per problem use --repeat"),
        (["--exact", "--runs", "5"], "--runs must be 100 or more, not 5"),
        (["--exact", "--steps", "8,0"], "--steps must be 1 or more, not 0"),
        (["--exact", "--temperature", "0.7"], "leave out --temperature"),
        (["--exact", "--jobs", "2"], "--jobs needs --all"),
    ],
)
def test_a_bad_flag_is_said_in_a_line(arguments, message, capsys):
    assert main(["bench", *arguments]) != 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_a_file_in_place_of_the_folder_is_said_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InfillError, match="choose another folder with --out"):
        exact.run_exact(["random"], budgets=[1], runs=100, out=tmp_path / "file")
