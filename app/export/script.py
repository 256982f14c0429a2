"""The page's script and style: the modules of assets/page, joined into one text each."""

from __future__ import annotations

import re
from pathlib import Path

ASSETS = Path(__file__).parents[2] / "assets" / "page"

_IMPORT = re.compile(r'^import (?:\{[^}]*\}|\w+) from "\./([\w/.]+)";\n', re.MULTILINE)
_COMMENT = re.compile(r"^ *(?://.*|/\*\*(?:(?!\*/)[\s\S])*\*/)\n", re.MULTILINE)  # one that has its lines to itself
_EXPORT = re.compile(r"^export (?=(?:async )?function|class|const|let)", re.MULTILINE)


def script(entry: str) -> str:
    """Return the module `entry` and all that it imports as one script without imports, exports and most comments.

    So the modules need no server that can find them, and a page on the disk can hold them. They share one scope: no two
    may declare the same name at the top, which a test checks. A CommonJS library in `vendor` becomes a constant that is
    named as its file; its licence stays with it, and the address of its source map is left out.
    """
    joined: dict[str, str] = {}

    def add(name: str) -> None:
        if name in joined:
            return
        text = (ASSETS / name).read_text(encoding="utf-8")
        joined[name] = ""  # holds its place against cycles
        if name.startswith("vendor/"):
            constant = Path(name).stem
            licence = (ASSETS / name).with_suffix(".LICENSE.txt").read_text(encoding="utf-8")
            text = re.sub(r"^//# sourceMappingURL=.*\n?", "", text, flags=re.MULTILINE)
            joined[name] = (
                f"/* {name}\n{licence}*/\nconst {constant} = (() => {{ const module = {{ exports: {{}} }}, "
                f"exports = module.exports;\n"
                f"{text}\nreturn module.exports; }})();\n"
            )
            return
        for imported in _IMPORT.findall(text):
            add(imported)
        del joined[name]  # after what it imports
        joined[name] = f"// ---- {name}\n" + _COMMENT.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))

    add(entry)
    return "\n".join(joined.values())


def style() -> str:
    """Return all style sheets: `base.css` first, the others by name."""
    files = sorted(ASSETS.glob("*.css"), key=lambda file: (file.name != "base.css", file.name))
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
