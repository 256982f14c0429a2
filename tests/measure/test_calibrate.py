"""The command `calibrate`: its observations, the sentences it takes out, and its file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app import presets
from app.__main__ import main
from app.measure.calibrate import as_data, observe, sentences_out
from app.measure.problems import Problem
from app.measure.reliability import fit_curve
from app.presets import LEVELS, STRICTEST
from models.toy import toy

PROBLEM = Problem(prefix="the cat", middle="sat on", suffix="a mat.")
STORY = 'Sam had a dog. The dog ran home to its warm bed. It was late.\nHe slept. "It is time to go now." Sam went too.'


def test_every_mask_of_a_pass_is_observed_except_the_one_it_commits():
    length = len(" sat on")
    scores, stayed = observe([PROBLEM, PROBLEM], toy())
    assert set(scores) == set(STRICTEST)
    assert {len(values) for values in scores.values()} == {len(stayed)} == {2 * length * (length - 1) // 2}
    first = slice(0, length - 1)
    assert np.isinf(scores["drift"][first]).all(), "the first pass has no pass before it"
    assert np.isfinite(np.delete(scores["drift"], [*range(length - 1), *range(21, 20 + length)])).all()
    assert all(np.isfinite(scores[name]).all() for name in ("confidence", "margin", "entropy", "logit_margin"))
    assert ((scores["confidence"] > 0) & (scores["confidence"] <= 1)).all()


def test_first_choices_are_compared_with_the_final_text():
    """With two masks, the second pass shows whether the first pass's choice for the waiting mask stayed."""
    from app.infill import infill
    from app.measure.problems import as_request

    denoiser = toy()
    problems = [
        Problem(prefix=p, middle=m, suffix=s) for p, m, s in [("ab", "c", "d"), ("q", "x", "z"), ("h", "i", "j")]
    ]
    _, stayed = observe(problems, denoiser)
    expected = []
    for problem in problems:  # a space and a letter: two masks, so that one waits
        *_, trace = infill(as_request(problem, denoiser), denoiser)
        (waiting,) = trace.steps[0].canvas.masks
        expected.append(trace.steps[0].prediction.top_tokens[waiting, 0] == trace.canvas.ids[waiting])
    assert stayed.tolist() == expected


def test_thresholds_come_from_the_curves_and_are_none_if_never_reached():
    sure = np.repeat([0.2, 0.6], 50)
    right = np.array([True, False] * 25 + [True] * 46 + [False] * 4)  # 0.5 and 0.92
    found = as_data({name: fit_curve(sure, right) if name == "confidence" else None for name in STRICTEST})
    assert found["scores"]["confidence"] == {
        "observations": 100,
        "thresholds": {"safe": None, "balanced": 0.6, "fast": 0.6},
        "curve": [[0.2, 0.5], [0.6, 0.92]],
    }
    assert found["scores"]["drift"] == {"observations": 0, "thresholds": dict.fromkeys(LEVELS), "curve": []}
    assert found["presets"]["threshold"] == {"safe": {"tau": 1.0}, "balanced": {"tau": 0.6}, "fast": {"tau": 0.6}}


def test_one_inner_sentence_is_taken_out_of_each_record():
    middles = {problem.middle for seed in range(20) for problem in sentences_out([STORY, "Too short. Yes."], seed)}
    assert middles == {"The dog ran home to its warm bed.", '"It is time to go now."'}
    for problem in sentences_out([STORY], 0):
        assert " ".join([problem.prefix, problem.middle, problem.suffix]) == STORY.replace("\n", " ")


def test_the_sentences_depend_only_on_the_seed():
    records = [STORY] * 30
    drawn = [problem.middle for problem in sentences_out(records, 3)]
    assert drawn == [problem.middle for problem in sentences_out(records, 3)]
    assert drawn[:7] == [problem.middle for problem in sentences_out(records[:7], 3)]
    assert drawn != [problem.middle for problem in sentences_out(records, 4)]
    assert len(set(drawn)) == 2


def test_the_toy_is_calibrated_from_a_text(tmp_path, capsys):
    text, out = tmp_path / "held_out.txt", tmp_path / "found.json"
    text.write_text("\n<|endoftext|>\n".join([STORY] * 8))
    assert main(["calibrate", "--model", "toy", "--text", str(text), "--limit", "3", "--out", str(out)]) == 0
    found, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert (found["model"], found["on"], found["infills"], found["weights"]) == ("toy", "held_out.txt", 3, None)
    assert found["observations"] == found["scores"]["confidence"]["observations"] > 100
    assert found["scores"]["drift"]["observations"] < found["observations"]
    assert presets.read(out) == found["presets"]
    assert "confidence" in printed
    assert "threshold tau" in printed
    assert ("never reached" in printed) == any(
        at is None for score in found["scores"].values() for at in score["thresholds"].values()
    )


def test_the_toy_is_calibrated_on_problems(tmp_path, capsys):
    file, out = tmp_path / "problems.jsonl", tmp_path / "found.json"
    file.write_text(json.dumps(vars(PROBLEM)))
    assert main(["calibrate", "--model", "toy", "--problems", str(file), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["infills"] == 1
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of the arguments --problems --text is required"),
        (["--text", "a", "--problems", "b"], "not allowed with"),
        (["--text", "no/such.txt", "--out", "{tmp}/x.json"], "no/such.txt"),
        (["--text", "{tmp}/short.txt", "--out", "{tmp}/x.json"], "between two others"),
        (["--problems", "no/such.jsonl", "--out", "{tmp}/x.json"], "no/such.jsonl"),
        (["--problems", "{tmp}/one.jsonl", "--out", "{tmp}/x.json"], "single token"),
        (["--problems", "{tmp}/one.jsonl"], "give --out"),
        (["--problems", "{tmp}/one.jsonl", "--out", "{tmp}/nowhere/x.json"], "there is no folder"),
        (["--problems", "{tmp}/two.jsonl", "--out", "{tmp}"], "cannot write"),
        (["--problems", "{tmp}/one.jsonl", "--limit", "0"], "--limit must be 1 or more"),
        (["--problems", "{tmp}/one.jsonl", "--model", "nowhere"], "no model 'nowhere'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, words, tmp_path, capsys):
    (tmp_path / "short.txt").write_text("One. Two. Three.")
    (tmp_path / "one.jsonl").write_text(json.dumps({"prefix": "", "middle": "a", "suffix": "b"}))
    (tmp_path / "two.jsonl").write_text(json.dumps(vars(PROBLEM)))
    assert main(["calibrate", "--model", "toy", *(a.replace("{tmp}", str(tmp_path)) for a in arguments)]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1
