"""Every sentence that the page can show, in English, from where it stands in the code.

`python -m tests.languages zh` prints those that a table of assets/languages lacks, as JSON to be filled in.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import models
from app.export.script import ASSETS
from app.infill import infill
from app.lessons import handout, reading
from app.lessons.lesson import read_lessons, read_table
from app.sampling.request import InfillRequest
from app.trace.examples import read_recorded
from app.ui import language
from app.ui.setup import PAPER, build_setup
from app.views.palette import LIGHT
from app.views.registry import views
from models.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
SPOKEN = [
    *(f"app/length/{name}.py" for name in ("choose", "prior", "probe")),
    "app/sampler.py",
    *(
        f"app/sampling/{name}.py"
        for name in ("constraints", "forwards", "layout", "request", "start", "template", "unfamiliar")
    ),
    *(f"app/trace/{name}.py" for name in ("bounds", "branch", "length_choice", "recording", "verdict")),
    *(f"app/ui/{name}.py" for name in ("asked", "component", "gate", "mistakes", "parent", "pool")),
    *(f"app/ui/{name}.py" for name in ("runner", "runs", "shutdown", "store")),
]
"""Modules all of whose sentences can reach a visitor."""
RAISING = ["app/errors.py", "app/sampling/fields.py", "app/strategies/registry.py"]
"""Modules whose sentences reach a visitor in the functions that check something, and in properties that name it."""
_CHECKS = ("check", "unknown", "range", "__post_init__", "bind")
HIDDEN = re.compile(
    r"begin\(\{|^\||%[sd]|VARIATION|log p|best so far|kept out|python -m|GB$|shutting down$|crashed$|^cannot write"
    r"|JSON, or|^a name$|pass\{value\}"
)
"""Texts of those modules that no visitor sees: the log's, a script, names of notes and of the command line."""
ENDINGS = ("complete", "stopped", "time limit", "failed", "running", "parent", "best of 16")
"""Words of a message that the page shows as they are."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
KINDS = ("digits", "emoji", "capitals", "code", "Han", "Hiragana", "Katakana", "Hangul", "Cyrillic", "Greek", "Arabic")
KINDS += ("Hebrew", "Devanagari", "Thai")
PIECES = {
    *("{count} token was", "{count} tokens were", "safe", "balanced", "fast", "strategy", "language"),
    *("done", "stopped", "out of time", "running", "Done", "Stopped", "Running", "last", "first", *NUMBERS, *KINDS),
    *(source.about for source in CATALOGUE.values()),
}
"""Parts that the code puts into sentences, and short words beside them."""


def of_script(text: str) -> set[str]:
    """Return the literals that a module of the page passes to `t`, `phrase` and `counted`."""
    found: set[str] = set()
    for call in re.finditer(r"(?<![\w.])(?:t|phrase)\(", text):
        found |= set(_first_argument(text, call.end()))
    for one, many in re.findall(r'(?<!const )\bcounted\([^"()]*(?:\([^"()]*\))?[^"()]*"(\w+)"(?:, "(\w+)")?\)', text):
        found |= {f"{{count}} {one}", f"{{count}} {many or one + 's'}"}
    return found


def _first_argument(text: str, at: int) -> Iterator[str]:
    """Yield the string literals of the argument that begins at a place: one, or those that a condition chooses from."""
    depth, before = 0, "("
    while depth or text[at] not in ",)":
        literal = re.compile(r'"(?:[^"\\]|\\.)*"').match(text, at)
        if literal:
            if before in "(?:" and literal[0] != '""':
                yield json.loads(literal[0])
            before, at = '"', literal.end()
            continue
        depth += (text[at] in "([{") - (text[at] in ")]}")
        before = text[at] if not text[at].isspace() else before
        at += 1


def of_page() -> set[str]:
    """Return the sentences of the page's script and of page.html."""
    html = (ASSETS / "page.html").read_text(encoding="utf-8")
    found = set(re.findall(r"data-sentence>([^<]+)<", html)) | set(re.findall(r'aria-label="([^"]+)"', html))
    return found.union(*(of_script(module.read_text(encoding="utf-8")) for module in ASSETS.glob("*.js")))


def of_setup() -> tuple[set[str], set[str]]:
    """Return the sentences of the setup, and the words of choices, which may stay as they are."""
    setup = build_setup(examples=[example for example, _ in read_recorded()])
    fields = [*setup["fields"], *(knob for strategy in setup["strategies"] for knob in strategy["knobs"])]
    shown = {*setup["groups"], PAPER, "Settings", "Figures"}
    for each in fields:
        shown |= {each["label"], each["help"], each.get("placeholder", "")}
    for strategy in setup["strategies"]:
        shown |= {strategy["title"], strategy["summary"], strategy["budget"]}
    for example in setup["examples"]:
        shown |= {example["title"], example["note"]}
    return shown - {""}, {option for each in fields for option in each.get("options", ())}


