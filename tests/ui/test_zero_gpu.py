"""ZeroGPU, as far as it can be had without one: in the emulation that the `spaces` package brings along."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

import models
from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace.trace import Trace
from app.ui.runner import PASS, START, runs_at_once, seconds_asked_for
from tests.ui.test_start import PATIENCE, first_answer, free_port

pytest.importorskip("spaces", reason="spaces is a development requirement")

ROOT = Path(__file__).parents[2]
BEGIN = "from tests.ui import emulator\nemulator.start()\n"
REQUEST = InfillRequest(
    prefix="the cat",
    suffix="sat",
    length=12,
    steps=6,
    strategy="entropy_bound",
    knobs={"bound": 0.2},
    temperature=0.9,
    seed=3,
)


def told(trace: Trace) -> list[Any]:
    """All of a trace but its times, as JSON gives it back."""
    steps = [
        [step.nfe, step.selection.commit.tolist(), step.canvas.ids.tolist(), step.prediction.confidence.tolist()]
        for step in trace.steps
    ]
    return [trace.text, trace.ended, trace.masks_left, steps, dict(trace.request.knobs), list(trace.notices)]


def outcome(program: str, *arguments: str) -> Any:
    """What a program of its own prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


WORKER = """
import json, os, sys
from pathlib import Path
import models
from app.sampling.request import InfillRequest
from app.ui.runner import runner
from app.ui.pool import FIRST, ModelPool
from models.serve.lazy import LazyDenoiser
from tests.ui.test_zero_gpu import REQUEST, told

class Watched:
    "The toy, which notes in a file which process each of its forward passes runs in."
    def __init__(self):
        toy = models.load("toy")
        self.name, self.tokenizer, self.context, self.toy = toy.name, toy.tokenizer, toy.context, toy
        self.notices, self.forwards, self.passes = (), 0, Path(sys.argv[1])
    def predict(self, queries):
        self.forwards += 1
        with self.passes.open("a") as file:
            print(os.getpid(), file=file)
        return self.toy.predict(queries)
    def pids(self):
        return self.passes.read_text().split()

watched = Watched()
denoiser = LazyDenoiser(lambda: watched)
denoiser.get()
made = runner(ModelPool(denoiser, merge=False), 90.0, zero_gpu=True)
run = lambda request: made(request, FIRST)
found = {"traces": [told(trace) for trace in run(REQUEST)]}
found["pids"], found["forwards_here"] = watched.pids(), watched.forwards

watched.passes.write_text("")
running = run(InfillRequest(prefix="the cat", length=100, steps=100))
for _ in range(3):
    next(running)
running.close()
found["passes_after_stop"] = len(watched.pids())

watched.context = 4
for wrong in ({"length": 50}, {"strategy": "entrpy"}, {"knobs": {"bloks": 1}}):
    try:
        list(run(InfillRequest(**wrong)))
    except ValueError as error:
        found.setdefault("mistakes", []).append(f"{type(error).__name__}: {error}")
found["asked"], found["pid"] = emulator.asked, os.getpid()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Any]:
    return outcome(BEGIN + WORKER, str(tmp_path_factory.mktemp("worker") / "passes"))


def test_traces_from_a_forked_worker_are_those_of_this_process(found):
    assert found["traces"] == [told(trace) for trace in infill(REQUEST, models.load("toy"))]
    assert len(found["traces"]) > 3
    assert set(found["pids"]) - {str(found["pid"])} == set(found["pids"]), "the model ran in the page's own process"
    assert found["forwards_here"] == 0


def test_a_gpu_is_asked_for_and_given_back_once_a_run(found):
    paths = [each["for"] for each in found["asked"]]
    assert paths[:3] == ["/schedule", "/allow", "/release"]
    assert paths.count("/schedule") == paths.count("/release") == 3, "a mistake in the request asked for a GPU"


def test_the_duration_that_is_asked_for_depends_on_the_request(found):
    durations = [int(each["durationSeconds"]) for each in found["asked"] if each["for"] == "/schedule"]
    requests = [REQUEST, InfillRequest(length=100, steps=100), InfillRequest(length=50)]
    assert durations == [seconds_asked_for(request, 90.0) for request in requests]


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        ({"length": 10, "steps": 4}, 4),
        ({"length": 10, "steps": 40}, 10),
        ({"length": 10, "steps": 40, "strategy": "reference"}, 40),
        ({"length": 128, "steps": 256, "strategy": "left_to_right"}, 128),
        ({"text": "a [[auto]] b [[auto]]", "steps": 4}, 4 * (1 + 2 * 4) + 2 * 64),
    ],
)
def test_seconds_count_the_forward_passes_that_a_run_can_need(asked, passes):
    request = InfillRequest(**asked)
    assert 0 <= seconds_asked_for(request, 90.0) - (START + passes * PASS) < 1
    assert 0 <= seconds_asked_for(request, 0.5) - (START + min(0.5, passes * PASS)) < 1


def test_gpus_are_asked_for_one_run_at_a_time():
    assert runs_at_once(False) is None
    assert runs_at_once(True) == 1


def test_closing_the_iterator_stops_the_worker_after_the_step_in_flight(found):
    assert found["passes_after_stop"] < 100


def test_a_mistake_that_the_worker_finds_arrives_with_its_words(found):
    context, strategy, knob = found["mistakes"]
    assert context.startswith("InfillError: ")
    assert "4" in context
    assert "did you mean 'entropy'" in strategy
    assert "did you mean 'blocks'" in knob


def test_app_py_loads_before_the_launch_and_serves_from_workers():
    port = free_port()
    program = f"""{BEGIN}
