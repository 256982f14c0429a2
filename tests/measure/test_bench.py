"""The benchmark: its problems, its numbers, and the reference loop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import models
from app import __main__ as command_line
from app.__main__ import main
from app.errors import InfillError
from app.measure import page_speed
from app.measure import run as measure_module
from app.measure.bench import PROBLEMS
from app.measure.loops import compare_loops
from app.measure.problems import Problem, oracle_length, read_problems
from app.measure.run import measure_strategy
from app.strategies.registry import strategies
from models.bench.baseline import reference_loop
from models.denoiser import Denoiser
from models.networks.transformer import TransformerDenoiser
from models.toy import ToyTokenizer

FEW = [
    Problem(prefix="the cat sat.", middle="a dog ran.", suffix="it was fun."),
    Problem(prefix="", middle="go.", suffix=""),
]


ROOT = Path(__file__).parents[2]


@pytest.fixture
def problems(tmp_path) -> Path:
    file = tmp_path / "problems.jsonl"
    file.write_text("\n\n".join(json.dumps(vars(problem)) for problem in FEW), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def network() -> Iterator[TransformerDenoiser]:
    """Yield a GPT-2 of random weights that reads letters."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for work this small, more threads are slower
    torch.manual_seed(0)
    tokenizer = ToyTokenizer("abcdefghijklmnopqrstuvwxyz .")
    config = GPT2Config(vocab_size=32, n_positions=64, n_embd=16, n_layer=1, n_head=2, bos_token_id=28, eos_token_id=28)
    config.is_causal = False
    yield TransformerDenoiser("tiny", GPT2LMHeadModel(config).eval(), tokenizer, context=64, vocabulary=30)
    torch.set_num_threads(threads)


def perfect(problem: Problem) -> Denoiser:
    """Return the toy, certain of the problem's middle."""
    toy = models.load("toy")
    gold = toy.tokenizer.encode(" " * bool(problem.prefix) + problem.middle)
    start = len(problem.prefix) or 1

    def marginals(ids: np.ndarray) -> np.ndarray:
        beliefs = np.full((max(len(ids), start + len(gold)), 29), 1e-6)
        beliefs[np.arange(start, start + len(gold)), gold] = 1.0
        return beliefs

    toy.marginals = marginals  # pyright: ignore[reportAttributeAccessIssue]
    return toy


def test_the_shipped_problems_are_short_sentences_joined_by_single_spaces():
    problems = read_problems(PROBLEMS)
    assert len(problems) == 24
    assert len({problem.middle for problem in problems}) == 24
    for problem in problems:
        assert 5 <= len(problem.middle.split()) <= 14
        for text in (problem.prefix, problem.middle, problem.suffix):
            assert text == " ".join(text.split())
            assert text[-1] in ".!?"
        assert problem.suffix[0].isalnum()  # otherwise no space would join it


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2 .*JSON"),
        ("[]", "line 2 .*prefix, middle, suffix"),
        ('{"prefix": "a", "middle": "b"}', "line 2 .*prefix, middle, suffix"),
        ('{"prefix": "a", "middle": 3, "suffix": "c"}', "line 2 .*prefix, middle, suffix"),
        ('{"prefix": "a", "middle": " ", "suffix": "c"}', "line 2 .*empty middle"),
        ("[" * 100_000, "line 2 .*JSON"),
    ],
)
def test_a_broken_problem_is_refused_with_its_line(tmp_path, line, words):
    file = tmp_path / "problems.jsonl"
    file.write_text(json.dumps(vars(FEW[0])) + "\n" + line, encoding="utf-8")
    with pytest.raises(InfillError, match=words):
        read_problems(file)


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"\xff"])
def test_a_file_without_problems_is_refused_by_name(tmp_path, content):
    file = tmp_path / "none.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InfillError, match=r"none\.jsonl"):
        read_problems(file)


