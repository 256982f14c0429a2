"""The command line: what it prints where, and how it reports mistakes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import cli
from app.__main__ import main
from app.sampling.fields import Knob, OneOf
from app.sampling.unfamiliar import Unfamiliar
from app.strategies.registry import BUDGETS, GROUPS, find, strategies
from app.trace import recording

ROOT = Path(__file__).parents[1]
RUN = ["infill", "--model", "toy", "--prefix", "the cat", "--suffix", "sat", "--length", "6"]


def trace_of(capsys, *more: str) -> recording.Trace:
    assert main([*RUN, "--json", *more]) == 0
    return recording.load(capsys.readouterr().out)


def test_the_help_says_what_steps_are_by_default_and_that_a_length_may_be_auto(capsys):
    with pytest.raises(SystemExit):
        main(["infill", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "(default: one for each mask, 32 for auto)" in printed
    assert "1 to 128, or auto (default: 16)" in printed


@pytest.fixture
def recorded(tmp_path, capsys):
    assert main([*RUN, "--steps", "3", "--json"]) == 0
    file = tmp_path / "trace.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return file


def test_infill_prints_the_text_alone_on_standard_output(capsys):
    assert main(RUN) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("the cat")
    assert printed.out.endswith(" sat\n")
    assert len(printed.out) == len("the cat") + 6 + len(" sat\n")
    assert printed.err.startswith("Done in all 6 passes")
    assert printed.err.count("\n") == 1


def test_text_that_the_model_cannot_know_is_reported_before_it_is_filled(capsys, monkeypatch):
    strange = Unfamiliar(tokens=10, unknown=9, never=True, split=1.0, kinds=("Han",))
    asked = []
    monkeypatch.setattr(cli, "unfamiliar", lambda parts, tokenizer: asked.append(parts) or strange)
    assert main(RUN) == 0
    first, last = capsys.readouterr().err.splitlines()
    assert asked == [("the cat", " sat")]
    assert first == strange.warning
    assert last.startswith("Done")


def test_on_a_terminal_every_step_is_shown_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main([*RUN, "--steps", "3"]) == 0
    printed = capsys.readouterr()
    *lines, verdict = printed.err.splitlines()
    assert verdict.startswith("Done in all 3 passes")
    assert [line.count(cli.MASK) for line in lines] == [4, 2, 0]
    assert lines[1].startswith("step   2  NFE   2  masks   2  the cat")
    assert lines[-1].endswith(printed.out.rstrip("\n"))


def test_json_is_the_trace_with_everything_as_asked(capsys):
    asked = [
        "--steps",
        "4",
        "--strategy",
        "random",
        "--seed",
        "9",
        "--temperature",
        "0.5",
        "--top-p",
        "0.8",
        "--no-space",
    ]
    request = trace_of(capsys, *asked).request
    assert (request.steps, request.strategy, request.seed) == (4, "random", 9)
    assert (request.temperature, request.top_p, request.space) == (0.5, 0.8, False)
    assert request.parts[1] == "sat"


def test_as_many_steps_as_masks_unless_said_otherwise(capsys):
    assert trace_of(capsys).request.steps == 6


@pytest.mark.parametrize("name", strategies())
def test_every_strategys_knobs_are_flags_with_their_defaults(name, capsys):
    strategy = find(name)
    asked, expected = [], {}
    for parameter in strategy.knobs:
        flag = "--" + parameter.name.replace("_", "-")
        if parameter.kind is bool:
            asked.append(flag.replace("--", "--no-", 1) if parameter.default else flag)
            expected[parameter.name] = not parameter.default
        else:
            assert isinstance(parameter.domain, OneOf | Knob)
            value = parameter.domain.options[-1] if isinstance(parameter.domain, OneOf) else parameter.domain.high
            value = 0.0 if parameter.name == "energy" else value  # more needs a parent, and the toy has none
            asked += [flag, str(parameter.kind(value))]
            expected[parameter.name] = value
    assert trace_of(capsys, "--steps", "12", "--strategy", name, *asked).request.knobs == expected
    assert trace_of(capsys, f"--strategy={name}").request.knobs == {p.name: p.default for p in strategy.knobs}
    with pytest.raises(SystemExit) as ended:
        main(["infill", "--strategy", name, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in asked if word.startswith("--"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["infil"], "infill"),
        ([*RUN, "--strategy", "randon"], "did you mean 'random'"),
        ([*RUN, "--strategy"], "--strategy"),
        (
            [*RUN, "--strategy", "random", "--blocks", "2"],
            "--blocks is not a knob of strategy 'random', but of ahd, low_confidence",
        ),
        ([*RUN, "--blocks", "99"], "from 1 to 16"),
        ([*RUN, "--blocks", "two"], "two"),
        ([*RUN, "--bogus", "2"], "--bogus"),
        ([*RUN, "--len", "2"], "--len"),
        ([*RUN, "--length", "0"], "length"),
        ([*RUN, "--length", "many"], "many"),
        ([*RUN, "--temperature", "nan"], "temperature"),
        ([*RUN, "--time-limit", "nan"], "time limit"),
        ([*RUN, "--time-limit", "0"], "time limit"),
        ([*RUN, "--prefix", "a\x1b[2J"], "U+001B"),
        ([*RUN, "--prefix", "a\udcff"], "U+DCFF"),
        ([*RUN, "--model", "nowhere"], "nowhere"),
        (["strategies", "--json", "--markdown"], "not allowed with"),
        (["strategies", "--tau", "3"], "--tau"),
        (["replay"], "FILE"),
        (["replay", "no/such/file"], "no/such/file"),
        (["replay", "."], "cannot read"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error_and_exit_code_2(arguments, words, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err


@pytest.mark.parametrize("said", ["the GPU has too little memory for this text; shorten it", ""])
def test_too_little_memory_is_one_line_as_well(said, capsys, monkeypatch):
    def full(*_args, **_settings):
        raise MemoryError(said)

    monkeypatch.setattr(cli, "infill", full)
    assert main(RUN) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith(f"error: {said or 'there is too little memory'}")


def test_a_mistake_is_reported_before_the_model_is_loaded(capsys):
    assert main(["infill", "--model", "nowhere", "--blocks", "99"]) == 2
    assert "blocks" in capsys.readouterr().err


def test_ctrl_c_ends_with_what_is_there(capsys, monkeypatch):
    real = cli.infill

    def interrupted(*args, **kwargs):
        for trace in real(*args, **kwargs):
            yield trace
            if len(trace.steps) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(cli, "infill", interrupted)
    assert main([*RUN, "--json"]) == 130
    printed = capsys.readouterr()
    trace = recording.load(printed.out)
    assert (trace.ended, trace.masks_left) == ("stopped", [6, 5, 4])
    assert "Stopped after 2 of 6 passes, with four masks left" in printed.err


def test_ctrl_c_elsewhere_ends_without_a_traceback(capsys, monkeypatch):
    monkeypatch.setattr(cli, "markdown", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["strategies", "--markdown"]) == 130
    assert capsys.readouterr().err == ""


def test_the_time_limit_ends_the_run_and_is_reported(capsys):
    assert main([*RUN, "--time-limit", "1e-9"]) == 0
    assert "Out of time after 1 of 6 passes, with five masks left" in capsys.readouterr().err


def test_text_that_was_left_out_is_reported(capsys):
    assert main(["infill", "--model", "toy", "--prefix", "a" * 300, "--length", "2"]) == 0
    printed = capsys.readouterr()
    assert "first 46 tokens of the prefix" in printed.err
    assert printed.out.startswith("a" * 300)


def test_strategies_lists_every_strategy_with_its_knobs(capsys):
    assert main(["strategies"]) == 0
    text = capsys.readouterr().out
    assert main(["strategies", "--json"]) == 0
    data = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(data) == list(strategies())
    for name, strategy in strategies().items():
        assert f"{strategy.title} · {name}\n    {strategy.summary}\n" in text
        assert (data[name]["title"], data[name]["group"]) == (strategy.title, strategy.group)
        assert data[name]["steps_mean"] == BUDGETS[strategy.budget]
        assert data[name]["papers"] == list(strategy.papers)
        assert [knob["name"] for knob in data[name]["knobs"]] == [p.name for p in strategy.knobs]
        assert all(knob["flag"] in text for knob in data[name]["knobs"])


def test_the_markdown_tables_have_six_cells_in_every_row(capsys):
    assert main(["strategies", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[3:] for line in lines if line.startswith("## ")] == list(GROUPS)
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 * len(GROUPS) + len(strategies())
    assert all(row.replace("\\|", "").count("|") == 7 for row in rows)
    (row,) = [row for row in rows if row.startswith("| Surest first | `low_confidence` |")]
    assert "`blocks` (1)" in row
    assert "[2502.09992](https://arxiv.org/abs/2502.09992)" in row


def test_replay_shows_every_state_in_one_line(recorded, capsys):
    assert main(["replay", str(recorded)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert "low_confidence on toy" in head
    assert [line.count(cli.MASK) for line in lines] == [6, 4, 2, 0]
    assert lines[0].endswith("the cat" + cli.MASK * 6 + " sat")


def test_replay_of_one_step_says_what_it_committed(recorded, capsys):
    assert main(["replay", str(recorded), "--step", "2"]) == 0
    _, state, *commits = capsys.readouterr().out.splitlines()
    assert state.startswith("step   2")
    assert len(commits) == 2
    assert all("confidence" in line for line in commits)
    assert main(["replay", str(recorded), "--step", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("step", ["-1", "4"])
def test_replay_refuses_a_step_that_is_not_there(recorded, capsys, step):
    assert main(["replay", str(recorded), f"--step={step}"]) == 2
    assert "0 to 3" in capsys.readouterr().err


def test_replay_reads_standard_input(recorded, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(recorded.read_bytes())))
    assert main(["replay", "-"]) == 0
    assert capsys.readouterr().out.count("\n") == 5


def test_a_recording_cannot_steer_the_terminal(recorded, capsys):
    data = json.loads(recorded.read_text(encoding="utf-8"))
    data["lexicon"] = dict.fromkeys(data["lexicon"], "\x1b[2J\n")
    data["model"] = "\x1b]0;title\x07"
    recorded.write_text(json.dumps(data), encoding="utf-8")
    for more in ([], ["--step", "1"]):
        assert main(["replay", str(recorded), *more]) == 0
        printed = capsys.readouterr().out
        assert "\x1b" not in printed
        assert "\x07" not in printed


def test_a_recording_that_is_not_utf_8_is_refused(tmp_path, capsys):
    file = tmp_path / "trace.json"
    file.write_bytes(b'{"format": "\xff"}')
    assert main(["replay", str(file)]) == 2
    assert "UTF-8" in capsys.readouterr().err


def test_help_strategies_and_replay_leave_torch_and_gradio_alone(recorded):
    program = """
