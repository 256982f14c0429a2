"""Files of any content, traces, Spacefiles and checkpoint configs: each is read, or refused in words at little cost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import models
from app.errors import InfillError
from app.infill import infill
from app.sampling.request import InfillRequest
from app.space import spacefile
from app.trace import recording
from app.trace.bounds import weight
from app.trace.messages import build_closing, build_replay
from models.checkpoints.checkpoint import read_network
from models.checkpoints.facts import is_diffusion
from tests.fuzz.inputs import LONG, check_message, fuzz, mutated

ROOT = Path(__file__).parents[2]
_TRACE = (ROOT / "assets/traces/too-few-steps.json").read_text(encoding="utf-8")
_CHOSEN = (ROOT / "assets/traces/auto-length.json").read_text(encoding="utf-8")
_SPACEFILE = (ROOT / "Spacefile").read_text(encoding="utf-8")
_LARGEST = 40_000_000  # characters of an answer, bytes of a trace that is kept


def open_trace(content: str) -> None:
    """Open a trace as the page does; fail unless it is refused in words or is as small as the bounds say."""
    try:
        trace = recording.load(content)
    except InfillError as error:
        check_message(str(error))
        return
    assert weight(trace) < _LARGEST
    assert len(json.dumps(build_replay(trace, "run"))) < _LARGEST
    assert build_closing(trace, "run")["text"] == trace.text
    assert recording.dump(recording.load(recording.dump(trace))) == recording.dump(trace)


@fuzz
@given(data=st.one_of(mutated(_TRACE), mutated(_CHOSEN)))
def test_a_changed_trace_is_opened_or_refused(data: Any) -> None:
    open_trace(json.dumps(data))


@fuzz
@given(st.data())
def test_a_trace_with_changed_characters_is_opened_or_refused(data: st.DataObject) -> None:
    start, length = data.draw(st.integers(0, len(_TRACE))), data.draw(st.sampled_from([0, 1, 2, 50]))
    between = data.draw(st.text(alphabet='0-9e"[]{},:x\\\ud800', max_size=4) | st.sampled_from(["[" * 5000, LONG]))
    open_trace(_TRACE[:start] + between + _TRACE[start + length :])


@fuzz
@given(data=st.data())
def test_a_changed_spacefile_is_read_or_refused(tmp_path_factory: Any, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "spacefile"
    folder.mkdir(exist_ok=True)
    if data.draw(st.booleans()):
        content = yaml.safe_dump(data.draw(mutated(json.dumps(yaml.safe_load(_SPACEFILE)))), sort_keys=False)
    else:
        at = data.draw(st.integers(0, len(_SPACEFILE)))
        content = (
            _SPACEFILE[:at] + data.draw(st.text(alphabet="\n :-[]{}&*!|>'\"\t#%@`\0", max_size=3)) + _SPACEFILE[at:]
        )
    (folder / "Spacefile").write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        found = spacefile.read(folder)
        for profile in found.profiles:
            found.deployment(profile)
    except InfillError as error:
        check_message(str(error))


def test_half_a_character_in_a_spacefile_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "Spacefile").write_text(_SPACEFILE.replace("family: llama", r'family: "\ud800"', 1), encoding="utf-8")
    with pytest.raises(InfillError, match="family must be text without halves of characters") as caught:
        spacefile.read(tmp_path)
    check_message(str(caught.value))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: Any) -> Path:
    """Return a folder with a tiny checkpoint, as it was published."""
    return shutil.copytree(ROOT / "tests/golden/llama", tmp_path_factory.mktemp("checkpoint") / "llama")


@fuzz
@given(data=st.data())
def test_a_checkpoint_with_a_changed_config_is_read_or_refused_in_a_line(checkpoint: Path, data: st.DataObject) -> None:
    config = ROOT / "tests/golden/llama/config.json"
    changed = json.dumps(data.draw(mutated(config.read_text(encoding="utf-8"))))
    (checkpoint / "config.json").write_text(changed, encoding="utf-8")
    try:
        is_diffusion(checkpoint)
        read_network(checkpoint)
    except ValueError as error:
        check_message(str(error))


WRONG: dict[str, Any] = {
    "a model_type that is a list": {"model_type": ["llama"]},
    "a model_type that is an object": {"model_type": {"llama": 1}},
    "architectures that are a number": {"model_type": None, "architectures": 5},
    "architectures with a list": {"model_type": None, "architectures": [["LlamaForCausalLM"]]},
    "more layers than there are weights": {"num_hidden_layers": 10**20},
    "a long name of the architecture": {"model_type": LONG},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_config_that_was_once_a_crash_is_refused_in_a_line(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = shutil.copytree(ROOT / "tests/golden/llama", tmp_path / "llama")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
    with pytest.raises(ValueError, match="llama") as caught:
        read_network(folder)
    check_message(str(caught.value))


def test_what_is_mutated_can_be_opened_as_it_is() -> None:
    *_, trace = infill(InfillRequest(text="the [[3]] saw", steps=3), models.load("toy"))
    for content in (_TRACE, _CHOSEN, recording.dump(trace)):
        assert recording.load(content)
