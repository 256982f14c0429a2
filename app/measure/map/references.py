"""Rows that no user can have: what the best order would write, and what the same passes buy by trying again.

Both know something that a strategy does not. The oracle order knows the true middle; best-of-R keeps what the
autoregressive parent likes best, so the parent's own likelihood flatters it and only ROUGE judges it fairly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.errors import InfillError
from app.measure.likelihood import nats_per_token
from app.measure.run import run_to_end
from app.sampling.request import InfillRequest
from app.sampling.step import Policy, Selection, Snapshot
from app.trace.trace import Trace
from models.denoiser import Denoiser, Ids

ORACLE = "oracle_order"
BEST: Mapping[str, int] = {"best_of_2": 2, "best_of_4": 4}
DRAWN = {"temperature": 0.95, "top_p": 0.9}
"""How the runs of best-of-R are drawn if the map itself is greedy, because greedy runs would all be the same.

DiffuLLaMA's sampling, arXiv:2410.17891
"""


def is_reference(strategy: str) -> bool:
    """Check whether a row's strategy is one that no user can have."""
    return strategy == ORACLE or strategy in BEST


@dataclass(frozen=True)
class Run:
    """A run, and all the passes that it took."""

    trace: Trace
    nfe: int
    calls: int


def oracle_order(targets: Ids) -> Policy:
    """Return the policy that commits where the true token leads its strongest rival by most, an equal share each step.

    The tokens are still the model's own drafts: only the order knows the truth, so this bounds what an order can do.
    `targets` is [length], the true token of each position.

    Gt-Margin, arXiv:2602.09501
    """

    def choose(now: Snapshot) -> Selection:
        canvas = now.canvas
        (belief,) = now.forwards.ask([canvas], [canvas.masks], [np.zeros(len(canvas))], targets=targets)
        assert belief.log_targets is not None
        first = belief.top_tokens[:, 0] == targets
        rival = np.where(first, belief.top_probs[:, 1], belief.top_probs[:, 0])
        return Selection(commit=now.rank(np.exp(belief.log_targets) - rival)[: now.share])

    return Policy(name=ORACLE, choose=choose)


def run_oracle(request: InfillRequest, denoiser: Denoiser, targets: Ids) -> Run:
    """Run a request in the oracle order; see `oracle_order`."""
    trace = run_to_end(request, denoiser, policy=oracle_order(targets))
    return Run(trace, trace.nfe, trace.calls)


def run_best_of(request: InfillRequest, denoiser: Denoiser, runs: int) -> Run:
    """Run a request with `runs` seeds and keep the one whose fill and next tokens the parent finds likeliest.

    Each scored text counts as a pass. At temperature 0 the runs are drawn as DRAWN says.
    Raises InfillError if the denoiser has no judge.
    """
    judge = denoiser.judge
    if judge is None:
        raise InfillError(f"'{denoiser.name}' has no autoregressive parent to choose the best with")
    settings: dict[str, Any] = {} if request.temperature > 0 else DRAWN
    traces = [
        run_to_end(replace(request, seed=request.seed * runs + number, **settings), denoiser) for number in range(runs)
    ]
    fills = [trace.canvas.ids[trace.canvas.span] for trace in traces]
    scores = [found.passage for found in nats_per_token(traces[0].start, fills, judge)]
    return Run(
        traces[int(np.argmin(scores))],
        nfe=sum(trace.nfe for trace in traces) + runs,
        calls=sum(trace.calls for trace in traces) + 1,
    )
