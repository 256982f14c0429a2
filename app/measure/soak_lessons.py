"""`python -m app soak --class N`: what a class waits for, each student in a lesson of the same page."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.measure.soak_page import component
from app.measure.soak_visitors import REQUESTS, RefusedError, Visitor, middle, nearly_all
from models.terminal import as_text, table

THINK = (5.0, 15.0)
"""Seconds between two things that a student does, from one to the other, evenly drawn."""
DOES = {"lesson": 50, "own sentence": 40, "figure": 10}
"""What students do, in percent: open a lesson; fill a sentence of their own; have a text cut into tokens."""
_NAMES = {
    "page": "the page",
    "lesson": "a lesson with its recorded runs",
    "first": "own sentence, first step",
    "end": "own sentence, end",
    "figure": "tokens of an own text",
}


@dataclass
class Waits:
    """Seconds that students waited, by what for; refusals, and errors in words."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _NAMES})
    refused: int = 0
    errors: list[str] = field(default_factory=list)


def teach(address: str, students: int, seconds: float, *, think: tuple[float, float] = THINK, seed: int = 0) -> Waits:
    """Let a class arrive within the first tenth of the time and work through lessons. Return what it waited for."""
    waits, page = Waits(), component(address)

    async def everybody() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(students):
                rng = random.Random(f"{seed}/{number}")
                group.create_task(_student(address, page, number, seconds, think, rng, waits))

    asyncio.run(everybody())
    return waits


async def _student(
    address: str, page: int, number: int, seconds: float, think: tuple[float, float], rng: random.Random, waits: Waits
) -> None:
    await asyncio.sleep(rng.uniform(0, seconds / 10))
    visitor, until = Visitor(address, number + 1), time.monotonic() + 0.9 * seconds
    try:
        await _timed(waits, "page", visitor.open_page())
        while time.monotonic() < until:
            await _do(rng.choices(list(DOES), list(DOES.values()))[0], visitor, page, rng, waits)
            await asyncio.sleep(rng.uniform(*think))
    except (httpx.HTTPError, RuntimeError) as error:
        waits.errors.append(f"{type(error).__name__} {error}"[:200])
    finally:
        await visitor.close()


async def _do(what: str, visitor: Visitor, page: int, rng: random.Random, waits: Waits) -> None:
    if what == "lesson":
        await _timed(waits, "lesson", visitor.ask(page, "lesson", {"number": rng.randint(1, 11)}))
    elif what == "figure":
        asked = {"make": "pieces", "text": "My own text, cut into tokens."}
        await _timed(waits, "figure", visitor.ask(page, "table", asked))
    else:
        began, request = time.monotonic(), rng.choice(REQUESTS)
        while True:
            try:
                event = await visitor.post(request)
                break
            except RefusedError as refusal:
                waits.refused += 1
                await asyncio.sleep(refusal.after)
        first = True
        async with visitor.states(event) as states:
            async for state in states:
                if first and state["step"] > 0:
                    waits.seconds["first"].append(time.monotonic() - began)
                    first = False
        waits.seconds["end"].append(time.monotonic() - began)


async def _timed(waits: Waits, what: str, doing: Any) -> None:
    began = time.monotonic()
    answer = await doing
    if isinstance(answer, dict) and answer.get("error"):
        raise RuntimeError(answer["error"])
    waits.seconds[what].append(time.monotonic() - began)


def report(waits: Waits) -> str:
    """Return the seconds waited as a table: how often, median, 95 % and most."""

    def row(name: str, seconds: Sequence[float]) -> list[str]:
        at = (middle(seconds), nearly_all(seconds), max(seconds, default=float("nan")))
        return [name, str(len(seconds)), *(as_text(each, ".2f") for each in at)]

    rows = [row(name, waits.seconds[key]) for key, name in _NAMES.items()]
    lines = table(rows, header=["waited for", "times", "p50 s", "p95 s", "most"])
    return f"{lines}\n{waits.refused} refused once or more, {len(waits.errors)} errors"