import runpy, sys
sys.argv = ["app.py", "--model", "toy", "--port", "{port}"]
runpy.run_path("app.py", run_name="__main__")
"""
    command = [sys.executable, "-c", program]
    server = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        assert "Infilling playground" in first_answer(f"http://127.0.0.1:{port}/", server)
        client = Client(f"http://127.0.0.1:{port}/", verbose=False)
        job = client.submit(prefix="the", length=3, steps=3, api_name="/infill")
        states: list[Any] = list(job)
        assert [state["step"] for state in states] == [0, 1, 2, 3]
        assert states[-1]["ended"] == "complete"
        client.close()
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the worker, which holds the output open, too
        output, _ = server.communicate(timeout=PATIENCE)
    assert "Traceback" not in output


def test_on_zero_gpu_the_bundled_model_replaces_one_that_cannot_be_loaded(tmp_path):
    program = f"""{BEGIN}
import os, runpy, sys
from app.ui import page
os.environ |= {{"HF_HOME": sys.argv[1], "HF_HUB_OFFLINE": "1"}}
build = page.build
def built(pool, **settings):
    made = build(pool, **settings)
    made.launch = lambda **_: print(f'"{{pool.first().name}}"')
    return made
page.build = built
sys.argv = ["app.py", "--model", "somebody/nothing"]
runpy.run_path("app.py", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == "bundled"
    (told,) = [line for line in done.stderr.splitlines() if "somebody/nothing" in line]
    assert told.startswith(
        "'somebody/nothing' cannot be loaded, so 'bundled' is: somebody/nothing cannot be downloaded ("
    )


LOADING = """
import json, os, sys
from pathlib import Path
from transformers.utils import logging
import models
from models.checkpoints.convert import quantize
from tests.models.checkpoints.test_formats import write

logging.set_verbosity_error()
plain, nf4 = str(write(Path(sys.argv[1]) / "plain", is_causal=False)), sys.argv[1] + "/nf4"
quantize(plain, Path(nf4), "nf4")

from tests.ui import emulator
emulator.start()
from spaces.zero import torch as worker

def loaded(folder, **settings):
    try:
        body = models.load(folder, **settings).body
    except ValueError as error:
        return str(error)
    return sorted({str(p.device) for p in body.parameters()} | {type(m).__name__ for m in body.modules()})

found = {
    "stored as NF4": loaded(nf4),
    "made NF4": loaded(plain, quantize="nf4"),
    "variable": os.environ.pop("HF_DEACTIVATE_ASYNC_LOAD"),
}
found["without the variable"] = loaded(nf4)
bundled = models.load("bundled")
found["bundled"], found["numbers"] = str(bundled.device), str(bundled.head.weight.dtype)
found["packed"] = worker.pack()
print(json.dumps(found))
"""


def test_an_nf4_checkpoint_loads_on_zero_gpu_only_with_the_spacefiles_variables(tmp_path):
    found = outcome(LOADING, str(tmp_path))
    assert found["variable"] == "1"
    for way in ("stored as NF4", "made NF4"):
        assert {"cuda:0", "Linear4bit"} <= set(found[way]), found[way]
        assert "cpu" not in found[way]
    assert "CUDA" in found["without the variable"], "HF_DEACTIVATE_ASYNC_LOAD is not needed any more"
    assert (found["bundled"], found["numbers"]) == ("cuda:0", "torch.bfloat16")
    assert found["packed"] > 1_000_000, "the bundled model's weights were not packed for the workers"


def test_nothing_of_zero_gpu_is_imported_elsewhere():
    program = """
import json, sys
from app.ui.page import build
from app.ui.pool import FIRST, ModelPool
from models.serve.lazy import LazyDenoiser
build(ModelPool(LazyDenoiser(lambda: None)))
print(json.dumps("spaces.zero.wrappers" in sys.modules))
"""
    assert "SPACES_ZERO_GPU" not in os.environ
    assert outcome(program) is False
