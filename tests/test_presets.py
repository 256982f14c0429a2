"""Presets: made from thresholds, kept in calibration.json, used by `infill --preset`."""

from __future__ import annotations

import json
import math

import pytest

import models
from app import presets
from app.__main__ import main
from app.errors import InfillError
from app.presets import FILE, LEVELS, STRICTEST, knobs_at
from app.strategies.registry import Knob, find, strategies
from app.trace import recording

MEASURED = {"confidence": 0.8, "margin": 0.6, "entropy": 0.7, "logit_margin": 2.0, "drift": 0.03}
RUN = ["infill", "--prefix", "the cat", "--suffix", "sat", "--length", "4", "--json"]


def at(**changed):
    """Return thresholds that are the same at every level."""
    return {score: dict.fromkeys(LEVELS, value) for score, value in (MEASURED | changed).items()}


@pytest.mark.parametrize(
    ("strategy", "knobs"),
    [
        ("threshold", {"tau": 0.8}),
        ("apart", {"tau": 0.8}),
        ("credit", {"tau": 0.8}),
        ("extrapolate", {"tau": 0.8}),
        ("klass", {"tau": 0.8}),
        ("ahd", {"tau": 0.8, "epsilon": 0.03}),
        ("factor", {"factor": 0.6}),
        ("frechet", {"delta": 0.4}),
        ("entropy_bound", {"bound": 0.7}),
        ("early_commit", {"high": 3.0, "middle": 2.0, "low": 1.0}),
    ],
)
def test_each_knob_follows_from_its_score(strategy, knobs):
    assert knobs_at(at())[strategy] == dict.fromkeys(LEVELS, knobs)


def test_factor_and_frechet_commit_two_equal_drafts_just_above_the_threshold():
    from tests.strategies.scenes import choose, snapshot

    knobs = knobs_at(at())
    for name in ("factor", "frechet"):
        for sure, count in ((0.81, 2), (0.79, 1)):
            now = snapshot(confidence=[sure, sure], steps=9)
            assert len(choose(name, now, **knobs[name]["safe"]).commit) == count, (name, sure)


def test_a_value_outside_the_range_is_clipped():
    assert knobs_at(at(confidence=0.3))["frechet"]["fast"] == {"delta": 0.0}
    assert knobs_at(at(entropy=8.0))["entropy_bound"]["fast"] == {"bound": 5.0}


def test_a_level_that_is_never_reached_sets_the_knob_to_its_strictest():
    knobs = knobs_at({score: dict.fromkeys(LEVELS) for score in STRICTEST})
    assert knobs["threshold"]["safe"] == {"tau": 1.0}
    assert knobs["factor"]["safe"] == {"factor": 0.0}
    assert knobs["frechet"]["safe"] == {"delta": 1.0}
    assert knobs["entropy_bound"]["safe"] == {"bound": 0.0}
    assert knobs["ahd"]["safe"] == {"tau": 1.0, "epsilon": 0.0}
    assert knobs["early_commit"]["safe"] == {"high": 20.0, "middle": 20.0, "low": 20.0}


@pytest.mark.parametrize("extreme", [0.0, 1.0, 1e-9, math.inf])
def test_every_calibrated_knob_gets_a_value_that_its_strategy_accepts(extreme):
    made = knobs_at({score: dict.fromkeys(LEVELS, extreme) for score in STRICTEST})
    calibrated = {
        name: {p.name for p in strategy.knobs if isinstance(p.domain, Knob) and p.domain.calibrated}
        for name, strategy in strategies().items()
    }
    assert set(made) == {name for name, knobs in calibrated.items() if knobs}
    for name, levels in made.items():
        for knobs in levels.values():
            assert set(knobs) == calibrated[name]
            find(name).bind(knobs)


@pytest.fixture
def folder(tmp_path):
    """A folder that passes for a model's, with a calibration.json."""
    (tmp_path / "config.json").write_text("{}")
    presets.write(tmp_path / FILE, {"presets": knobs_at(at()), "curve": [[0.1, 0.2], [0.3, 0.4]]})
    return tmp_path


def test_a_written_file_is_read_again(folder):
    assert presets.presets(str(folder)) == knobs_at(at())
    text = (folder / FILE).read_text()
    assert "[0.1, 0.2],\n" in text
    assert '"ahd": {\n   "safe": {"tau": 0.8, "epsilon": 0.03},' in text


