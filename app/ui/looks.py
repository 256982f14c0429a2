"""Looks at a text that is no run: single forward passes for the page, few at a time for all visitors together."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from app.errors import InfillError, quoted
from app.proofread import proofread
from app.sampling.fields import MAX_CHARACTERS
from app.sampling.template import MAX_GAPS, MAX_LENGTH
from app.trace.trace import Trace
from app.ui import shutdown
from app.ui.asked import read_model
from app.ui.pool import FIRST, ModelPool
from models.denoiser import Denoiser, Query

AT_ONCE, PATIENCE = 2, 5.0
"""Looks that may wait for the model at once, and the seconds that a further one waits for its turn. Runs share their
passes with them, so visitors who press a button again and again delay a run by two canvases in each pass, not more."""
LONGEST = 512
"""Most tokens of a text that is proofread: the model's belief in each of them is a row of its whole vocabulary."""
_MOST_PARTS = 2 * MAX_GAPS + 1


class Looks:
    """Answers the page's questions that take a forward pass. Raises InfillError for everything that goes wrong."""

    def __init__(self, pool: ModelPool, *, zero_gpu: bool = False) -> None:
        """On ZeroGPU this process has no model, so every look is refused."""
        self._pool, self._zero_gpu = pool, zero_gpu
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def proofread(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the words of a text with the belief in each, in nats; `from` and `to` count UTF-16 units.

        `parts` are stretches of text and numbers of masks.
        """
        parts = _read_parts(asked.get("parts"))
        model = self.model(read_model(asked.get("model")))
        text = "".join(part for part in parts if isinstance(part, str))
        longest = min(LONGEST, model.context)
        if len(model.tokenizer.encode(text)) > longest:
            raise InfillError(f"a text of at most {longest} tokens can be checked at once: shorten it")
        with self.place():
            words = proofread(parts, model)
        at = _units(text)
        return {
            "words": [
                {"from": at[word.start], "to": at[word.stop], "tokens": word.tokens, "belief": round(word.belief, 3)}
                for word in words
            ]
        }

    def reads(self, asked: Mapping[str, Any], trace: Trace) -> dict[str, Any]:
        """Return the share of the attention that each token gets in a state of a run; see `Prediction.columns`.

        The queries are the state's masks, or the whole span if nothing is masked. `given` has [text, share] of each
        token of each stretch of given text, as the model reads it, and `slots` the share of each slot.
        """
        step = asked.get("step")
        if type(step) is not int or not 0 <= step <= len(trace.steps):
            raise InfillError(f"the run has no step {quoted(step)}")
        if trace.by != "diffusion":
            raise InfillError(
                "only runs of the diffusion model can be looked into: the parent reads from left to right"
            )
        model, canvas = self.model_of(trace), trace.state(step)
        positions = canvas.masks if len(canvas.masks) else canvas.span
        if positions.min() < 1:
            raise _misfit(model)
        query = Query(ids=canvas.ids, positions=positions, uniforms=np.zeros(len(positions)), attention=True)
        with self.place():
            (found,) = model.predict([query])
        if found.columns is None:
            raise InfillError(f"'{model.name}' is no transformer, so it has no attention to show: choose another model")
        shares = [round(float(share), 5) for share in found.columns]
        edges = [0, *(edge for gap in canvas.gaps for edge in (gap.start, gap.stop)), len(canvas)]
        names = {int(token): model.tokenizer.token_bytes(int(token)) for token in set(canvas.ids.tolist())}
        return {
            "given": [
                [[names[int(canvas.ids[at])].decode("utf-8", "replace"), shares[at]] for at in range(start, stop)]
                for start, stop in zip(edges[::2], edges[1::2], strict=True)
            ],
            "slots": [shares[at] for at in canvas.slots],
        }

    def model(self, name: str) -> Denoiser:
        """Return a loaded model; begin to load one that is not. Raises InfillError until it is loaded."""
        shutdown.refuse()
        if self._zero_gpu:
            raise InfillError(
                "this page lends its GPU to runs only: press Fill instead, or run the playground yourself"
            )
        if (model := self._pool.loaded(name)) is not None:
            return model
        _, progress = self._pool.ask_for(name)
        raise InfillError(f"{progress} Press again when it is ready")

    def model_of(self, trace: Trace) -> Denoiser:
        """Return the model that wrote a trace. Raises InfillError if it is not loaded, or cannot have written it."""
        model = self.model(FIRST)
        if model.name != trace.model and (model := self._pool.loaded(trace.model)) is None:
            raise InfillError(f"the run is of {quoted(trace.model)}, which is not loaded: choose it in the settings")
        canvases = [trace.start, *(step.canvas for step in trace.steps)]
        if len(trace.start) > model.context or max(canvas.ids.max() for canvas in canvases) >= model.tokenizer.size:
            raise _misfit(model)
        return model

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the few places for work with the model. Raises InfillError if none falls free soon."""
        if not self._places.acquire(timeout=PATIENCE):
            raise InfillError("the model is busy with other visitors: press again in a moment")
        try:
            yield
        except MemoryError as error:
            raise InfillError(str(error)) from error
        finally:
            self._places.release()


def _misfit(model: Denoiser) -> InfillError:
    return InfillError(f"this trace does not fit '{model.name}': open one that this model wrote")


def _read_parts(parts: Any) -> list[str | int]:
    """Return stretches of text and numbers of masks. Raises InfillError for anything else."""
    if not isinstance(parts, list) or not 1 <= len(parts) <= _MOST_PARTS + MAX_LENGTH * 2:
        raise InfillError("a text must be a list of stretches of text and numbers of masks")
    for part in parts:
        if not isinstance(part, str) and not (type(part) is int and 1 <= part <= MAX_LENGTH):
            raise InfillError(f"a part of the text must be text or a number of masks, not {quoted(part)}")
    if sum(len(part) for part in parts if isinstance(part, str)) > MAX_CHARACTERS:
        raise InfillError(f"the text has more than {MAX_CHARACTERS:,} characters: shorten it")
    return parts


def _units(text: str) -> list[int]:
    """Return the UTF-16 units before each character of a text, and of all."""
    units = [0]
    for character in text:
        units.append(units[-1] + 1 + (ord(character) > 0xFFFF))
    return units