def of_figures() -> set[str]:
    """Return the sentences of the figures, drawn of the recorded runs and of a large one."""
    found = {text for view in views().values() for text in (view.title, view.summary)}

    class Seen(dict[str, str]):
        def __bool__(self) -> bool:
            return True

        def get(self, text: str, other: str | None = None) -> str | None:  # type: ignore[override]
            if re.search(r"[a-z]{3}", re.sub(r"%?\{[^}]*\}", "", text)):
                found.add(text)
            return other

    original: Callable[[], object] = language.tables
    language.tables = lambda: {"xx": {"messages": Seen()}}  # type: ignore[assignment]
    try:
        large = infill(InfillRequest(prefix="the ", length=32, steps=32), models.load("toy"))
        for trace in (*(trace for _, trace in read_recorded()), *deque(large, maxlen=1)):
            for view in views().values():
                language.translate(view.draw(trace, LIGHT), "xx")
    finally:
        language.tables = original  # type: ignore[assignment]
    return found


def of_python() -> set[str]:
    """Return the sentences of errors, notices, verdicts and warnings: string literals and f-strings with places."""
    found: set[str] = set()
    for name in SPOKEN:
        found |= set(_sentences(ast.parse((ROOT / name).read_text(encoding="utf-8"))))
    for name in RAISING:
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (
                node.name in _CHECKS or node.name.startswith(("_check", "check"))
            ):
                found |= set(_sentences(node))
    return found


def _sentences(tree: ast.AST) -> Iterator[str]:
    """Yield the texts with a word in them, without docstrings, assertions and annotations."""
    if isinstance(tree, ast.Assert | ast.arguments | ast.AnnAssign):
        return
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return
    if isinstance(tree, ast.JoinedStr):
        yield from filter(_is_sentence, [template(tree)])
        for part in tree.values:
            if isinstance(part, ast.FormattedValue):
                yield from _sentences(part.value)
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield from filter(_is_sentence, [tree.value])
    for child in ast.iter_child_nodes(tree):
        yield from _sentences(child)


def _is_sentence(text: str) -> bool:
    return (
        " " in text.strip()
        and not HIDDEN.search(text)
        and bool(re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", text)))
    )


def template(text: ast.JoinedStr) -> str:
    """Return an f-string with places that are named after what stands there; of the same name, the second gets a 2."""
    names: list[str] = []
    parts: list[str] = []
    for part in text.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        name = _name(part.value)
        names.append(name)
        parts.append(f"{{{name}{names.count(name) if names.count(name) > 1 else ''}}}")
    return "".join(parts)


def _name(value: ast.AST) -> str:
    """Return a name for a value: the variable, attribute or first argument in it."""
    match value:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name.lstrip("_").lower()
        case ast.Call(func=ast.Attribute(value=ast.Constant()) | ast.Name(), args=[first, *_]):
            return _name(first)
        case ast.Call(func=inner):
            return _name(inner)
        case ast.BinOp(left=left):
            return _name(left)
        case ast.BoolOp(values=[first, *_]):
            return _name(first)
        case ast.Subscript(value=inner) | ast.Starred(value=inner):
            return _name(inner)
        case ast.GeneratorExp(elt=elt):
            return _name(elt)
        case ast.List(elts=[first, *_]):
            return _name(first)
        case _:
            return "value"


def of_lessons() -> set[str]:
    """Return the texts of the lessons, of their figures' rows, of the reading list and of the handout."""
    lessons = {text for lesson in read_lessons() for text in lesson.sentences()}
    rows = {row["title"] for row in read_table(ASSETS.parent / "differences" / "differences.json")["rows"]}
    printed = {
        str(node.args[0].value)
        for node in ast.walk(ast.parse(Path(handout.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "translate"
        if isinstance(node.args[0], ast.Constant)
    }
    return lessons | rows | printed | {*reading.sentences()}


def sentences() -> set[str]:
    """Return everything that a language needs."""
    return of_page() | of_setup()[0] | of_figures() | of_python() | of_lessons() | {*ENDINGS, *PIECES}


def lacking(code: str, wanted: set[str]) -> list[str]:
    """Return what the table of a language lacks, in the order of the alphabet."""
    known = language.tables().get(code, {"messages": {}})["messages"]
    return sorted(wanted - known.keys())


if __name__ == "__main__":
    print(json.dumps(dict.fromkeys(lacking(sys.argv[1], sentences()), ""), ensure_ascii=False, indent=2))
