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
from app.trace.messages import list_candidates
from app.trace.trace import Origin
from app.watching import MASK

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
    assert [line.count(MASK) for line in lines] == [4, 2, 0]
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
    assert trace_of(capsys, "--steps", "24", "--strategy", name, *asked).request.knobs == expected
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
    assert [line.count(MASK) for line in lines] == [6, 4, 2, 0]
    assert lines[0].endswith("the cat" + MASK * 6 + " sat")


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_output_for_which_the_disk_has_no_room_is_one_line_and_exit_code_2(recorded):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "app", "replay", recorded]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "error: cannot write the output: No space left on device; make room on the disk, then try again\n"
    )


def test_an_invalid_length_is_reported_in_words(capsys):
    assert main(["infill", "--length", "x"]) == 2
    assert "a number of masks, or auto, not 'x'" in capsys.readouterr().err


LEFT_TO_RIGHT = ["--text", "the [[4|2:b]] on [[3]]", "--model", "toy", "--no-space", "--strategy", "left_to_right"]


@pytest.fixture
def first(tmp_path, capsys):
    """A run that writes the places 1, 3, 4, 5, 6 and 7, one a step; 2 is pinned."""
    assert main(["infill", *LEFT_TO_RIGHT, "--json"]) == 0
    file = tmp_path / "first.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return file


def branched(capsys, file, *more: str) -> recording.Trace:
    assert main(["branch", str(file), "--json", *more]) == 0
    return recording.load(capsys.readouterr().out)


def test_a_branch_continues_after_the_step_with_the_runs_settings(first, capsys):
    old = recording.load(first.read_text(encoding="utf-8"))
    trace = branched(capsys, first, "--step", "2")
    assert trace.origin == Origin("first", 2)
    assert (trace.request.strategy, trace.request.steps, trace.model) == ("left_to_right", 4, "toy")
    assert trace.inherited == [0, 2]
    assert trace.text == old.text
    assert trace.nfe == 4
    assert main(["branch", str(first), "--step", "2"]) == 0
    assert capsys.readouterr().out == old.text + "\n"


def test_a_perturbation_says_what_changed_and_keeps_the_runs_pace(first, capsys):
    old = recording.load(first.read_text(encoding="utf-8"))
    assert main(["branch", str(first), "--step", "3", "--perturb", "0.5", "--json"]) == 0
    out, said = capsys.readouterr()
    trace = recording.load(out)
    assert (len(trace.start.masks), trace.request.steps) == (len(old.state(3).masks) + 2, 5)
    assert said.splitlines()[-1].startswith("taken back: 2, of which 0 became another token (direct); of the 4 other")
    assert main(["branch", str(first), "--step", "3", "--perturb", "0.5", "--mask", "1"]) == 2
    assert "leave out --take, --mask and --lock" in capsys.readouterr().err


def test_places_and_candidates_are_counted_from_1_and_each_edit_may_be_repeated(first, capsys):
    old = recording.load(first.read_text(encoding="utf-8"))
    edits = ["--take", "1=2", "--take", "7=5", "--mask", "3", "--lock", "4", "--lock", "5"]
    trace = branched(capsys, first, "--step", "4", *edits)
    assert trace.request.start is not None
    assert trace.request.start.locked == (0, 3, 4, 6)
    assert trace.pieces(0)[0] == list_candidates(old, 1)[0][1][0]
    assert trace.pieces(0)[6] == list_candidates(old, 4)[6][4][0]
    assert trace.pieces(0)[2] is None
    assert trace.start.pinned.tolist() == [True, True, False, True, True, False, True]


def test_a_branch_may_have_other_settings_and_another_text(first, capsys):
    other = ["--strategy", "remdm", "--eta", "0.4", "--steps", "9", "--seed", "5", "--temperature", "0.8", "--ban", "q"]
    request = branched(capsys, first, "--step", "1", *other, "--text", "a [[4|2:b]] at [[3]]", "--one-line").request
    assert (request.strategy, request.steps, request.seed, request.temperature) == ("remdm", 9, 5, 0.8)
    assert (request.knobs["eta"], request.banned, request.one_line, request.space) == (0.4, ("q",), True, False)
    assert request.text == "a [[4|2:b]] at [[3]]"


