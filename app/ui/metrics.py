"""What a server counts, for `/metrics`: every counter is declared here, in the text format of Prometheus.

Labels take few values and never a visitor's words. The client library adds memory, open files and CPU seconds of the
process, as `process_resident_memory_bytes` and its like.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

RUNS = Counter("infill_runs", "Runs that have ended, by how: see ENDINGS in app/ui/watch.py", ["ending"])
GOING = Gauge("infill_runs_going", "Runs that go on, waiting and paused ones included")
WAITING = Gauge("infill_runs_waiting", "Runs that wait for their turn: the length of the queue")
STEPS = Counter("infill_steps", "Denoising steps of runs that have ended")
FIRST_STEP = Histogram(
    "infill_first_step_seconds",
    "Seconds from the start of a run to its first step, waiting included",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
PASS_ROWS = Histogram(
    "infill_pass_rows",
    "Canvases in a forward pass of a network; _count is the number of passes, _sum that of canvases",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
REFUSALS = Counter("infill_refusals", "Requests refused before anything was computed, by reason", ["reason"])
ERRORS = Counter("infill_errors", "Errors by kind: mistake, a visitor's; memory; crash, the program's", ["kind"])
MODELS = Gauge("infill_models_loaded", "Models in memory, the parent of the bundled one left out")


def exposition(models: int) -> tuple[bytes, str]:
    """Return all metrics as text, and its content type; `models` is the number of loaded ones."""
    MODELS.set(models)
    return generate_latest(), CONTENT_TYPE_LATEST
