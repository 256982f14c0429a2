"""Where calls come in: nothing that is sent leaves a traceback of Gradio's in the log, and no call fails without words.

Gradio looks up the names and numbers in a call without checking them, so each unknown one ends in a KeyError, a page of
log, and an answer that says nothing.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.route_utils import FnIndexInferError
from starlette.responses import JSONResponse

from app.errors import quoted
from app.ui.mistakes import report_fault
from models import disk

if TYPE_CHECKING:
    from starlette.requests import Request

_UNKNOWN = (
    "This call names a function, a component or a session that is not here; /gradio_api/info lists the functions."
)
_FULL = "The server has no room for this file: its disk is full. Its operator has to make room."
_UNFIT = "The values of this call are not what it takes; /gradio_api/info says what each function takes."


class EdgeBlocks(gr.Blocks):
    """Blocks that answer every call in words: what cannot be taken is refused, and a crash has a reference."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Return the values that a function is called with. Raises gr.Error if the components cannot take them."""
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except Exception as error:  # noqa: BLE001 each component checks in its own way, or not at all
            _log_refusal("a call", error)
            raise gr.Error(_UNFIT, print_exception=False) from None

    async def process_api(self, *args: Any, **settings: Any) -> dict[str, Any]:
        """Answer a call as Gradio does. Raises gr.Error, which alone reaches the caller, for whatever goes wrong."""
        try:
            return await super().process_api(*args, **settings)
        except gr.Error:
            raise
        except Exception:  # noqa: BLE001 logged with its traceback
            raise gr.Error(report_fault("a call has crashed"), print_exception=False) from None


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    """Answer a call on which one of Gradio's routes has broken, with a line in the log."""
    full = isinstance(error, OSError) and disk.is_full(error)
    if isinstance(error, OSError) and not full:
        raise error
    _log_refusal(f"{request.method} {quoted(request.url.path)}", error)
    if full:
        return JSONResponse({"detail": _FULL}, status_code=507)
    unknown = isinstance(error, KeyError | FnIndexInferError)
    return JSONResponse({"detail": _UNKNOWN if unknown else _UNFIT}, status_code=404 if unknown else 422)


def _log_refusal(what: str, error: Exception) -> None:
    """Log in one line what was refused and where it broke, so that a fault of Gradio's can still be found."""
    *_, place = traceback.extract_tb(error.__traceback__)
    file = Path(place.filename).name
    getLogger(__name__).warning("refused %s: %s in %s:%s", what, type(error).__name__, file, place.lineno)


HANDLERS: Mapping[type[Exception], Callable[..., Any]] = dict.fromkeys(
    (KeyError, TypeError, ValueError, AttributeError, FnIndexInferError, OSError), _refuse
)
"""What FastAPI does with the exceptions of Gradio's routes; its own, such as that of a body without JSON, stay."""
