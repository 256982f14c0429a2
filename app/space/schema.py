"""The Spacefile's schema: every key, the values it takes, and the messages about mistakes in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from app.errors import quoted, unknown
from app.space.hardware import FLAVOURS
from models.quoting import shortened


def must_be(words: str, fits: Callable[[Any], object] = lambda value: True) -> WrapValidator:
    """Return a validator that reports a value of the wrong type, or one that does not fit, as "must be `words`"."""

    def validate(value: object, check_type: Callable[[object], Any]) -> Any:
        with suppress(ValidationError):
            value = check_type(value)
            if fits(value):
                return value
        raise PydanticCustomError("must_be", "must be {words}", {"words": words})

    return WrapValidator(validate)


def _all_inside(patterns: list[str]) -> bool:
    paths = map(PurePosixPath, patterns)
    return not any(path.is_absolute() or ".." in path.parts for path in paths)


_VERSION = re.compile(r"\d+(\.\d+){1,2}")
Text = Annotated[str, must_be("a non-empty string", str.strip)]
ShortText = Annotated[Text, must_be("a string of at most 60 characters", lambda text: len(text) <= 60)]
Texts = Annotated[list[Text], must_be("a list of strings")]
Name = Annotated[str, must_be("a name (put a number in quotes)")]
Version = Annotated[str, must_be("a version in quotes (3.10 as a number is 3.1)", _VERSION.fullmatch)]
Paths = Annotated[list[Text], must_be("a list of names and patterns inside this folder, such as app/**", _all_inside)]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
Variables = Annotated[
    dict[Variable, str], must_be('names like HF_HOME with strings (put numbers and true in quotes: "1")')
]
Secrets = Annotated[
    list[Variable], must_be("a list of names like HF_TOKEN, without values (they come from the environment)")
]
Bounds = Annotated[str, Field(pattern=r"^((==|>=|<=|<|>|!=|~=)[\w.]+,?)+$")]
Pins = Annotated[dict[str, Bounds], must_be("packages with versions, such as torch: ==2.11.0")]
Hardware = Annotated[str, must_be(f"one of {', '.join(FLAVOURS)}", FLAVOURS.__contains__)]
Visibility = Literal["public", "protected", "private"]
Colour = Literal["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"]
Policy = Literal["cross-origin-embedder-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"]
Limit = Annotated[int, Field(ge=1, le=1_000_000)]


class Block(BaseModel):
    """A mapping in the Spacefile: no unknown keys, no conversion (of 3.12 to "3.12"), no null for a missing value."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_null(cls, value: object, info: Any) -> object:
        if value is None and not cls.model_fields[info.field_name].is_required():
            raise PydanticCustomError("null", "null")
        return value


class Space(Block):
    """The README's front matter: the keys that Hugging Face reads, under Hugging Face's names."""

    title: Text
    emoji: Text
    colorFrom: Colour  # noqa: N815
    colorTo: Colour  # noqa: N815
    sdk: Literal["gradio"]
    sdk_version: Version
    python_version: Version
    app_file: Text
    short_description: ShortText | None = None
    license: Text
    header: Literal["mini", "default"] | None = None
    fullWidth: bool | None = None  # noqa: N815
    pinned: bool | None = None
    startup_duration_timeout: Text | None = None
    tags: Texts | None = None
    models: Texts | None = None
    datasets: Texts | None = None
    thumbnail: Text | None = None
    base_path: Text | None = None
    app_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    app_build_command: Text | None = None
    disable_embedding: bool | None = None
    hf_oauth: bool | None = None
    hf_oauth_authorized_org: Text | None = None
    hf_oauth_scopes: Texts | None = None
    hf_oauth_expiration_minutes: Annotated[int, Field(ge=1, le=43200)] | None = None
    preload_from_hub: Texts | None = None
    suggested_hardware: Hardware | None = None
    custom_headers: dict[Policy, Any] | None = None


class Deploy(Block):
    """The settings that all profiles share."""

    repo: Text
    profile: Text
    visibility: Visibility
    variables: Variables = {}
    secrets: Secrets = []
    offer: Texts = ["here"]  # models that visitors may choose, besides the one that the page starts with
    include: Paths
    exclude: Paths = []


class Profile(Block):
    """The settings for one kind of hardware."""

    hardware: Hardware
    sleep_time: Annotated[int, Field(ge=-1, le=30 * 24 * 3600)] | None = None  # seconds; -1: never
    visibility: Visibility | None = None
    python_version: Version | None = None
    requirements: Pins = {}
    extra_index_url: Text | None = None
    variables: Variables = {}
    secrets: Secrets = []


class Candidate(Block):
    """A model that the page may start with."""

    repo: Text | None
    family: Literal["llama", "gpt2"]
    quant: Literal["none", "int8", "nf4"]
    memory: Annotated[int, Field(ge=0, le=80)]  # GB that the GPU needs; 0: runs on a CPU


class Limits(Block):
    """The limits of a request, which must equal those in `app.sampling`."""

    max_length: Limit
    max_steps: Limit
    max_characters: Limit
    time_limit: Limit


class Content(Block):
    """A whole Spacefile."""

    v: Literal[1]
    space: Space
    deploy: Deploy
    profiles: Annotated[dict[Name, Profile], Field(min_length=1)]
    models: Annotated[dict[Name, Candidate], Field(min_length=1)]
    limits: Limits


_BLOCKS = {"space": Space, "deploy": Deploy, "profiles": Profile, "models": Candidate, "limits": Limits}
_WORDS = {  # pydantic's error type -> what the value must be
    "must_be": "{words}",
    "null": "left out or have a value",
    "bool_type": "true or false",
    "string_unicode": "text without halves of characters (surrogates)",
    "int_type": "a whole number",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "too_short": "a mapping with at least one entry",
}


def explain(mistake: ErrorDetails) -> str:
    """Describe one of pydantic's errors in a line: its place, what the value must be, and what it is."""
    kind, place = mistake["type"], [shortened(str(part)) for part in mistake["loc"] if part != "[key]"]
    if kind in ("missing", "extra_forbidden", "invalid_key"):
        *block, key = place
        known = (_BLOCKS[block[0]] if block else Content).model_fields
        problem = f"{key} is missing" if kind == "missing" else unknown("key", key, known)
        return f"{'.'.join(block) or 'Spacefile'}: {problem}"
    context = {name: str(value).replace("'", "") for name, value in mistake.get("ctx", {}).items()}
    return f"{'.'.join(place) or 'Spacefile'} must be {_WORDS[kind].format(**context)}, not {quoted(mistake['input'])}"
