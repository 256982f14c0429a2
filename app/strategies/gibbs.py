"""Gibbs sampling with the denoiser itself: a draft, and then one position after the other anew."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from app.sampling.canvas import Canvas
from app.sampling.step import Selection, Snapshot, space_out
from app.strategies.registry import Knob, Switch, strategy
from models.denoiser import Bools, Floats, Ids

DOUBTED = 0.3
"""A token that is less probable than this, given all others, is visited in a targeted sweep."""


@strategy(
    budget="cap",
    tops=16,
    least=lambda knobs: 3 + bool(knobs["targeted"] and knobs["energy"]),
    judged=lambda knobs: bool(knobs["energy"]),
)
def gibbs(
    now: Snapshot,
    *,
    block: Annotated[int, Knob(1, 4, "positions drawn at once, no two of them neighbours; 1 with an energy")] = 1,
    targeted: Annotated[bool, Switch("visit only what all others make improbable; costs a pass a sweep")] = False,
    energy: Annotated[
        float, Knob(0.0, 1.0, "how much the autoregressive parent has to say; costs a pass a position")
    ] = 0.0,
    cooling: Annotated[
        float, Knob(0.0, 1.0, "the temperature of the last step as a part of the run's; 1 keeps to that")
    ] = 1.0,
) -> Selection:
    """Draft the span in a third of the steps, then visit position after position, and draw each anew given the rest.

    Each sweep visits every position once, in random order; at temperature 0 the run ends with a sweep that changes
    nothing. A sampler of true conditionals would forget its draft and draw from their joint. What a network has learnt
    as conditionals need not belong to any joint (pseudo-Gibbs), so where this leads depends on the order of the visits.
    With `cooling` the temperature falls evenly from the end of the draft on. With an energy the model's sixteen
    likeliest tokens v are weighed by p(text with v)^energy pi(v)^(1 - energy), p being the parent's probability of the
    span and of 16 tokens after it; top-p then has no say.

    The form is our own and needs no training, unlike Glauber Dynamics Text Diffusion, 2026, arXiv:2605.04291
    """
    canvas, sites = now.canvas, now.canvas.masks
    *_, begun, sweep = (0, 0, *(int(step.selection.notes["sweep"]) for step in now.history))  # of the last two steps
    left = min(len(canvas.span), now.steps // 3) - now.step + 1  # steps of the draft, this one included
    if not sweep and left > 1:
        return now.commit_first(now.rank(now.prediction.confidence), -(-len(sites) // left), sweep=0)
    tokens, confidence = now.prediction.candidates[sites], now.prediction.confidence[sites]
    notes, changed = {}, 0
    if sweep and energy and len(sites) == 1 and now.remaining > 1:  # else a ban has kept something back
        tokens, confidence, notes["energy"] = _weighed(now, int(sites[0]), energy)
    if sweep and len(now.history) > 1:
        before = now.history[-2].canvas
        changed = int((~before.masked[sites] & (before.ids[sites] != tokens)).sum())
        changed += int(now.history[-1].selection.notes["changed"]) if begun == sweep else 0
    wanted, visited = now.carry > 0, np.zeros(len(canvas), dtype=np.bool_)
    for step in now.history:
        visited |= step.canvas.masked & (step.selection.notes["sweep"] == sweep)
    needed = 2 if energy else 1  # calls for a visit, which must be there after this step
    still = now.temperature > 0 or changed > 0
    if not sweep or (still and not (wanted & ~visited).any()):
        wanted, visited = _wanted(now, canvas.commit(sites, tokens), targeted, needed), np.zeros_like(wanted)
        sweep += 1
    free = wanted & ~visited
    if len(sites) < len(canvas.span) or len(sites) == 1:
        free[sites] = False  # they are being written now; only of a draft in one step some may wait for their visit
    going_on = now.remaining > max(now.final_steps, needed)
    visits = space_out(now.rng.permutation(np.flatnonzero(free)), 2)
    chosen = visits[: 1 if energy else block] if going_on else sites[:0]
    written = ~np.isin(sites, chosen)
    return Selection(
        commit=sites[written],
        tokens=tokens[written],
        confidence=confidence[written],
        remask=np.setdiff1d(chosen, sites),
        notes={**notes, "sweep": sweep, "changed": changed},
        temperature=_cooled(now, cooling),
        carry=wanted.astype(np.float64),
    )


def _cooled(now: Snapshot, cooling: float) -> float:
    """The temperature of the next step."""
    draft = min(len(now.canvas.span), now.steps // 3)
    part = (now.step + 1 - draft) / max(1, now.steps - draft)
    return now.forwards.sampling.temperature * (1 - (1 - cooling) * min(max(part, 0.0), 1.0))


def _wanted(now: Snapshot, full: Canvas, targeted: bool, needed: int) -> Bools:
    """[length] what a sweep over a full canvas visits."""
    if not targeted or len(full.span) == 1:
        return full.editable.copy()
    wanted = np.zeros(len(full), dtype=np.bool_)
    if now.remaining - 1 > max(now.final_steps, needed):  # else a visit could not follow
        probes = now.probe([full.remask(np.array([site])) for site in full.span], targets=full.ids)
        for site, probe in zip(full.span, probes, strict=True):
            assert probe.log_targets is not None
            wanted[site] = probe.log_targets[site] < np.log(DOUBTED)
    return wanted


def _weighed(now: Snapshot, site: int, energy: float) -> tuple[Ids, Floats, float]:
    """A token for the site, its probability by the model, and the text's -log p by the parent."""
    kept = now.prediction.top_tokens[site] >= 0
    tokens, pi = now.prediction.top_tokens[site][kept], now.prediction.top_probs[site][kept]
    place = np.array([site])
    log_p = now.forwards.judged([now.canvas.commit(place, tokens[[i]]) for i in range(len(tokens))])
    scores = energy * log_p + (1 - energy) * np.log(pi)
    if now.temperature > 0:
        scores = scores / now.temperature + now.rng.gumbel(size=len(scores))
    best = np.argmax(scores)
    return tokens[[best]], pi[[best]], -float(log_p[best])
