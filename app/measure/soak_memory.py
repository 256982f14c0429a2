"""`python -m app soak --memory`: whether a server's memory stays flat over many runs, uploads and refused bodies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

import httpx
import psutil

from app.errors import InfillError
from app.measure.soak_page import component, rest
from app.measure.soak_visitors import REQUESTS, RefusedError, Visitor
from app.trace.examples import ASSETS, read_examples
from app.ui.store import CAPACITY
from models.terminal import table

MOST = 0.1
"""How far above its value after the warm-up the memory may rise, as a share of that."""
PARTS = 10
"""Number of times that the memory is read after the warm-up."""
_AT_ONCE = 4  # visitors
_SHORT = [each for each in REQUESTS if each["steps"] <= 10]

Act = Literal["run", "upload", "too large"]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The memory of a server and what visitors have done since its start."""

    runs: int
    uploads: int
    refused: int  # bodies that are too large
    megabytes: float  # resident
    threads: int


def readings(
    address: str, server: psutil.Process, *, runs: int = 1000, others: int = 100, seed: int = 0
) -> Iterator[Reading]:
    """Yield the memory after the warm-up, and PARTS times while visitors come, each with an address of its own.

    There are `others` uploads, and as many refused bodies. The warm-up is one part, with as many uploads as the server
    keeps traces: memory that is taken by design is no growth. Raises InfillError if a visitor is not served.
    """
    each, other = runs // PARTS, others // PARTS
    parts = [_mixed(each, max(CAPACITY, other), other, seed)]
    parts += [_mixed(each, other, other, seed + number + 1) for number in range(PARTS)]
    page, trace, numbers = component(address), read_examples()[0].recording(ASSETS).read_text("utf-8"), count(1)
    done: list[Act] = []
    for part in parts:
        asyncio.run(_make(part, address, page, trace, numbers))
        done += part
        counts = {"runs": done.count("run"), "uploads": done.count("upload"), "refused": done.count("too large")}
        yield Reading(**counts, megabytes=rest(server), threads=server.num_threads())


def _mixed(runs: int, uploads: int, refused: int, seed: int) -> list[Act]:
    counts: dict[Act, int] = {"run": runs, "upload": uploads, "too large": refused}
    acts: list[Act] = [act for act, number in counts.items() for _ in range(number)]
    random.Random(seed).shuffle(acts)
    return acts


async def _make(acts: Sequence[Act], address: str, page: int, trace: str, numbers: Iterator[int]) -> None:
    """Let a visitor come for each act, a few at a time. Raises InfillError."""
    left = iter(acts)

    async def come() -> None:
        for act in left:
            number = next(numbers)
            visitor = Visitor(address, number)
            try:
                await _do(act, visitor, number, page, trace)
            finally:
                await visitor.close()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(come())
    except* (RuntimeError, RefusedError, httpx.HTTPError) as errors:
        raise InfillError(f"the memory cannot be measured: a visitor was not served: {errors.exceptions[0]}") from None


async def _do(act: Act, visitor: Visitor, number: int, page: int, trace: str) -> None:
    if act == "upload":
        found = await visitor.upload(page, trace)
        if "closing" not in found:
            raise RuntimeError(f"the trace was refused: {found}")
    elif act == "too large":
        status = await visitor.post_too_much(declared=number % 2 == 0)
        if status != httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            raise RuntimeError(f"a body that is too large was answered with status {status}")
    else:
        async with visitor.states(await visitor.post(_SHORT[number % len(_SHORT)])) as states:
            if [state async for state in states][-1]["ended"] != "complete":
                raise RuntimeError("a run was not complete")


def growth(found: Sequence[Reading]) -> float:
    """Return the largest memory of a measurement, as a multiple of that after the warm-up, its first reading."""
    return max(each.megabytes for each in found) / found[0].megabytes


def report(reading: Reading, warm: Reading, *, header: bool = True) -> str:
    """Return a reading as a line of a table."""
    names = ("runs", "uploads", "refused bodies", "MB", "to warm-up", "threads")
    values = (reading.runs, reading.uploads, reading.refused, f"{reading.megabytes:.1f}")
    row = [*map(str, values), f"{reading.megabytes / warm.megabytes:.3f}", str(reading.threads)]
    return table(
        [[cell.rjust(max(8, len(name))) for cell, name in zip(row, names, strict=True)]],
        header=[name.rjust(8) for name in names] if header else None,
    )
