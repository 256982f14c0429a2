"""Visitors of the endpoint for `soak`: they fill, cancel, leave, stall and upload, and note what came back."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import httpx

State = dict[str, Any]
Told = list[tuple[int, int, tuple[str | None, ...], str]]
"""What a run told: for each state the number of steps and passes, the text of every position, and the ending."""

HABITS = {"fill": 70, "cancel": 8, "leave": 8, "never open": 5, "stall": 3, "upload": 4, "too large": 2}
"""What visitors do, in percent: fill to the end; cancel; close the stream after the first state; post without opening
the stream; open it and stop reading for some seconds; upload a trace; post a body that no run can have."""
STALL = 8.0
"""Seconds for which a stalling visitor reads nothing."""
TOO_LARGE = 2_000_000
"""Bytes of the body that is too large."""
REQUESTS: tuple[dict[str, Any], ...] = tuple(
    {"text": text, "steps": steps, "strategy": strategy, "temperature": temperature, "seed": seed}
    for seed, (text, steps, strategy, temperature) in enumerate(
        [
            ("Tom went to the [[8]] and saw a dog.", 8, "low_confidence", 0.0),
            ("Once upon a time [[16]]", 16, "entropy", 0.0),
            ("The little dog was [[24]] so he ran home.", 12, "margin", 0.7),
            ("Lily had a [[4]] and a [[6]]. She was happy.", 10, "low_confidence", 0.0),
            ("One day, [[32]] They went home.", 32, "first_hitting", 0.8),
            ("[[12]] and they all laughed.", 12, "entropy_bound", 0.0),
            ("The cat [[48]] in the end.", 24, "low_confidence", 0.5),
            ("She said [[10]] to her mom.", 10, "left_to_right", 0.0),
        ]
    )
)


@dataclass
class Tally:
    """What the visitors of one stage noted; times in seconds."""

    first: list[float] = field(default_factory=list)  # from the call to the first state
    ended: list[float] = field(default_factory=list)  # from the call to the end
    served: list[float] = field(default_factory=list)  # from the first try to the end, refusals included
    done: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    different: list[int] = field(default_factory=list)  # numbers of the requests whose run was not that of a solo run
    errors: list[str] = field(default_factory=list)
    without: int = 0  # visitors none of whose runs was served


class RefusedError(Exception):
    """The server takes no more runs now; `after` is in how many seconds to come again."""

    def __init__(self, after: float) -> None:
        super().__init__(f"come again in {after:g} seconds")
        self.after = after


class Visitor:
    """One visitor with an address of its own, as a proxy in front of the server would tell it."""

    def __init__(self, address: str, number: int) -> None:
        self._session = f"soak-{number}"
        self._http = httpx.AsyncClient(
            base_url=f"{address.rstrip('/')}/gradio_api",
            timeout=httpx.Timeout(300.0),
            verify=False,  # reading the certificates takes longer than a run, and http needs none
            trust_env=False,
            headers={"X-Forwarded-For": f"10.1.{number // 250}.{number % 250 + 1}"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def post(self, request: Mapping[str, Any]) -> str:
        """Ask for a run and return the event's id. Raises RefusedError, and httpx.HTTPStatusError."""
        answer = await self._http.post("/call/v2/infill", json=request)
        if answer.status_code in (429, 503):
            raise RefusedError(float(answer.headers.get("Retry-After", 1.0)))
        return answer.raise_for_status().json()["event_id"]

    @asynccontextmanager
    async def states(self, event: str) -> AsyncIterator[AsyncIterator[State]]:
        """Open the stream of a run; leaving the context closes it."""
        async with self._http.stream("GET", f"/call/infill/{event}") as stream:
            yield _read(stream)

    async def cancel(self, event: str) -> None:
        """Cancel a run; the function's number is not needed for one that has an id."""
        body = {"session_hash": event, "fn_index": 0, "event_id": event}
        (await self._http.post("/cancel", json=body)).raise_for_status()

    async def ask(self, page: int, function: str, asked: Mapping[str, Any]) -> State:
        """Call a server function of the page's component. Raises httpx.HTTPStatusError."""
        body = {"data": asked, "component_id": page, "fn_name": function, "session_hash": self._session}
        return (await self._http.post("/component_server", json=body)).raise_for_status().json()

    async def upload(self, page: int, content: str) -> State:
        """Open a trace on the server, as the page does."""
        return await self.ask(page, "opened", {"content": content})

    async def open_page(self) -> int:
        """Load the page's document and return its length in bytes. Raises httpx.HTTPStatusError."""
        document = str(self._http.base_url).removesuffix("gradio_api/")
        return len((await self._http.get(document)).raise_for_status().content)

    async def post_too_much(self, *, declared: bool = True) -> int:
        """Send a body that is too large, with its size in the head or without, and return the status of the answer."""
        body = json.dumps({"text": "a" * TOO_LARGE}).encode()
        content = body if declared else _in_parts(body)
        return (await self._http.post("/call/v2/infill", content=content)).status_code