import contextlib, io, sys
from app.__main__ import main
with contextlib.redirect_stdout(io.StringIO()):
    for arguments in (["--help"], ["infill", "--help"], ["bench", "--help"]):
        with contextlib.suppress(SystemExit):
            main(arguments)
    assert main(["strategies"]) == 0
    assert main(["replay", sys.argv[1]]) == 0
print(sorted({"torch", "transformers", "gradio"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program, str(recorded)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_module_runs_as_a_program():
    command = [sys.executable, "-m", "app", "strategies", "--markdown"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("## By sureness\n")


GAPS = ["infill", "--model", "toy", "--text", "the [[3]] saw [[7|2:cat]] there."]


def test_a_text_with_several_gaps_is_filled_and_replayed(capsys, tmp_path):
    assert main([*GAPS, "--ban", "dog,tom", "--one-line", "--json"]) == 0
    printed = capsys.readouterr().out
    trace = recording.load(printed)
    assert trace.request.banned == ("dog", "tom")
    assert trace.request.one_line
    assert trace.request.steps == trace.request.length == 10
    file = tmp_path / "trace.json"
    file.write_text(printed, encoding="utf-8")
    assert main(["replay", str(file)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].endswith("masks   6  the░░░ saw░ cat░░ there.")
    first, second = (
        "".join(piece or "" for piece in trace.pieces(len(trace.steps))[part]) for part in (slice(3), slice(3, None))
    )
    assert shown[-1].endswith(f"the{first} saw{second} there.")
    assert main(["replay", str(file), "--step", "1"]) == 0
    commit = capsys.readouterr().out.splitlines()[-1].split()
    assert int(commit[1]) - 1 == trace.start.places(trace.steps[0].selection.commit)[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*GAPS, "--length", "3"], "--text replaces --prefix, --suffix and --length; leave out --length"),
        ([*GAPS, "--prefix", ""], "leave out --prefix"),
        (["infill", "--text", ""], "--text is empty"),
        (["infill", "--text", "a [[x]]"], "gap 1, '[[x]]' at character 3"),
        ([*GAPS, "--ban", "cat"], "'cat' is banned"),
    ],
)
def test_mistakes_about_gaps_and_bans_are_reported(arguments, words, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("asked", [["--length", "auto"], ["--text", "a [[3]] b [[auto]]"]])
def test_an_auto_length_is_chosen_and_reported(asked, capsys):
    assert main(["infill", "--model", "toy", "--json", *asked]) == 0
    printed = capsys.readouterr()
    trace = recording.load(printed.out)
    ((gap, choice),) = trace.choices.items()
    assert trace.request.gaps[gap].length == choice.chosen == len(trace.start.gaps[gap])
    assert choice.describe(gap) in printed.err
    assert "not fitted to 'toy'" in printed.err
    assert f"choosing the number of masks took {choice.calls} passes more" in printed.err


def test_a_closed_pipe_and_a_terminal_without_the_characters_do_not_crash(recorded):
    program = [sys.executable, "-m", "app"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run([*program, "strategies"], cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*program, "replay", recorded], cwd=ROOT, capture_output=True, env=ascii_only, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"????" in done.stdout  # the masks


def test_an_invalid_length_is_reported_in_words(capsys):
    assert main(["infill", "--length", "x"]) == 2
    assert "a number of masks, or auto, not 'x'" in capsys.readouterr().err
