"""One HTML file that replays a run without a server, without a model and without a single request."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from app.export.script import script, style

_TITLE = "<title>Infilling replay</title>"
_LONGEST_TITLE = 60  # characters
_DATA = '<script type="application/json" id="replay-data">'


def shell() -> tuple[str, str]:
    """Return the file's text before and after the replay's JSON; `webPageOf` in page_file.js puts them together, too.

    The policy allows this script and this style alone, by their hashes, and pictures that the script makes itself.
    """
    code = f"{script('replay.js')}\nreplayFromPage();\n"
    looks = style()
    assert "</script" not in code.lower(), "the script would end early"
    assert "<!--" not in code, "the script would begin a comment"
    assert "</style" not in looks.lower(), "the style would end early"
    policy = (
        f"default-src 'none'; script-src '{_hash(code)}'; style-src '{_hash(looks)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    before = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{_TITLE}\n<style>{looks}</style>\n</head>\n"
        '<body>\n<main id="replay"><noscript>This file replays a run with JavaScript, which is switched off.'
        f"</noscript></main>\n{_DATA}"
    )
    return before, f"</script>\n<script>{code}</script>\n</body>\n</html>\n"


def _hash(text: str) -> str:
    """Return the hash of an inline script or style as a Content-Security-Policy writes it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def web_page(replay: Mapping[str, Any]) -> str:
    """Return the HTML file of a replay, as `app.trace.messages.build_replay` builds it."""
    before, after = shell()
    return before.replace(_TITLE, f"<title>{title_of(replay)}</title>", 1) + escape_json(replay) + after


def title_of(replay: Mapping[str, Any]) -> str:
    """Return the beginning of the run's text, escaped for HTML."""
    characters = re.sub(r"[ \t\r\n]+", " ", str(replay.get("text", ""))).strip(" ")
    short = characters[:_LONGEST_TITLE] + "…" if len(characters) > _LONGEST_TITLE else characters
    short = re.sub("[\ud800-\udfff]", "\ufffd", short)
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        short = short.replace(character, name)
    return short or "Infilling replay"


def escape_json(value: Any) -> str:
    """Return JSON that no text in it can break out of: < and the line separators of JavaScript are escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)
