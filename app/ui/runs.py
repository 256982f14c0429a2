"""The runs of the page: one event makes one to four of them, which take turns, and tells the browser how they go."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import gradio as gr

from app.errors import InfillError, quoted
from app.sampling.request import InfillRequest
from app.trace.branch import Edit, branch_start
from app.trace.messages import build_closing
from app.trace.trace import Origin, Trace
from app.ui import metrics, outgoing, shutdown
from app.ui.asked import Asked, list_runs, read, read_key
from app.ui.gate import LEFT, Gate, Gates, Reader
from app.ui.mistakes import as_gradio_error, report_fault
from app.ui.outgoing import Message
from app.ui.parent import ParentRuns
from app.ui.pool import FIRST, ModelPool
from app.ui.queue import current_reader
from app.ui.runner import Run
from app.ui.store import RunStore, end
from app.ui.watch import watched

Value = dict[str, list[Message]]
"""The value of the page's component."""
Stream = Generator[Message | None, None, Message]
"""The live messages of a run, None whenever it waits; it returns the last message: a closing one, or why it failed."""

MOMENT, NEWS = 0.05, 0.1
"""Seconds between two looks at runs that wait, and from one message to the next while runs take turns."""

_BUG = "The run broke off because of a fault in the program; what was written stays. Fill again, or change a setting."


class PageRuns:
    """Starts and ends the runs of all visitors."""

    def __init__(
        self,
        pool: ModelPool,
        run: Run,
        store: RunStore,
        gates: Gates,
        *,
        parent: ParentRuns | None = None,
        request: type[InfillRequest] = InfillRequest,
        one_by_one: bool = False,
    ) -> None:
        """`one_by_one` ends each run of a comparison before the next begins, for where each needs a GPU of its own."""
        self._pool, self._run, self._store, self._gates = pool, run, store, gates
        self._parent, self._request, self._one_by_one = parent, request, one_by_one

    def start(self, event: gr.EventData) -> Iterator[Value]:
        """Make the runs that the browser asks for; the last message of each comes with those of the others."""
        try:
            wanted = list_runs(event._data)
        except InfillError as error:
            raise as_gradio_error(error) from None
        reader = current_reader()
        streams = [self._stream(asked, reader) for asked in wanted]
        with ExitStack() as stack:
            for stream in streams:
                stack.callback(stream.close)
            for news in take_turns(streams, one_by_one=self._one_by_one):
                yield {"messages": news}

    def halt(self, event: gr.EventData) -> Value:
        """End runs at their newest states; their generators end after the step that is being computed."""
        names = event._data.get("runs") if isinstance(event._data, dict) else None
        ended = []
        for name in names if isinstance(names, list) else []:
            if (gate := self._gates.find(name)) is None:
                continue  # it has ended already
            gate.halted = True
            with suppress(InfillError):  # without a state, its generator says that it has ended
                ended.append(build_closing(self._store.end(name), name, gate.key))
        return {"messages": ended}

    def _stream(self, asked: Any, reader: Reader) -> Stream:
        name, key, trace = self._store.new_name(), read_key(asked), None
        live = outgoing.Live(name, key)
        with self._gates.open(name, key, reader) as gate:
            try:
                wanted, origin = self._branched(read(asked, self._request))
                yield from self._wait_for_model(wanted, name, gate)
                if gate.halted:
                    return outgoing.failed(name, key, "Stopped before the model was ready.")
                for new in self._traces(wanted, gate, origin):
                    kept, before = self._store.put(name, new), trace
                    trace = kept
                    yield live.build(kept, gate) if kept is not before and gate.may_tell() else None
                    if kept.ended != "running" or gate.halted:
                        break
                if reader.left() or trace is None:
                    return outgoing.failed(name, key, LEFT)
                return build_closing(self._store.end(name), name, key)
            except InfillError as error:
                metrics.ERRORS.labels("mistake").inc()
                return outgoing.failed(name, key, str(error))
            except Exception:  # noqa: BLE001 logged with its traceback; one run of a comparison must not end the others
                return outgoing.failed(name, key, report_fault("a run has crashed", _BUG))
            finally:
                if trace is not None:
                    self._store.put(name, end(trace))

    def _branched(self, wanted: Asked) -> tuple[Asked, Trace | None]:
        """Return what was asked for with the state that it goes on from, and the trace of that. Raises InfillError."""
        branch = wanted.branch
        if branch is None:
            return wanted, None
        trace = self._store.get(branch.run)
        edits = [Edit.from_json(edit) for edit in branch.edits]
        start = branch_start(trace, branch.step, edits)
        return replace(wanted, request=replace(wanted.request, start=start)), trace

    def _wait_for_model(self, wanted: Asked, name: str, gate: Gate) -> Iterator[Message | None]:
        """Say how far the model of a run is until it is loaded or the run is halted. Raises InfillError if it fails."""
        if wanted.by != "diffusion":
            return
        told = ""
        while not gate.halted and not gate.reader.left():
            shutdown.refuse()
            ready, progress = self._pool.ask_for(wanted.model)
            if ready:
                return
            yield outgoing.waiting(wanted.request, name, gate.key, progress) if progress != told else None
            told = progress

    def _traces(self, wanted: Asked, gate: Gate, parent: Trace | None) -> Iterator[Trace]:
        """Return the traces of a run, which may go on from one of `parent`. Raises InfillError if there can be none."""
        if wanted.by == "diffusion":
            model = self._pool.loaded(wanted.model)
            if parent is not None and model is not None and model.name != parent.model:
                raise InfillError(f"the tokens of this run are those of {quoted(parent.model)}: go on with that model")
            branch = wanted.branch
            return self._run(wanted.request, wanted.model, gate, branch and Origin(branch.run, branch.step))
        if self._parent is None or wanted.model not in (FIRST, self._pool.name):
            raise InfillError("only the bundled model has its autoregressive parent here: choose it, or diffusion")
        return watched(self._parent.run(wanted.request, wanted.by, gate), gate)


def take_turns(
    streams: Sequence[Stream], *, one_by_one: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[Message]]:
    """Yield the newest messages of the runs that have moved since the last time, in the end the last ones of all.

    Each run makes a step in its turn, so its seconds are its own.
    """
    going = dict(enumerate(streams))
    newest: dict[int, Message] = {}
    moved: set[int] = set()
    last: dict[int, Message] = {}
    told = clock()

    def news(which: Iterable[int]) -> list[Message]:
        nonlocal told
        told = clock()
        found = [newest[number] for number in sorted(which) if number in newest]
        moved.clear()
        return found

    while going:
        for number in list(going)[: 1 if one_by_one else None]:
            try:
                message = next(going[number])
            except StopIteration as ended:
                last[number] = newest[number] = ended.value
                del going[number]
                if going and "failed" in ended.value:
                    moved.add(number)
            else:
                if message is not None:
                    newest[number] = message
                    moved.add(number)
            if moved and len(streams) > 1 and clock() - told > NEWS:
                yield news(moved)
        if moved:
            yield news(moved)
        elif going:
            time.sleep(MOMENT)
    yield [last[number] for number in sorted(last)]
