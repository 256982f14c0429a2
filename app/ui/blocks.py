"""Gradio's Blocks with the page's queue, lenient endpoints, and nothing kept of a visitor."""

from __future__ import annotations

import socket
from copy import copy
from typing import Any

import gradio as gr
from gradio.components.api_component import Api
from gradio.state_holder import SessionState, StateHolder
from starlette.middleware import Middleware

from app.ui.door import Door
from app.ui.edge import EdgeBlocks
from app.ui.pool import ModelPool
from app.ui.queue import PatientQueue

UNSENT = 1 << 16
"""Bytes that the kernel takes for a reader before they are sent; without a bound it takes megabytes, and a reader who
stalls is noticed late."""


class PageBlocks(EdgeBlocks):
    """Blocks whose calls begin when their streams are read, and may have fewer values than parameters.

    Values that are left out at the end get the defaults. Gradio fills them in for its own clients and for calls by name
    (`/gradio_api/call/v2/infill`), but not for a plain list of values (`/gradio_api/call/infill`), which it answers
    with an error that says nothing.
    """

    pool: ModelPool  # whose state `/healthz` and `/metrics` report

    def queue(self, **settings: Any) -> PageBlocks:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Give the page its queue; `settings` are Gradio's."""
        super().queue(**settings)
        given = self._queue
        self._queue = PatientQueue(
            live_updates=given.live_updates,
            concurrency_count=given.max_thread_count,
            update_intervals=given.update_intervals,
            max_size=given.max_size,
            blocks=self,
            default_concurrency_limit=given.default_concurrency_limit,
        )
        return self

    def launch(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, app_kwargs: dict[str, Any] | None = None, **settings: Any
    ) -> Any:
        """Serve the page as Gradio does, with a door behind the given middleware. `settings` are Gradio's."""
        app_kwargs = {**(app_kwargs or {})}
        app_kwargs["middleware"] = [*app_kwargs.get("middleware", ()), Middleware(Door, queue=self._queue)]
        launched = super().launch(app_kwargs=app_kwargs, **settings)
        self.app.state_holder = NoSessions(self)
        ours = getattr(self, "server", None)  # a launch that something has replaced has none
        for server in ours.servers if ours and hasattr(socket, "TCP_NOTSENT_LOWAT") else ():
            for listening in server.sockets:  # and those that it accepts
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        return launched

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Return the values that a function is called with. Raises gr.Error if there are more than its parameters."""
        wanted = block_fn.inputs
        if wanted and all(isinstance(each, Api) for each in wanted):
            if len(inputs) > len(wanted):
                raise gr.Error(
                    f"{len(inputs)} values were given, but /{block_fn.api_name} has {len(wanted)} parameters; give them"
                    f" in their order, or by name to /gradio_api/call/v2/{block_fn.api_name}",
                    print_exception=False,
                )
            inputs = [*inputs, *(each.value for each in wanted[len(inputs) :])]
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)


class _NoSession(SessionState):
    """What Gradio keeps of a visitor: nothing, since the page has no gr.State. One object serves all visitors.

    Gradio's own copies the configuration of the whole page for every session: 0.35 MB, and 20 ms.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values, self.state_data, self._state_ttl, self.is_closed = {}, {}, {}, False

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep nothing."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing."""


class NoSessions(StateHolder):
    """Gradio's place for what belongs to a session, which stays empty."""

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__()
        self._nothing = _NoSession(blocks)
        self.set_blocks(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        """Return the state of every session."""
        return self._nothing