def test_a_branch_keeps_the_runs_knobs_unless_it_has_another_strategy(tmp_path, capsys):
    file = tmp_path / "run.json"
    file.write_text(recording.dump(trace_of(capsys, "--strategy", "threshold", "--tau", "0.3")), encoding="utf-8")
    assert branched(capsys, file, "--step", "0").request.knobs == {"tau": 0.3}
    other = branched(capsys, file, "--step", "0", "--strategy", "apart").request.knobs
    assert other == {"tau": 0.9, "distance": 2, "adaptive": False}
    again = ["--strategy", "threshold", "--tau", "0.4"]
    assert branched(capsys, file, "--step", "0", *again).request.knobs == {"tau": 0.4}
    sides = branched(capsys, file, "--step", "0", "--prefix", "a dog", "--suffix", "ran")
    assert sides.text.startswith("a dog")
    text = branched(capsys, file, "--step", "0", "--text", "a dog [[6]]ran")
    assert (text.request.prefix, text.request.suffix, text.given) == ("", "", ("a dog", " ran"))


def test_replay_shows_a_branch_and_what_it_comes_from(first, capsys, tmp_path):
    assert main(["branch", str(first), "--step", "3", "--json"]) == 0
    file = tmp_path / "second.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["replay", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "branched from step 3 of first"
    assert [line.count(MASK) for line in lines[2:]] == [3, 2, 1, 0]


def test_a_branch_is_read_from_standard_input(first, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(first.read_bytes())))
    assert branched(capsys, "-", "--step", "1").origin == Origin("standard input", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--step"),
        (["--step", "6"], "nothing is masked in this state"),
        (["--step", "7"], "the states 0 to 6, not 7"),
        (["--step", "1", "--take", "3"], "a place and a candidate, each from 1, as in 5=2, not '3'"),
        (["--step", "1", "--take", "0=1"], "each from 1"),
        (["--step", "1", "--take", "3=9"], "place 3 has 5 candidates in step 1, and no 9th"),
        (["--step", "1", "--mask", "0"], "must be the number of a place, from 1, not '0'"),
        (["--step", "1", "--mask", "2"], "place 2 is pinned by the text"),
        (["--step", "1", "--lock", "8"], "no place 8: its places are 1 to 7"),
        (["--step", "1", "--model", "bundled"], "the run is of the model 'toy', and 'bundled' has other tokens"),
        (["--step", "1", "--model", "nowhere"], "no model 'nowhere'"),
        (["--step", "1", "--eta", "0.3"], "--eta is a knob of p2, remdm: name the strategy as well, with --strategy"),
        (["--step", "1", "--blocks", "3"], "'blocks' is not a knob of 'left_to_right', the run's strategy"),
        (["--step", "1", "--strategy", "gibbs", "--steps", "2"], "needs 3 steps"),
        (["--step", "1", "--text", "a[[3]]b[[4]]"], "the text has gaps of 3 and 4"),
        (["--step", "1", "--text", "a[[4]]b[[auto]]"], "cannot have an [[auto]] gap"),
        (["--step", "1", "--text", ""], "--text must be a text with gaps"),
        (["--step", "1", "--prefix", "a"], "either a text with gaps or a prefix and a suffix"),
        (["--step", "1", "--length", "3"], "--length"),
        (["--step", "1", "--time-limit", "0"], "time limit"),
    ],
)
def test_a_mistake_about_a_branch_is_reported_in_one_line(arguments, words, first, capsys):
    assert main(["branch", str(first), *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("error: ")
    assert words in printed.err


def test_infill_starts_from_a_state_in_json(capsys):
    start = '{"gaps": [[1, null, 2, null, null, null]], "locked": [2]}'
    trace = trace_of(capsys, "--start", start, "--steps", "4")
    assert trace.pieces(0) == ["b", None, "c", None, None, None]
    assert trace.inherited == [0]
    assert main([*RUN, "--start", '{"gaps": [[1]]}']) == 2
    assert "nothing is masked in this start" in capsys.readouterr().err