async def _in_parts(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]


async def _read(stream: httpx.Response) -> AsyncIterator[State]:
    event = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: ") and event == "error":
            raise RuntimeError(line.removeprefix("data: "))
        elif line.startswith("data: ") and event in ("generating", "complete"):
            found = json.loads(line.removeprefix("data: "))
            if event == "generating":
                yield found[0]


def middle(times: Sequence[float]) -> float:
    """Return the median; NaN without times."""
    return median(times) if times else float("nan")


def nearly_all(times: Sequence[float]) -> float:
    """Return the 95th percentile; NaN without times."""
    return quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else middle(times)


def told(states: Sequence[State]) -> Told:
    """Return what the settled states of a run say, without its times; a state that was sent again counts once."""
    found = [
        (each["step"], each["nfe"], tuple(each["pieces"]), "" if each["ended"] == "running" else each["ended"])
        for each in states
        if each["settled"]
    ]
    return [each for number, each in enumerate(found) if number == 0 or each != found[number - 1]]


async def record_solo(address: str) -> list[Told]:
    """Return what each of the requests tells while nothing else runs."""
    visitor, found = Visitor(address, 0), []
    for request in REQUESTS:
        async with visitor.states(await visitor.post(request)) as states:
            found.append(told([state async for state in states]))
    await visitor.close()
    return found


class Crowd:
    """Visitors who come back until a stage ends."""

    def __init__(self, address: str, solo: Sequence[Told], *, page: int, trace: str) -> None:
        """`page` is the number of the page's component, and `trace` is what visitors upload."""
        self._address, self._solo, self._page, self._trace = address, solo, page, trace

    async def stay(self, visitors: int, seconds: float, *, seed: int) -> Tally:
        """Let visitors come for a while and wait until the last of their runs has ended."""
        tally, until = Tally(), time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(visitors):
                group.create_task(self._come(number + 1, until, random.Random(f"{seed}/{number}"), tally))
        return tally

    async def _come(self, number: int, until: float, rng: random.Random, tally: Tally) -> None:
        visitor, served = Visitor(self._address, number), 0
        while time.monotonic() < until:
            habit = rng.choices(list(HABITS), list(HABITS.values()))[0]
            asked, began = rng.randrange(len(REQUESTS)), time.monotonic()
            while time.monotonic() < until:
                try:
                    await self._do(habit, visitor, asked, rng, tally, until)
                except RefusedError as error:
                    tally.done["refused"] += 1
                    await asyncio.sleep(min(error.after, max(0.0, until - time.monotonic())))
                    continue
                except (httpx.HTTPError, RuntimeError) as error:
                    tally.errors.append(f"{habit}: {type(error).__name__} {error}"[:200])
                    await asyncio.sleep(1.0)
                else:
                    tally.done[habit] += 1
                    if habit == "fill":
                        served += 1
                        tally.served.append(time.monotonic() - began)
                break
        tally.without += not served
        await visitor.close()

    async def _do(
        self, habit: str, visitor: Visitor, asked: int, rng: random.Random, tally: Tally, until: float
    ) -> None:
        if habit == "upload":
            found = await visitor.upload(self._page, self._trace)
            if "closing" not in found:
                raise RuntimeError(f"the trace was refused: {found}")
            return
        if habit == "too large":
            await visitor.post_too_much()
            return
        began = time.monotonic()
        event = await visitor.post(REQUESTS[asked])
        if habit == "never open":
            return
        seen: list[State] = []
        enough = rng.randrange(1, 5)
        async with visitor.states(event) as states:
            async for state in states:
                if not seen:
                    tally.first.append(time.monotonic() - began)
                elif state["step"] > seen[-1]["step"] and time.monotonic() < until:
                    tally.steps += 1
                seen.append(state)
                if len(seen) <= enough or habit == "fill":
                    continue
                if habit == "stall":
                    await asyncio.sleep(STALL)
                if habit == "cancel":
                    await visitor.cancel(event)
                return
        if habit == "fill":
            tally.ended.append(time.monotonic() - began)
            if told(seen) != self._solo[asked]:
                tally.different.append(asked)
