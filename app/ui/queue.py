"""The page's queue: a call starts when somebody reads its stream, and ends when nobody does."""

from __future__ import annotations

import random
import time
from typing import Any

from gradio.context import LocalContext
from gradio.queueing import Event, EventQueue, Queue

from app.ui.gate import Reader
from app.ui.reception import Reception, RefusalError
from app.ui.streams import Streams

RUNS = "model"
"""Gradio's name for the queue of all calls that make runs."""
OPEN = 10.0
"""Seconds within which the stream of a call must be opened; Gradio's own clients open it right after the POST."""
UNOPENED = 200
"""Calls that may be waiting for their stream at a time, besides those that have a place."""


class PatientQueue(Queue):
    """Gradio's queue, but only calls whose streams are read are begun; the others are forgotten after a while.

    This depends on the insides of Gradio's queue; tests/ui/test_overload.py shows whether it still holds.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.streams, self._reception = Streams(), Reception()
        # Gradio looks for new calls every millisecond, and for progress, which no run reports, every ten.
        self.sleep_when_free, self.progress_update_sleep_when_free = 0.01, 1.0
        self.ANALYTICS_MAX_EVENTS = 1  # nothing shows them, and Gradio makes a table of all of them after every call

    def compute_analytics_summary(self, records: Any) -> Any:
        """Return Gradio's summary without computing it."""
        return self.cached_event_analytics_summary

    def enter(self, visitor: str) -> None:
        """Let a call of a visitor in. Raises RefusalError if there is no place for it."""
        calls = self.calls()
        taken = sum(self._is_read(event) for event in calls)
        if len(calls) - taken >= UNOPENED:
            raise RefusalError("Too many calls are waiting for their streams to be opened", 10)
        self._reception.enter(visitor, taken=taken, own=sum(_visitor(event.request) == visitor for event in calls))

    def knows(self, event_id: str) -> bool:
        """Return whether a call waits, goes on, or has an end that was not read yet."""
        return event_id in self.event_ids_to_events or any(
            event_id in events for events in self.pending_event_ids_session.values()
        )

    def calls(self) -> list[Event]:
        """Return the calls for runs that wait or go on."""
        waiting = self.event_queue_per_concurrency_id.get(RUNS)
        going = [event for jobs in self.active_jobs if jobs for event in jobs if event.concurrency_id == RUNS]
        return [*(waiting.queue if waiting else ()), *going]

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """Return the call that begins next, in the form that Gradio's queue expects."""
        self._forget_unopened()
        queues = [*self.event_queue_per_concurrency_id.values()]
        random.shuffle(queues)
        for queue in queues:
            if queue.concurrency_limit is None or queue.current_concurrency < queue.concurrency_limit:
                for event in queue.queue:
                    if event.concurrency_id != RUNS or self._is_read(event):
                        queue.queue.remove(event)
                        return [event], False, queue.concurrency_id
        return None

    def _forget_unopened(self) -> None:
        queue: EventQueue | None = self.event_queue_per_concurrency_id.get(RUNS)
        for event in [*queue.queue] if queue else []:
            if not self._is_read(event) and time.monotonic() - event.enqueue_time > OPEN:
                queue.queue.remove(event)  # pyright: ignore[reportOptionalMemberAccess]
                self.event_ids_to_events.pop(event._id, None)
                self.pending_event_ids_session.get(event.session_hash, set()).discard(event._id)
                self.forget(event.session_hash)

    async def process_events(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, events: list[Event], *others: Any
    ) -> None:
        """Make the calls, and note when their places fall free."""
        try:
            await super().process_events(events, *others)
        except KeyError:  # Gradio's, when a call ends in the moment in which it is cancelled
            pass
        finally:
            for event in events:
                self.event_ids_to_events.pop(event._id, None)
                self.forget(event.session_hash)
            if events[0].concurrency_id == RUNS:
                self._reception.free(time.monotonic() - events[0].enqueue_time)

    def forget(self, session: str) -> None:
        """Drop what Gradio keeps of a session for good, if none of its calls goes on."""
        if not self.pending_event_ids_session.get(session) and not self.streams.read(session):
            self.pending_event_ids_session.pop(session, None)
            self.pending_messages_per_session.pop(session, None)

    def reader(self, event: Event) -> Reader:
        """Return who reads the stream of a call that has begun."""

        def left() -> bool:
            going = event.alive and any(jobs and event in jobs for jobs in self.active_jobs)
            return not going or not self._is_read(event)

        return Reader(_visitor(event.request), left)

    def _is_read(self, event: Event) -> bool:
        return self.streams.read(event.session_hash, event._id)


def current_reader() -> Reader:
    """Return who reads the stream of the call that this code works for; outside of calls, a reader who stays."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    event = queue.event_ids_to_events.get(event_id) if isinstance(queue, PatientQueue) and event_id else None
    return queue.reader(event) if isinstance(queue, PatientQueue) and event is not None else Reader()


def _visitor(request: Any) -> str:
    return request.client.host if request is not None and request.client else ""
