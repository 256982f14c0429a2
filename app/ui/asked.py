"""What the browser asks for, checked: the runs of one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from app.errors import InfillError, quoted
from app.sampling.request import InfillRequest, fields_of, from_fields
from app.ui.parent import By

MOST = 4
"""Most runs in one comparison."""
_LONGEST_KEY = 100  # characters
_TEXT = next(field for field in fields_of() if field.name == "text")


@dataclass(frozen=True)
class Branch:
    """Where a run goes on from: a step of a stored run, with changes."""

    run: str
    step: int
    edits: list[Any]


@dataclass(frozen=True)
class Asked:
    """One run that was asked for."""

    request: InfillRequest
    model: str
    by: By
    branch: Branch | None


def list_runs(data: Any) -> list[Any]:
    """Return what was asked for each run. Raises InfillError if it is not one to MOST runs with keys of their own."""
    runs = data.get("runs") if isinstance(data, Mapping) else None
    if not isinstance(runs, list) or not 1 <= len(runs) <= MOST:
        raise InfillError(f"ask for 1 to {MOST} runs at once")
    keys = [read_key(run) for run in runs]
    if not all(keys) or len(set(keys)) < len(keys):
        raise InfillError(f"every run needs a key of its own, of at most {_LONGEST_KEY} characters")
    return runs


def read_key(asked: Any) -> str:
    """Return the browser's name for a run; empty if there is none."""
    key = asked.get("key") if isinstance(asked, Mapping) else None
    return key if isinstance(key, str) and len(key) <= _LONGEST_KEY else ""


def read(asked: Mapping[str, Any], request: type[InfillRequest]) -> Asked:
    """Return what was asked for. Raises InfillError, naming what is wrong with it."""
    by = asked.get("by", "diffusion")
    if by not in get_args(By):
        raise InfillError(f"a run is written by one of {', '.join(get_args(By))}, not {quoted(by)}")
    wanted = read_request(asked.get("request"), request)
    return Asked(wanted, read_model(asked.get("model", "")), by, _read_branch(asked.get("branch")))


def read_text(text: Any) -> str:
    """Return a text, checked as that of a request is. Raises InfillError."""
    return _TEXT.check(text)


def read_model(name: Any) -> str:
    """Return the name of a model. Raises InfillError if it is not a text; the pool knows which names there are."""
    if not isinstance(name, str):
        raise InfillError(f"the model must be a name, not {quoted(name)}")
    return name


def read_request(fields: Any, request: type[InfillRequest]) -> InfillRequest:
    """Return the request with these fields. Raises InfillError for a mistake in one and for a field that is unknown."""
    if isinstance(fields, Mapping) and fields.get("text"):
        # The page's one way in; the command line has these as well.
        fields = {name: value for name, value in fields.items() if name not in ("prefix", "suffix", "length")}
    return from_fields(fields, request)


def _read_branch(branch: Any) -> Branch | None:
    if branch is None:
        return None
    parts = [branch.get(name) if isinstance(branch, Mapping) else None for name in ("run", "step", "edits")]
    run, step, edits = parts
    if not isinstance(run, str) or type(step) is not int or not isinstance(edits, list):
        raise InfillError("a branch needs the name of a run, the number of a step, and a list of edits")
    return Branch(run, step, edits)