def test_a_model_without_a_calibration_has_no_presets(folder):
    (folder / FILE).unlink()
    assert presets.presets(str(folder)) == presets.presets("toy") == presets.presets("diffullama") == {}
    with pytest.raises(InfillError, match="bundled"):
        presets.presets("bundeld")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a valid calibration.json"),
        ("[" * 100_000, "not a valid calibration.json"),
        ("[]", "must map strategies"),
        ("{}", "no 'presets'"),
        ('{"presets": 3}', "must map strategies"),
        ('{"presets": {"threshold": 3}}', "must map strategies"),
        ('{"presets": {"threshold": {"safe": {"tau": 0.5}}}}', "'threshold' has safe instead of safe, balanced, fast"),
        ({"threshold": {key: {"tau": 7} for key in LEVELS}}, "from 0 to 1"),
        ({"threshold": {key: {"tua": 0.5} for key in LEVELS}}, "did you mean 'tau'"),
        ({"threshold": dict.fromkeys(LEVELS, 3)}, "must map strategies"),
        ({"treshold": {key: {"tau": 0.5} for key in LEVELS}}, "did you mean 'threshold'"),
        (b"\xff", "not a valid calibration.json"),
    ],
)
def test_a_broken_file_says_what_is_wrong_with_it(folder, content, words):
    file = folder / FILE
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps({"presets": content}))
    with pytest.raises(InfillError, match=words) as caught:
        presets.presets(str(folder))
    assert str(file) in str(caught.value)
    assert "app calibrate" in str(caught.value)


@pytest.fixture
def toy_with(monkeypatch, folder):
    """The folder's name loads the toy."""
    monkeypatch.setattr("app.__main__.load", lambda name, **settings: models.load("toy"))
    return ["--model", str(folder)]


def knobs_of(capsys, *arguments):
    assert main([*RUN, *arguments]) == 0
    return recording.load(capsys.readouterr().out).request.knobs


def test_a_preset_sets_the_knobs_and_a_flag_wins_over_it(toy_with, capsys):
    klass = [*toy_with, "--strategy", "klass"]
    assert knobs_of(capsys, *klass) == {"tau": 0.6, "epsilon": 0.01, "patience": 2}
    assert knobs_of(capsys, *klass, "--preset", "fast") == {"tau": 0.8, "epsilon": 0.01, "patience": 2}
    given = [*klass, "--tau", "0.6", "--preset", "fast"]  # even when it sets the default
    assert knobs_of(capsys, *given) == {"tau": 0.6, "epsilon": 0.01, "patience": 2}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--strategy", "threshold", "--preset", "save"], "did you mean 'safe'"),
        (["--strategy", "random", "--preset", "safe"], "these have: ahd, apart"),
        (["--strategy", "threshold", "--preset", "safe", "--model", "toy"], "app calibrate --model toy"),
        (["--strategy", "threshold", "--preset", "safe", "--model", "nowhere"], "no model 'nowhere'"),
    ],
)
def test_a_missing_preset_is_reported_with_the_available_ones(toy_with, more, words, capsys):
    assert main([*RUN, *toy_with, *more]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1


def test_the_table_in_the_docs_has_a_row_for_every_calibrated_knob(folder):
    lines = presets.markdown(str(folder)).splitlines()
    assert lines[0] == "| strategy | knob | paper | safe | balanced | fast |"
    assert "| `threshold` | `tau` | 0.9 | 0.8 | 0.8 | 0.8 |" in lines
    assert len(lines) == 2 + sum(len(levels["safe"]) for levels in knobs_at(at()).values())


def test_the_bundled_calibration_fits_the_bundled_weights_and_strategies():
    found = json.loads((models.BUNDLED / FILE).read_text(encoding="utf-8"))
    again = "run python -m app calibrate --text FILE again, then make docs"
    assert found["weights"] == presets.fingerprint(models.BUNDLED), again
    thresholds = {score: found["scores"][score]["thresholds"] for score in STRICTEST}
    made = knobs_at(thresholds)
    assert set(made) == set(found["presets"]), again
    for name, levels in made.items():
        for level, knobs in levels.items():
            assert found["presets"][name][level] == pytest.approx(knobs, rel=0.01, abs=2e-3), again
    for levels in thresholds.values():
        assert levels["safe"] is None or levels["fast"] is not None
