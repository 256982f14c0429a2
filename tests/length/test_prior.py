"""What is fitted to a checkpoint, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.errors import InfillError
from app.length.prior import FILE, UNFITTED, prior_of, read, write
from app.length.sentences import Surroundings
from app.measure import length_fit
from models.toy import toy

FIT = replace(UNFITTED, model="m", holes=3)
LENGTHS = np.arange(1, 33)


def text(records: int = 60) -> list[str]:
    """Sentences of five to twelve letters, all of a record alike."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 13, records)
    return [" ".join("".join(rng.choice(list("abcdef"), size - 1)) + "." for _ in range(6)) for size in sizes]


def test_it_comes_back_from_its_file_as_it_was(tmp_path):
    fit = replace(FIT, lengths=(1, 2, 4), phi_bias=(0.9, 0.5, 0.25), seam_bias=(-1.0, -2.5, -3.0))
    write(fit, tmp_path / FILE)
    assert read(tmp_path / FILE) == fit


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", 3),
        ("lengths", [1, 1]),
        ("lengths", []),
        ("lengths", "12"),
        ("phi_bias", [0.5]),
        ("seam_bias", ["x"] * len(UNFITTED.lengths)),
        ("whole", [1.0]),
        ("part", None),
        ("spread", 0.0),
        ("slope", float("nan")),
        ("holes", True),
        ("surplus", 1),
    ],
)
def test_a_broken_file_is_told_with_what_is_broken(tmp_path, name: str, value: Any):
    write(FIT, tmp_path / FILE)
    data = json.loads((tmp_path / FILE).read_text()) | {name: value}
    (tmp_path / FILE).write_text(json.dumps(data))
    with pytest.raises(InfillError, match=r"broken at '.*'; recreate it with python -m app length fit"):
        read(tmp_path / FILE)


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"format": "infill-length-bias", "version": 99}'])
def test_something_else_is_no_fit(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(InfillError, match=r"is not a (valid )?length prior"):
        read(tmp_path / FILE)


def test_it_is_found_in_the_folder_of_the_checkpoint(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    fallback, notices = prior_of(str(tmp_path))
    assert fallback == UNFITTED
    assert "python -m app length fit" in notices[0]
    write(FIT, tmp_path / FILE)
    found, notices = prior_of(str(tmp_path))
    assert (found.model, notices) == ("m", ())


def test_the_bundled_model_has_one():
    found, notices = prior_of("bundled")
    assert notices == ()
    assert (np.diff(found.phi_bias) <= 0).all()


def test_a_model_whose_folder_is_not_known_by_its_name_has_none():
    found, notices = prior_of("nosuch")
    assert found == UNFITTED
    assert "not fitted to 'nosuch'" in notices[0]


def test_a_folder_that_has_been_removed_is_no_reason_to_guess(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (str(tmp_path / "gone"), "runs/gone"):
        with pytest.raises(InfillError, match=f"the folder of '{name}' is gone"):
            prior_of(name)


def test_a_whole_sentence_is_expected_to_be_as_long_as_its_neighbours():
    near = Surroundings(whole=True, lengths=(20,) * 500)
    prior = UNFITTED.prior(LENGTHS, near)
    assert LENGTHS[prior.argmax()] == 20
    assert np.exp(prior).sum() == pytest.approx(1)
    assert np.ptp(UNFITTED.prior(LENGTHS, replace(near, whole=False))) == 0


def test_evidence_moves_the_score_by_its_weight():
    fit, around = replace(UNFITTED, part=(2.0, 0.5)), Surroundings(whole=False, lengths=())
    lengths = np.array([3, 4])
    phi, seam = fit.bias(lengths) + np.array([0.0, 0.3]), np.array([0.0, 1.0])
    score = fit.score(lengths, phi, seam, around)
    assert score[1] - score[0] == pytest.approx(2 * 0.3 + 0.5 * 1.0)
    assert np.exp(score).sum() == pytest.approx(1)


def test_the_smoothed_bias_falls_and_is_the_nearest_that_does():
    values, weights = np.array([5.0, 3, 4, 4, 1, 2]), np.array([1.0, 1, 1, 2, 1, 3])
    found = length_fit.falling(values, weights)
    assert found == pytest.approx([5, 3.75, 3.75, 3.75, 1.75, 1.75])

    def distance(other):
        return (weights * (other - values) ** 2).sum()

    rng = np.random.default_rng(0)
    others = [np.sort(found + rng.normal(0, 0.3, 6))[::-1] for _ in range(200)]
    assert distance(found) <= min(map(distance, others))


def test_weights_find_the_evidence_that_tells_and_drop_what_does_not():
    rng = np.random.default_rng(0)
    true = rng.integers(1, 33, 400)
    noise = rng.normal(size=(400, 32, 2))
    noise[np.arange(400), true - 1, 1] += 2  # the second one tells, the first one does not
    first, second = length_fit._weights(noise, np.zeros((400, 32)), true)
    assert first == 0
    assert second == pytest.approx(2, abs=0.2)  # of a normal variable that is moved by d, the log odds are d x
    noise[..., 0] = -noise[..., 1]
    assert length_fit._weights(noise, np.zeros((400, 32)), true)[0] == 0


def test_a_fit_learns_from_text_how_long_sentences_are():
    fit = length_fit.fit(text(), toy(), holes=20)
    assert fit.holes == 20
    assert len(fit.phi_bias) == len(fit.seam_bias) == len(fit.lengths) == 32
    assert (np.diff(fit.phi_bias) <= 0).all()
    around = Surroundings(whole=True, lengths=(9, 9, 9, 9))
    assert abs(int(LENGTHS[fit.prior(LENGTHS, around).argmax()]) - 9) <= 1
    assert fit.spread < 0.15


def test_a_text_without_sentences_is_refused():
    for records in ([], ["abc"], text(10)):
        with pytest.raises(InfillError, match="give more text"):
            length_fit.fit(records, toy())
