"""`python -m app calibrate`: measure a checkpoint's presets, the knobs at which its first choices are reliable."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import models
from app.errors import InfillError
from app.flags import add_model_flags, add_out_flag, beside_weights, model_settings
from app.measure.problems import Problem, as_request, read_problems
from app.measure.reliability import Curve, fit_curve
from app.presets import FILE, LEVELS, STRICTEST, fingerprint, knobs_at, write
from app.sampling.decode import decode
from app.sampling.layout import lay_out
from app.sampling.request import MAX_LENGTH
from app.strategies.registry import find
from models.corpus import read_records
from models.denoiser import Bools, Denoiser, Floats, Sampling
from models.terminal import progress, table

_FALLING = ("entropy", "drift")  # small values are the certain ones
_WORDS = range(5, 23)  # in a sentence that is taken out
_AROUND = 5  # sentences left on either side
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’])\s+")


def add_command(commands: Any) -> None:
    """Add the command `calibrate` to what `add_subparsers` returned."""
    about = "measure a model's presets: knobs at which its first choices are reliable"
    command = commands.add_parser("calibrate", help=about, description=about, allow_abbrev=False)
    on = command.add_mutually_exclusive_group(required=True)
    on.add_argument("--problems", type=Path, metavar="FILE", help="JSON lines with prefix, middle, suffix")
    on.add_argument(
        "--text",
        type=Path,
        metavar="FILE",
        help="held-out text (.txt or .xz), each record ended by <|endoftext|>; one sentence is taken out of each",
    )
    command.add_argument("--limit", type=int, default=200, help="use at most this many infills (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="seed that chooses the sentences (default: %(default)s)")
    add_out_flag(command, FILE)
    add_model_flags(command)
    command.set_defaults(run=_calibrate)


def _calibrate(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    if args.limit < 1:
        raise InfillError(f"--limit must be 1 or more, not {args.limit}")
    problems = read_problems(args.problems) if args.problems else _problems_in(args.text, args.seed)
    problems = problems[: args.limit]
    denoiser = load(args.model, **model_settings(args))
    out, folder = beside_weights(args, FILE), models.folder_of(args.model)
    scores, right = observe(problems, denoiser)
    curves = {name: _curve(name, scores[name], right) for name in STRICTEST}
    found = {
        "model": denoiser.name,
        "weights": fingerprint(folder) if folder else None,
        "measured": datetime.date.today().isoformat(),
        "on": (args.text or args.problems).name,
        "how": "greedily, one token per pass, the most certain first; all masks of each pass but the one it commits",
        "infills": len(problems),
        "observations": len(right),
        "first_choice_stays": round(float(right.mean()), 3),
        "levels": LEVELS,
    } | as_data(curves)
    write(out, found)
    print(_report(found))
    print(f"written to {out}")
    return 0


def _problems_in(path: Path, seed: int) -> list[Problem]:
    try:
        problems = list(sentences_out(read_records(path), seed))
    except ValueError as error:
        raise InfillError(str(error)) from None
    if not problems:
        raise InfillError(
            f"no record of '{path}' has a sentence of {_WORDS[0]} to {_WORDS[-1]} words between two others; "
            "use records of three sentences or more"
        )
    return problems


def sentences_out(records: Sequence[str], seed: int) -> Iterable[Problem]:
    """Yield a problem for each record with a sentence between two others; seed and record number choose which."""
    for number, record in enumerate(records):
        sentences = _SENTENCES.split(" ".join(record.split()))
        fit_in = [
            place
            for place, sentence in enumerate(sentences[1:-1], start=1)
            if len(sentence.split()) in _WORDS and len(sentence.encode()) < MAX_LENGTH
        ]
        if fit_in:
            place = int(np.random.default_rng([seed, number]).choice(fit_in))
            yield Problem(
                prefix=" ".join(sentences[max(0, place - _AROUND) : place]),
                middle=sentences[place],
                suffix=" ".join(sentences[place + 1 : place + 1 + _AROUND]),
            )


def observe(problems: Sequence[Problem], denoiser: Denoiser) -> tuple[dict[str, Floats], Bools]:
    """Return each score [n], and whether the first choice was committed in the end [n], for every mask of every pass.

    The mask that a pass commits is left out, because its first choice is committed by definition. `drift` is infinite
    in a run's first pass. Raises InfillError if no observations are left.
    """
    policy = replace(find("low_confidence").bind({}), lookback=1)
    sampling = Sampling(banned=tuple(sorted(denoiser.tokenizer.special_ids)))
    rows, right = [], []
    for problem in progress(problems, "infills"):
        request = as_request(problem, denoiser)
        canvas, _ = lay_out(request, denoiser)
        steps = list(decode(canvas, denoiser, policy, steps=request.steps, sampling=sampling))
        final = steps[-1].canvas.ids
        for step in steps:
            belief, masks = step.prediction, step.canvas.masks
            seen = [belief.drift[:, 0] if name == "drift" else getattr(belief, name) for name in STRICTEST]
            rows.append(np.stack(seen)[:, masks])
            right.append(belief.top_tokens[masks, 0] == final[masks])
    observed, stayed = np.concatenate(rows, axis=1), np.concatenate(right)
    if not len(stayed):
        raise InfillError("every middle is a single token, so nothing can be observed; use longer middles")
    return dict(zip(STRICTEST, observed, strict=True)), stayed


def _curve(name: str, scores: Floats, right: Bools) -> Curve | None:
    """Fit a score's curve; None if no score is finite, as for drift if all middles have two tokens or fewer."""
    finite = np.isfinite(scores)
    return fit_curve(scores[finite], right[finite], rising=name not in _FALLING) if finite.any() else None


def as_data(curves: dict[str, Curve | None]) -> dict[str, Any]:
    """Return each score's thresholds and curve, and the presets that follow; a threshold never reached is None."""
    thresholds = {
        name: {level: curve and curve.threshold(chance) for level, chance in LEVELS.items()}
        for name, curve in curves.items()
    }
    scores = {
        name: {
            "observations": int(curve.counts.sum()) if curve else 0,
            "thresholds": {level: at if at is None else _short(at) for level, at in thresholds[name].items()},
            "curve": [[_short(score), _short(chance)] for score, chance in curve.points()] if curve else [],
        }
        for name, curve in curves.items()
    }
    return {"scores": scores, "presets": knobs_at(thresholds)}


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def _report(found: dict[str, Any]) -> str:
    scores = {name: score["thresholds"] for name, score in found["scores"].items()}
    never = [f"{name} ({level})" for name, at in scores.items() for level in LEVELS if at[level] is None]
    knobs = [
        (f"{name} {knob}", *(f"{levels[level][knob]}" for level in LEVELS))
        for name, levels in found["presets"].items()
        for knob in levels[next(iter(LEVELS))]
    ]
    parts = [
        f"{found['infills']} infills, {found['observations']} observations; the first choice stays in "
        f"{found['first_choice_stays']:.1%}",
        table(
            [(name, *("never" if at[e] is None else f"{at[e]}" for e in LEVELS)) for name, at in scores.items()],
            header=("score", *(f"{level} ({chance:g})" for level, chance in LEVELS.items())),
        ),
    ]
    if never:
        parts.append(f"never reached, so the strictest value is used: {', '.join(never)}")
    return "\n".join([*parts, table(knobs)])
