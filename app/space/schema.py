"""What may stand in a Spacefile: every key, and the values that it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, cast

from app.errors import unknown
from app.space.hardware import FLAVOURS

Rule = Callable[[object], str]
"""What a value must be; empty if it is that."""

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() else "a text"


def _version(value: object) -> str:
    fits = isinstance(value, str) and re.fullmatch(r"\d+(\.\d+){1,2}", value)
    return "" if fits else "a version in quotes (3.10 as a number is 3.1)"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _texts(value: object) -> str:
    return "" if isinstance(value, list) and not any(map(_text, value)) else "a list of texts"


def _patterns(value: object) -> str:
    fits = not _texts(value) and all(
        not PurePosixPath(pattern).is_absolute() and ".." not in PurePosixPath(pattern).parts
        for pattern in cast("list[str]", value)
    )
    return "" if fits else "a list of names and patterns inside this folder, such as app/**"


def _one_of(words: Iterable[str]) -> Rule:
    words = list(words)
    return lambda value: "" if value in words else f"one of {', '.join(words)}"


def _whole(low: int, high: int) -> Rule:
    def rule(value: object) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if fits else f"a whole number from {low} to {high}"

    return rule


def _or_null(rule: Rule) -> Rule:
    return lambda value: "" if value is None else (why := rule(value)) and f"{why}, or null"


def _short(limit: int) -> Rule:
    return lambda value: _text(value) or ("" if len(str(value)) <= limit else f"at most {limit} characters")


def _names(value: object) -> str:
    fits = isinstance(value, list) and all(isinstance(name, str) and VARIABLE.fullmatch(name) for name in value)
    return "" if fits else "a list of names like HF_TOKEN, without values: those come from the environment"


def _variables(value: object) -> str:
    fits = isinstance(value, dict) and all(
        isinstance(name, str) and VARIABLE.fullmatch(name) and isinstance(content, str)
        for name, content in value.items()
    )
    return "" if fits else 'names like HF_HOME with texts; numbers and true in quotes: "1"'


def _pins(value: object) -> str:
    fits = isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(pin, str) and re.fullmatch(r"((==|>=|<=|<|>|!=|~=)[\w.]+,?)+", pin)
        for name, pin in value.items()
    )
    return "" if fits else "packages with versions, such as torch: ==2.11.0"


def _headers(value: object) -> str:
    known = {f"cross-origin-{name}-policy" for name in ("embedder", "opener", "resource")}
    return "" if isinstance(value, dict) and set(value) <= known else f"a mapping of {', '.join(sorted(known))}"


_COLOUR = _one_of(("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"))
SPACE: dict[str, Rule] = {  # the keys that Hugging Face reads, in a README's front matter
    **dict.fromkeys(("title", "emoji", "app_file", "license", "thumbnail", "base_path", "app_build_command"), _text),
    **dict.fromkeys(("hf_oauth_authorized_org", "startup_duration_timeout"), _text),
    **dict.fromkeys(("colorFrom", "colorTo"), _COLOUR),
    **dict.fromkeys(("sdk_version", "python_version"), _version),
    **dict.fromkeys(("fullWidth", "pinned", "disable_embedding", "hf_oauth"), _flag),
    **dict.fromkeys(("models", "datasets", "tags", "hf_oauth_scopes", "preload_from_hub"), _texts),
    "sdk": _one_of(["gradio"]),
    "header": _one_of(("mini", "default")),
    "short_description": _short(60),
    "app_port": _whole(1, 65535),
    "hf_oauth_expiration_minutes": _whole(1, 43200),
    "suggested_hardware": _one_of(FLAVOURS),
    "custom_headers": _headers,
}
SPACE_NEEDS = ("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license")

_VISIBILITY = _one_of(("public", "protected", "private"))
DEPLOY: dict[str, Rule] = {
    "repo": _text,
    "profile": _text,
    "visibility": _VISIBILITY,
    "variables": _variables,
    "secrets": _names,
    "include": _patterns,
    "exclude": _patterns,
}
DEPLOY_NEEDS = ("repo", "profile", "visibility", "include")
PROFILE: dict[str, Rule] = {
    "hardware": _one_of(FLAVOURS),
    "sleep_time": _whole(-1, 30 * 24 * 3600),
    "visibility": _VISIBILITY,
    "python_version": _version,
    "requirements": _pins,
    "extra_index_url": _text,
    "variables": _variables,
    "secrets": _names,
}
PRESET: dict[str, Rule] = {
    "repo": _or_null(_text),
    "family": _one_of(("llama", "gpt2")),
    "quant": _one_of(("none", "int8", "nf4")),
    "memory": _whole(0, 80),
}
LIMITS: dict[str, Rule] = dict.fromkeys(
    ("max_length", "max_steps", "max_characters", "time_limit"), _whole(1, 1_000_000)
)
_TOP = ("v", "space", "deploy", "profiles", "presets", "limits")


def mistakes(data: object) -> list[str]:
    """Everything in a parsed Spacefile that is missing, unknown, or of another kind, each with its place."""
    if not isinstance(data, dict):
        return ["Spacefile: must be a mapping with the keys " + ", ".join(_TOP)]
    found = _keys("Spacefile", data, _TOP, _TOP)
    if data.get("v", 1) != 1:
        found.append(f"v must be 1, the only version there is, not {data['v']!r}")
    found += _block("space", data.get("space", {}), SPACE, SPACE_NEEDS)
    found += _block("deploy", data.get("deploy", {}), DEPLOY, DEPLOY_NEEDS)
    found += _blocks("profiles", data.get("profiles", {}), PROFILE, ("hardware",))
    found += _blocks("presets", data.get("presets", {}), PRESET, tuple(PRESET))
    return found + _block("limits", data.get("limits", {}), LIMITS, tuple(LIMITS))


def _blocks(place: str, data: object, rules: Mapping[str, Rule], needed: tuple[str, ...]) -> list[str]:
    if not isinstance(data, dict) or not data or not all(isinstance(name, str) for name in data):
        return [f"{place} must be a mapping of names to mappings"]
    return [text for name, block in data.items() for text in _block(f"{place}.{name}", block, rules, needed)]


def _block(place: str, data: Any, rules: Mapping[str, Rule], needed: tuple[str, ...]) -> list[str]:
    if not isinstance(data, dict):
        return [f"{place} must be a mapping, not {data!r}"]
    wrong = [f"{place}.{key} must be {why}, not {data[key]!r}" for key in data if (why := _fault(rules, key, data))]
    return _keys(place, data, rules, needed) + wrong


def _fault(rules: Mapping[str, Rule], key: Any, data: Mapping[Any, object]) -> str:
    return rules[key](data[key]) if key in rules else ""


def _keys(place: str, data: Mapping[Any, object], known: Iterable[str], needed: Iterable[str]) -> list[str]:
    strange = [f"{place}: {unknown('key', str(key), known)}" for key in data if key not in set(known)]
    return strange + [f"{place}: {key} is missing" for key in needed if key not in data]
