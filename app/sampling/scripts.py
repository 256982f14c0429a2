"""Scripts that put no spaces between words: what this changes about spaces and about whole words."""

from __future__ import annotations

import re

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf"  # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    "\u1b00-\u1b7f\ua980-\ua9df"  # Balinese, Javanese
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3035\u3038-\u303c"  # Han: radicals, signs and numerals
    "\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Hiragana, Katakana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\uff10-\uff9f"  # full-width letters and digits, half-width Katakana
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"  # Kana and Han beyond
)
"""What stands between [ and ] in a pattern for a character of these scripts."""
_IS_UNSPACED = re.compile(f"[0-9]*[{_UNSPACED}]")  # digits belong to what follows, as in 3個


def takes_space(text: str) -> bool:
    """Return whether a text begins with a word that is set apart by a space: a letter or digit, but not Chinese."""
    return text[:1].isalnum() and not _IS_UNSPACED.match(text)


def whole_word(word: str) -> str:
    """Return a pattern for a whole word.

    At an end that is a letter of a script without spaces a word may join others. At another end it must not join a
    letter or digit, unless that belongs to such a script.
    """
    joined = rf"[^\W{_UNSPACED}]"
    before = "" if re.match(f"[{_UNSPACED}]", word) else f"(?<!{joined})"
    after = "" if re.search(f"[{_UNSPACED}]$", word) else f"(?!{joined})"
    return before + re.escape(word) + after