def test_the_oracle_length_includes_the_space_before_the_middle():
    toy = models.load("toy")
    assert oracle_length(FEW[0], toy) == len(" a dog ran.")
    assert oracle_length(FEW[1], toy) == len("go.")


@pytest.mark.parametrize("problem", FEW)
def test_a_model_that_knows_the_answer_gets_full_marks(problem):
    row = measure_strategy("low_confidence", None, [problem], perfect(problem))
    assert (row.rouge1, row.rougeL, row.exact) == (100, 100, 100)
    assert row.nfe == oracle_length(problem, models.load("toy"))


BLIND = Problem(prefix="a cat", middle="...", suffix="b")


def test_a_problem_that_rouge_cannot_see_is_left_out_of_its_means_and_said(tmp_path, capsys):
    alone = measure_strategy("low_confidence", None, FEW[:1], perfect(FEW[0]))
    both = measure_strategy("low_confidence", None, [FEW[0], BLIND], perfect(FEW[0]))
    assert (both.rouge1, both.rougeL) == (alone.rouge1, alone.rougeL) == (100, 100)
    file = tmp_path / "blind.jsonl"
    file.write_text(json.dumps(vars(BLIND)) + "\n", encoding="utf-8")
    asked = ["bench", "--model", "toy", "--problems", str(file), "--strategies", "low_confidence"]
    assert main([*asked, "--plot", str(tmp_path / "plot.html")]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split().count("–") == 3
    assert "ROUGE sees only the letters a to z and digits: it is not measurable for 1 of 1 problems" in shown.err
    assert main([*asked, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["rows"]
    assert [row[name] for name in ("rouge1", "rouge2", "rougeL")] == [None] * 3


def test_a_row_is_the_mean_over_problems_and_repetitions():
    toy = models.load("toy")
    row = measure_strategy("low_confidence", None, FEW, toy, repeat=2)
    assert row.runs == 4
    assert row.nfe == (len(" a dog ran.") + len("go.")) / 2
    assert row.exact == 0
    assert row.risk == 0
    assert 0 < row.model_seconds < row.seconds
    assert 0 < row.overhead < 100


def test_the_budget_is_used_and_every_repetition_has_its_own_seed(monkeypatch):
    seen = []
    real = measure_module.infill

    def infill(request, *others, **settings):
        seen.append(request)
        return real(request, *others, **settings)

    monkeypatch.setattr(measure_module, "infill", infill)
    row = measure_strategy("first_hitting", 2, FEW, models.load("toy"), temperature=0.7, seed=5, repeat=2)
    assert row.nfe == 2
    assert [(request.steps, request.seed, request.temperature) for request in seen] == [
        (2, seed, 0.7) for seed in (5, 5, 6, 6)
    ]


def test_no_run_profits_from_the_states_of_the_run_before(network):
    rows = [measure_strategy("low_confidence", 2, FEW[:1], network) for _ in range(3)]
    assert [row.nfe for row in rows] == [2, 2, 2]


def test_the_table_has_a_row_for_every_strategy(problems, capsys):
    assert main(["bench", "--model", "toy", "--problems", str(problems), "--limit", "1"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(strategies())
    assert {len(row) for row in rows} == {len(head)}
    assert all(row.split()[1] == "N" for row in rows)


def test_json_holds_every_strategy_at_every_budget(problems, capsys):
    chosen = ["--strategies", "random,low_confidence", "--steps", "1,3", "--seed", "4", "--temperature", "0.5"]
    assert main(["bench", "--model", "toy", "--problems", str(problems), "--json", *chosen]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {name: data[name] for name in ("model", "problems", "seed", "temperature")} == {
        "model": "toy",
        "problems": 2,
        "seed": 4,
        "temperature": 0.5,
    }
    assert [(row["strategy"], row["steps"]) for row in data["rows"]] == [
        ("random", 1),
        ("random", 3),
        ("low_confidence", 1),
        ("low_confidence", 3),
    ]
    assert [row["nfe"] for row in data["rows"] if row["steps"] == 1] == [1, 1]


def test_overhead_shows_where_the_time_goes(problems, capsys):
    assert main(["bench", "--model", "toy", "--problems", str(problems), "--strategies", "random", "--overhead"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert "elsewhere %" in head
    assert 0 < float(row.split()[-1]) < 100


def test_the_plot_is_one_file_that_needs_neither_network_nor_colour(problems, tmp_path, capsys):
    file = tmp_path / "plot.html"
    chosen = ["--strategies", "random,low_confidence", "--steps", "1,2", "--plot", str(file)]
    assert main(["bench", "--model", "toy", "--problems", str(problems), *chosen]) == 0
    page = file.read_text(encoding="utf-8")
    assert "<script src=" not in page
    for label in ("random T=1", "low_confidence T=2", '"symbol":"circle"', '"symbol":"square"', "sendChartToCloud"):
        assert label in page
    assert '"displaylogo": false' in page.lower() or '"displaylogo":false' in page.lower()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--strategies", "randon"], "did you mean 'random'"),
        (["--strategies", ""], "unknown strategy"),
        (["--steps", "two"], "--steps"),
        (["--steps", "0"], "steps"),
        (["--limit", "0"], "--limit"),
        (["--repeat", "0"], "--repeat"),
        (["--temperature", "nan"], "temperature"),
        (["--problems", "no/such/file"], "no/such/file"),
        (["--plot", "no/such/folder/plot.html", "--strategies", "random", "--limit", "1"], "no/such/folder"),
        (["--baseline"], "'toy' is not one"),
        (["--baseline", "--overhead"], "not allowed with"),
        (["--tau", "1"], "--tau"),
        (["--dual-cache", "4"], "the dual cache needs a transformer"),
        (["--compare-cache"], "--compare-cache needs --dual-cache R"),
        (["--out", "folder"], "--out needs --all or --cached or --exact"),
        (["--contexts", "64"], "--random-weights"),
        (["--random-weights", "diffulama"], "diffullama"),
        (["--random-weights", "bundled", "--dtypes", "int3"], "int8"),
        (["--random-weights", "bundled", "--device", "cpu", "--contexts", "512"], "256 tokens"),
        (["--random-weights", "bundled", "--device", "cpu", "--contexts", "8", "--gaps", "8"], "--gaps"),
        (["--random-weights", "bundled", "--contexts", "few"], "--contexts"),
        (["--random-weights", "bundled", "--overhead"], "not allowed with"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, words, problems, capsys):
    assert main(["bench", "--model", "toy", "--problems", str(problems), *arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert words in printed


def test_the_baseline_takes_a_forward_pass_in_every_step_and_random_does_not(network, problems, capsys, monkeypatch):
    found = compare_loops(FEW[:1], network, repeat=1)
    assert found["plain_nfe"] == 64
    assert 1 <= found["nfe"] <= 16
    assert found["nfe_ratio"] == found["plain_nfe"] / found["nfe"]
    assert found["seconds_ratio"] == found["plain_seconds"] / found["seconds"]
    monkeypatch.setattr(command_line, "load", lambda name: network)
    asked = ["bench", "--baseline", "--repeat", "1", "--problems", str(problems)]
    assert main(asked) == 0
    assert [line.split()[:1] for line in capsys.readouterr().out.splitlines()] == [
        ["16"],
        ["random"],
        ["reference"],
        ["ratio"],
    ]
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"model", "seed"} | found.keys()


def test_the_dual_cache_reports_savings_and_if_asked_errors(network, problems, capsys, monkeypatch):
    from models.networks.dual_cache import DualCacheDenoiser

    monkeypatch.setattr(
        command_line,
        "load",
        lambda _, dual_cache, compare_cache=False: DualCacheDenoiser(
            network, refresh=dual_cache, compared=compare_cache
        ),
    )
    asked = [
        "bench",
        "--strategies",
        "low_confidence",
        "--problems",
        str(problems),
        "--limit",
        "1",
        "--dual-cache",
        "2",
    ]
    assert main(asked) == 0
    plain, said = capsys.readouterr().out.splitlines()[-2:]
    assert said.startswith("dual cache, refreshed every 2 passes")
    assert said.endswith("of the positions computed")
    assert main([*asked, "--compare-cache"]) == 0
    compared, said = capsys.readouterr().out.splitlines()[-2:]
    assert "error in" in said
    assert float(plain.split()[2]) < float(compared.split()[2]), "NFE without and with the comparing passes"
    assert main([*asked, "--compare-cache", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["dual_cache"]["refresh"] == 2
    assert 0 < data["dual_cache"]["share"] < 1
    assert data["dual_cache"]["compared"] > 0
    assert data["dual_cache"]["worst_kl"] < 1e-6, "keys and values of the only layer do not depend on other tokens"
    assert main([*asked[:-1], "0"]) == 2
    assert "1 or more" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_the_reference_loop_fills_the_gap_and_nothing_else(network, steps):
    ids = np.array([28, 3, 4, 29, 29, 29, 5, 29])  # the last mask token belongs to the given text
    editable = ids == 29
    editable[-1] = False
    asked = {"steps": steps, "temperature": 0.9, "top_p": 0.9}
    filled, forwards = reference_loop(network, ids, editable, **asked, seed=1)
    assert forwards == steps
    assert (filled[~editable] == ids[~editable]).all()
    assert (filled[editable] < 29).all()
    again, _ = reference_loop(network, ids, editable, **asked, seed=1)
    assert (again == filled).all()


def test_the_reference_loop_with_a_tiny_nucleus_is_greedy(network):
    toy = network.tokenizer
    ids = np.array([28, 3, 4, toy.mask_id, 5])
    filled, _ = reference_loop(network, ids, ids == toy.mask_id, steps=1, temperature=0.9, top_p=1e-6, seed=0)
    logits = network.head(network.body(input_ids=torch.from_numpy(ids)[None]).last_hidden_state)[0, 2]
    logits[toy.mask_id :] = float("-inf")
    assert filled[3] == int(logits.argmax())


def test_speculation_is_shown_to_be_lossless(capsys):
    assert main(["bench", "--lossless", "--model", "toy", "--limit", "3"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("3 of 3 problems have the same tokens in the same steps; 3 have the same text")
    assert main(["bench", "--lossless", "--model", "toy", "--limit", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"] == 3


def test_timing_the_page_needs_a_browser(monkeypatch, capsys):
    monkeypatch.setattr(page_speed.shutil, "which", lambda name: None)
    assert main(["bench", "--page"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "needs Chromium or Chrome" in printed.err


def test_problems_may_contain_unicode_line_breaks_and_a_byte_order_mark(tmp_path):
    text = "a\u2028b\u2029c\x85d"
    lines = [json.dumps({"prefix": text, "middle": text, "suffix": ""}, ensure_ascii=False) for _ in range(2)]
    (tmp_path / "problems.jsonl").write_bytes("\r\n".join(["\ufeff" + lines[0], lines[1]]).encode())
    assert read_problems(tmp_path / "problems.jsonl") == [Problem(prefix=text, middle=text, suffix="")] * 2


@pytest.mark.browser
def test_the_page_is_timed_in_a_browser():
    """In a process of its own: a server's threads would outlive the test's captured streams."""
    code = """
import sys
from app.__main__ import main
from app.measure import page_speed
page_speed.GAP = 8
sys.exit(main(["bench", "--page", "--json"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    fast, slow = json.loads(done.stdout)
    assert (fast["pause_ms"], slow["pause_ms"]) == (0, 20)
    assert 2 <= slow["steps_shown"] <= 8
    assert slow["bytes_per_step"] > 0
    assert "20 ms a pass" in page_speed.report([fast, slow]).splitlines()[0]
