"""`python -m app adaptation`: the record of an adaptation, from its log and the checkpoints that it kept.

The record is one JSON object. `python -m models.adapt adapt --keep-at …` leaves what it is made from.

- `parent`: name of the autoregressive model that was adapted.
- `steps`, `tokens`, `training`, `validation`: lists of the same length, one entry for each step that was logged, in
  order; step 0 is the parent before any training, used as a masked diffusion model. `tokens` have been trained on by
  then. `training` is the loss of the step's batch, weighted as the training was, `validation` the bound (ELBO) on
  held-out text with full attention; both in nats per token, null where it was not measured.
- `masks`: the attention mask of each step that was logged, as `step`, `share` and `rows`. `share` is the fraction of
  pairs of a token and a later one, over the whole context, in which the first may see the second: 0 is causal
  attention, 1 full attention. `rows` are the mask's first corner as it was drawn for this step: 12 texts of 12 digits,
  in which digit j of text i is 1 if token i sees token j.
- `checkpoints`: the kept ones, as `step`, `tokens` and `fills`. A fill is a template, `text`, and what that checkpoint
  wrote into its gaps, with one entry for each slot of all gaps: `pieces` of text, the denoising step `when` it was
  written, from 1, and the `confidence` at that step. Fills are greedy, by `low_confidence`, one token a step.
- `command`, `machine`, `date`: how and on what the model was trained, and when the record was made.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InfillError
from app.measure.run import run_to_end
from app.sampling.request import InfillRequest
from app.trace.examples import ASSETS
from models.adapt.curves import Curve, kept, read_log, read_start
from models.denoiser import Denoiser
from models.terminal import progress

GAPS, RECORD = ASSETS / "adaptation" / "gaps.json", ASSETS / "adaptation" / "adaptation.json"


def add_command(commands: Any) -> None:
    """Add the command `adaptation` to what `add_subparsers` returned."""
    about = "fill the same gaps at every checkpoint that an adaptation kept, and write them down with its curve"
    command = commands.add_parser("adaptation", help=about, description=about, allow_abbrev=False)
    command.add_argument(
        "training", type=Path, metavar="FOLDER", help="--out of `python -m models.adapt adapt --keep-at …`"
    )
    command.add_argument(
        "--gaps", type=Path, default=GAPS, help="JSON list of texts with gaps such as [[8]] (default: ten that ship)"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE.json", help="file to write")
    command.set_defaults(run=_record)


def _record(args: argparse.Namespace, load: Callable[..., Denoiser]) -> int:
    requests = read_gaps(args.gaps)
    log = args.training.with_name(f"{args.training.name}.jsonl")
    try:
        curve, start = read_log(log), read_start(log)
    except ValueError as error:
        raise InfillError(str(error)) from error
    checkpoints = kept(args.training, curve)
    if not checkpoints:
        raise InfillError(f"'{args.training}' has kept no checkpoints; train it with --keep-at, as in --keep-at 0,100")
    record = {
        "parent": start["parent"],
        **_losses(curve),
        "masks": [asdict(mask) for mask in curve.masks],
        "checkpoints": [
            {"step": step, "tokens": _tokens(curve, step), "fills": _fills(requests, load, folder)}
            for step, folder in progress([*checkpoints.items()], "checkpoints")
        ],
        "command": start["command"],
        "machine": start["machine"],
        "date": datetime.date.today().isoformat(),
    }
    content = json.dumps(record, ensure_ascii=False) + "\n"
    try:
        args.out.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InfillError(f"cannot write '{args.out}': {error.strerror}") from None
    print(f"{args.out}: {len(checkpoints)} checkpoints, {len(requests)} texts, {len(content.encode()) / 1000:.0f} kB")
    return 0


def read_gaps(file: Path) -> list[InfillRequest]:
    """Return greedy requests of one token a step for a JSON list of templates. Raises InfillError, naming a bad one."""
    try:
        texts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfillError(f"cannot read the gaps in '{file}': {error}") from None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InfillError(f"'{file}' must be a JSON list of texts with gaps, as in [\"She saw a [[3]].\"]")
    requests = []
    for number, text in enumerate(texts, start=1):
        try:
            request = InfillRequest(text=text)
        except InfillError as error:
            raise InfillError(f"text {number} in '{file}' is wrong: {error}") from None
        if request.length is None:
            raise InfillError(f"text {number} in '{file}' has a gap of auto length; write a number of masks")
        requests.append(replace(request, steps=request.length))
    return requests


def markdown(file: Path = RECORD, number: int = 0) -> str:
    """Return a record for the documents: five of its masks, and the fill of text `number` at every checkpoint."""
    record = json.loads(file.read_text(encoding="utf-8"))
    bounds = dict(zip(record["steps"], record["validation"], strict=True))
    text = re.sub(r"\[\[.*?\]\]", "…", record["checkpoints"][0]["fills"][number]["text"])
    rows = [f"| step | tokens | bound, nats per token | {text} |", "| ---: | ---: | ---: | --- |"]
    for checkpoint in record["checkpoints"]:
        fill = "".join(checkpoint["fills"][number]["pieces"]).replace("\n", "↵").replace("|", "\\|").strip()
        step, tokens = checkpoint["step"], checkpoint["tokens"]
        rows.append(f"| {step} | {tokens:,} | {bounds[step]:.2f} | {fill} |")
    return "\n".join([*_masks(record), "", *rows])


def _masks(record: dict[str, Any]) -> list[str]:
    """Return a fenced block of masks side by side, from causal to full: ■ is seen, · is hidden."""
    chosen = [min(record["masks"], key=lambda mask: abs(mask["share"] - share)) for share in (0, 0.25, 0.5, 0.75, 1)]
    heads = [f"step {mask['step']}: {mask['share']:.0%}" for mask in chosen]
    rows = zip(*(mask["rows"] for mask in chosen), strict=True)
    lines = [heads, *([row.translate({48: "·", 49: "■"}) for row in rows_] for rows_ in rows)]
    return ["```", *("  ".join(f"{cell:<14}" for cell in line).rstrip() for line in lines), "```"]


def _fills(requests: Sequence[InfillRequest], load: Callable[..., Denoiser], folder: Path) -> list[dict[str, Any]]:
    """Return what a checkpoint writes into the gaps."""
    denoiser = load(str(folder), device="cpu", dtype="float32")  # so that the device does not matter
    fills = []
    for request in requests:
        trace = run_to_end(request, denoiser)
        fills.append(
            {
                "text": request.text,
                "pieces": trace.pieces(len(trace.steps)),
                "when": trace.order.tolist(),
                "confidence": trace.commits().confidence[trace.start.slots].round(4).tolist(),
            }
        )
    return fills


def _losses(curve: Curve) -> dict[str, list[Any]]:
    """Return the columns `steps`, `tokens`, `training` and `validation`, in order of steps."""
    training = dict(zip(curve.steps, curve.losses, strict=True))
    validation = dict(zip(curve.validated, curve.validation, strict=True))
    steps = sorted(training | validation)
    return {
        "steps": steps,
        "tokens": [_tokens(curve, step) for step in steps],
        "training": [training.get(step) for step in steps],
        "validation": [validation.get(step) for step in steps],
    }


def _tokens(curve: Curve, step: int) -> int:
    """Return the tokens seen by a step; the steps between two validations have equally many."""
    return round(float(np.interp(step, [0, *curve.validated], [0, *curve.tokens])))
