"""Gibbs sampling with the denoiser: draft the span, then redraw one position after the other."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.step import Selection, Snapshot, space_out
from app.strategies.registry import Knob, Switch, strategy
from models.denoiser import Bools, Floats, Ids

DOUBTED = 0.3
"""A targeted sweep visits tokens that are less probable than this given all others."""


@strategy(
    title="Rewrites word after word",
    group="Second thoughts",
    budget="cap",
    tops=16,
    least=lambda knobs: 3 + bool(knobs["targeted"] and knobs["energy"]),
    judged=lambda knobs: bool(knobs["energy"]),
    ranks="tokens",
)
def gibbs(
    now: Snapshot,
    *,
    block: Annotated[int, Knob(1, 4, "tokens rewritten at once, never neighbours; always 1 with an energy")] = 1,
    targeted: Annotated[
        bool, Switch("rewrite only tokens that the others make improbable; costs one pass a round")
    ] = False,
    energy: Annotated[float, Knob(0.0, 1.0, "weight of the autoregressive parent; costs one pass a token")] = 0.0,
    cooling: Annotated[
        float, Knob(0.0, 1.0, "temperature of the last step as a share of the run's; 1 keeps it constant")
    ] = 1.0,
) -> Selection:
    """Draft the span in a third of the steps, then visit position after position and redraw each given the rest.

    Each sweep visits every position once, in random order; at temperature 0 the run ends after a sweep that changes
    nothing. With exact conditionals, the samples would forget the draft and follow the joint distribution. The
    conditionals that a network has learnt need not belong to any joint distribution (pseudo-Gibbs), so the result
    depends on the order of the visits. With `cooling` the temperature falls linearly after the draft. With an energy,
    the model's sixteen most probable tokens v are weighted by p(text with v)^energy pi(v)^(1 - energy), where p is the
    parent's probability of the span and of 16 tokens after it; top-p is then ignored.

    After Glauber Dynamics Text Diffusion, 2026, arXiv:2605.04291

    Deviates: this form is our own and needs no training, unlike the paper's.
    """
    canvas, sites = now.canvas, now.canvas.masks
    previous_sweep, sweep = [0, 0, *(int(step.selection.notes["sweep"]) for step in now.history)][-2:]
    left = min(now.masks_at_start, now.steps // 3) - now.step + 1  # steps of the draft, this one included
    if not sweep and left > 1:
        return now.commit_first(now.rank(now.prediction.confidence), -(-len(sites) // left), sweep=0)
    tokens, confidence = now.prediction.candidates[sites], now.prediction.confidence[sites]
    notes, changed = {}, 0
    if sweep and energy and len(sites) == 1 and now.remaining > 1:  # several only if a ban has kept some masked
        tokens, confidence, notes["energy"] = _weigh_energy(now, int(sites[0]), energy)
    if sweep:
        before = [now.start, *(step.canvas for step in now.history)][-2]
        changed = int((~before.masked[sites] & (before.ids[sites] != tokens)).sum())
        changed += int(now.history[-1].selection.notes["changed"]) if previous_sweep == sweep else 0
    wanted, visited = now.carry > 0, _visited(now, sweep)
    needed = 2 if energy else 1  # calls of a visit, which must be left after this step
    unfinished = now.temperature > 0 or changed > 0
    if not sweep or (unfinished and not (wanted & ~visited).any()):
        wanted, visited = _to_visit(now, canvas.commit(sites, tokens), targeted, needed), np.zeros_like(wanted)
        sweep += 1
    free = wanted & ~visited
    if len(sites) < len(canvas.span) or len(sites) == 1:
        free[sites] = False  # they are committed now; only after a one-step draft may some wait for their visit
    may_visit = now.remaining > max(now.final_steps, needed)
    visits = space_out(now.rng.permutation(np.flatnonzero(free)), 2)
    chosen = visits[: 1 if energy else block] if may_visit else sites[:0]
    commit = ~np.isin(sites, chosen)
    return Selection(
        commit=sites[commit],
        tokens=tokens[commit],
        confidence=confidence[commit],
        remask=np.setdiff1d(chosen, sites),
        notes={**notes, "sweep": sweep, "changed": changed},
        temperature=_next_temperature(now, cooling),
        carry=wanted.astype(np.float64),
    )


def _visited(now: Snapshot, sweep: int) -> Bools:
    """Return which positions [length] have been masked in a sweep."""
    visited = np.zeros(len(now.canvas), dtype=np.bool_)
    for step in now.history:
        visited |= step.canvas.masked & (step.selection.notes["sweep"] == sweep)
    return visited


def _next_temperature(now: Snapshot, cooling: float) -> float:
    """Return the temperature of the next step."""
    draft = min(now.masks_at_start, now.steps // 3)
    progress = (now.step + 1 - draft) / max(1, now.steps - draft)
    return now.forwards.sampling.temperature * (1 - (1 - cooling) * min(max(progress, 0.0), 1.0))


def _to_visit(now: Snapshot, full: Canvas, targeted: bool, needed: int) -> Bools:
    """Return [length] whether a sweep over a full canvas visits a position."""
    if not targeted or len(full.span) == 1:
        return full.editable.copy()
    wanted = np.zeros(len(full), dtype=np.bool_)
    if now.remaining - 1 > max(now.final_steps, needed):  # otherwise no visit could follow
        probes = now.probe([full.remask(np.array([site])) for site in full.span], targets=full.ids)
        for site, probe in zip(full.span, probes, strict=True):
            assert probe.log_targets is not None
            wanted[site] = probe.log_targets[site] < np.log(DOUBTED)
    return wanted


def _weigh_energy(now: Snapshot, site: int, energy: float) -> tuple[Ids, Floats, float]:
    """Return a token for the site, its probability by the model, and the text's -log p by the parent."""
    kept = now.prediction.top_tokens[site] >= 0
    tokens, pi = now.prediction.top_tokens[site][kept], now.prediction.top_probs[site][kept]
    place = np.array([site])
    log_p = now.forwards.judged([now.canvas.commit(place, tokens[[i]]) for i in range(len(tokens))])
    scores = energy * log_p + (1 - energy) * np.log(pi)
    if now.temperature > 0:
        scores = scores / now.temperature + now.rng.gumbel(size=len(scores))
    best = np.argmax(scores)
    return tokens[[best]], pi[[best]], -float(log_p[best])
