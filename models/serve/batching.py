"""One model for several threads: what they ask for at the same time becomes one forward pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from logging import getLogger

from models.denoiser import Denoiser, Judge, Query
from models.prediction import Prediction


@dataclass(eq=False)
class _Call:
    """One thread's queries while it waits for their predictions."""

    queries: Sequence[Query]
    predictions: list[Prediction] | None = None  # None: not computed yet
    alone: bool = False  # do not share a pass, because a shared one failed


class BatchingDenoiser:
    """A denoiser for many threads: one pass at a time, first come, first served, and waiting calls are merged.

    The call that has waited longest leads: it starts a pass for itself and the calls right behind it; then the next
    call leads. Calls are never split and never overtake each other. All passes run in one dedicated thread, because
    torch keeps separate OpenMP workers and recorded CUDA graphs for each thread.

    A caller's results do not depend on other callers, up to rounding: a network's products differ in their last digits
    with the shape of the batch. In fp32 every probability is within 1e-5 of that of a single query, and the same seed
    commits the same tokens in the same order, except that a tie closer than about 1e-6 (of two tokens, of two
    positions, of a draw and the edge that it falls on) may fall either way. In half precision rounding is coarser, and
    so are the ties. `most=1` merges nothing: exactly the numbers of single queries, still one pass at a time.
    """

    def __init__(self, denoiser: Denoiser, *, most: int = 8, seen: Callable[[int], object] = lambda rows: None) -> None:
        """Put at most `most` queries into a pass; a larger call runs alone. Returns once the denoiser has warmed up.

        `seen` is called after each pass with the number of its canvases.
        """
        self.name, self.tokenizer, self.context = denoiser.name, denoiser.tokenizer, denoiser.context
        self.notices = denoiser.notices
        self._denoiser, self._most, self._seen = denoiser, most, seen
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        warm_up = getattr(denoiser, "warm_up", None)  # only networks have it
        if warm_up is not None:
            self._thread.submit(warm_up).result()
        self._changed = threading.Condition()  # guards the attributes below
        self._waiting: list[_Call] = []  # in order of arrival, those of the running pass included
        self._leader: _Call | None = None

    @property
    def judge(self) -> Judge | None:
        """The denoiser's own judge, whose calls are not queued."""
        return self._denoiser.judge

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Wait for a pass that includes these queries; see `Denoiser`.

        Raises whatever the denoiser raises for these queries alone.
        """
        call = _Call(queries)
        try:
            while call.predictions is None:
                if batch := self._turn(call):
                    self._serve(batch)
            return call.predictions
        finally:  # also after an interrupt, so that the others continue
            self._leave(call)

    def _turn(self, call: _Call) -> list[_Call]:
        """Wait until the call leads, and return the calls of its pass; none if another pass has included it."""
        with self._changed:
            if call not in self._waiting:
                self._waiting.append(call)
            self._changed.wait_for(lambda: call.predictions is not None or self._may_lead(call))
            if call.predictions is not None:
                return []
            self._leader = call
            batch, size = [call], len(call.queries)
            for other in islice(self._waiting, 1, None):
                size += len(other.queries)
                if size > self._most or call.alone or other.alone:
                    break
                batch.append(other)
            return batch

    def _may_lead(self, call: _Call) -> bool:
        return self._leader in (None, call) and self._waiting[0] is call

    def _serve(self, batch: list[_Call]) -> None:
        """Run one forward pass. If a shared one fails, each of its calls runs alone in its turn, to its own error.

        After a MemoryError later passes are half as large, so that they do not all fail too.
        """
        queries = [query for call in batch for query in call.queries]
        try:
            predictions = iter(self._thread.submit(self._predict, queries).result())
        except Exception as error:
            if len(batch) == 1:
                raise
            # Logged, because each call may succeed alone, for example if the batch did not fit into memory.
            getLogger(__name__).warning("%d calls failed in one pass; each is tried alone", len(batch), exc_info=True)
            if isinstance(error, MemoryError):
                with self._changed:
                    self._most = max(1, len(queries) // 2)
            for call in batch:
                call.alone = True
            return
        self._seen(sum(len(query.rows) for query in queries))
        with self._changed:
            for call in batch:
                call.predictions = list(islice(predictions, len(call.queries)))
            self._waiting = [call for call in self._waiting if call.predictions is None]

    def _predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Run the pass. Raises RuntimeError for a library that exits, which would end the server and not one run."""
        try:
            return self._denoiser.predict(queries)
        except SystemExit as error:
            raise RuntimeError(f"the model has tried to end the program with exit code {error.code}") from error

    def _leave(self, call: _Call) -> None:
        with self._changed:
            if self._leader is call:
                self._leader = None
            if call in self._waiting:
                self._waiting.remove(call)
            self._changed.notify_all()
