"""Problems with known answers: passages whose middle a model must find."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from app.measure.likelihood import AFTER
from app.sampling.request import InfillRequest
from app.trace.metrics import has_rouge
from models.denoiser import Reader


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A passage whose middle is to be filled in; single spaces join the parts."""

    prefix: str
    middle: str
    suffix: str


def read_problems(path: Path) -> list[Problem]:
    """Read the problems of a JSONL file. Raises InfillError, naming the line, if one is broken."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # JSON may contain other line breaks, such as U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise InfillError(f"cannot read the problems in '{path}': {error}") from None
    names = [field.name for field in fields(Problem)]
    problems = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InfillError(f"line {number} of '{path}' is not JSON: {error}") from None
        if not isinstance(data, dict) or not all(isinstance(data.get(name), str) for name in names):
            raise InfillError(f"line {number} of '{path}' must be an object with the texts {', '.join(names)}")
        if not data["middle"].strip():
            raise InfillError(f"line {number} of '{path}' has an empty middle; write the text to be found")
        problems.append(Problem(**{name: data[name] for name in names}))
    if not problems:
        raise InfillError(f"there are no problems in '{path}'; write JSON lines with {', '.join(names)}")
    return problems


def without_rouge(problems: Sequence[Problem]) -> str:
    """Return a notice for problems whose middles ROUGE cannot see; empty if there are none."""
    blind = sum(not has_rouge(problem.middle) for problem in problems)
    if not blind:
        return ""
    return (
        f"ROUGE sees only the letters a to z and digits: it is not measurable for {blind} of {len(problems)} problems, "
        "whose middles have none, and its means leave them out"
    )


def gold(problem: Problem, reader: Reader) -> list[int]:
    """Return the token ids of the middle, with the space before it."""
    return reader.tokenizer.encode(" " * bool(problem.prefix) + problem.middle.strip(" "))


def oracle_length(problem: Problem, reader: Reader) -> int:
    """Return the number of tokens of the middle; every strategy is given it."""
    return len(gold(problem, reader))


def as_request(problem: Problem, reader: Reader, *, steps: int | None = None, **settings: Any) -> InfillRequest:
    """Return the request for a problem, with its oracle length; `steps` None is one step per mask.

    Raises InfillError, quoting the problem, if it is longer than a request may be or a setting is wrong.
    """
    length = oracle_length(problem, reader)
    try:
        return InfillRequest(
            prefix=problem.prefix,
            suffix=problem.suffix,
            length=length,
            steps=length if steps is None else steps,
            **settings,
        )
    except InfillError as error:
        raise InfillError(f"the problem with the middle {quoted(problem.middle)} cannot be run: {error}") from None


BEFORE, BEHIND = 96, 64
"""The most tokens that `cut_gaps` leaves before and after a gap."""


def cut_gaps(records: Sequence[str], reader: Reader, *, length: int, seed: int = 0) -> list[Problem]:
    """Take a stretch of exactly `length` tokens out of each record that is long enough, one problem a record.

    White space is one space each. The stretch begins and ends between words, has at least a quarter of its length
    before it, and text after it. Seed and record number choose it.
    Raises InfillError if no record is long enough.
    """
    tokenizer = reader.tokenizer
    room = reader.context - length
    before, behind = min(BEFORE, room * 3 // 5), min(BEHIND, room * 2 // 5)
    problems = []
    for number, record in enumerate(records):
        ids = tokenizer.encode(" ".join(record.split()), opening=True)
        pieces = [tokenizer.token_bytes(token) for token in ids]
        opens = [piece.startswith(b" ") for piece in pieces]
        fit_in = [
            start
            for start in range(max(1, length // 4), len(ids) - length - AFTER)
            if opens[start] and opens[start + length]
        ]
        for start in np.random.default_rng([seed, number, length]).permutation(fit_in)[:4].tolist():
            stop = start + length
            edges = (max(0, start - before), start, stop, min(len(ids), stop + behind))
            prefix, middle, suffix = (
                b"".join(pieces[a:b]).decode("utf-8", "ignore").strip(" ") for a, b in itertools.pairwise(edges)
            )
            problem = Problem(prefix=prefix, middle=middle, suffix=suffix)
            if gold(problem, reader) == ids[start:stop]:  # a text is not always split as within its record
                problems.append(problem)
                break
    if not problems:
        raise InfillError(f"no record is long enough for a gap of {length} tokens; use longer texts or a shorter --gap")
    return problems
