"""The worth of each part of the adaptation recipe: trainings with and without it on the same budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from models.adapt.curves import draw, read_log
from models.adapt.objective import Trainee
from models.adapt.parents import check_fit, read_parent, settle_mask
from models.adapt.plan import Plan
from models.adapt.stages import accelerator_for, diffusion_ask
from models.adapt.trainer import train
from models.corpus import Packed, read_records

VARIANTS = {
    "full recipe": {},
    "without the shift": {"shift": False},
    "without annealing": {"anneal": False},
    "from scratch": {"parent": False},
}


def ablate(
    *,
    model: str,
    text: Path,
    valid: Path,
    out: Path,
    anneal_steps: int,
    context: int,
    seed: int,
    precision: str | None,
    **plan: Any,
) -> None:
    """Train each variant into its own folder in `out`, then write `out`/ablation.html and ablation.json.

    All variants see the same batches and noise at every step, as in the paper's ablation (arXiv:2410.17891, table 3).
    A killed run continues where it stopped.
    """
    accelerator, (vocabulary, _) = accelerator_for(precision), read_parent(model)
    training = Packed(read_records(text), vocabulary, context=context, seed=seed)
    validation = Packed(read_records(valid), vocabulary, context=context, seed=1)
    found = {}
    for name, changed in VARIANTS.items():
        _, network = read_parent(model)
        torch.manual_seed(seed)
        if not changed.get("parent", True):
            network = AutoModelForCausalLM.from_config(network.config, dtype=torch.float32)
        mask_id = settle_mask(network, vocabulary, new=None, id_=None)
        check_fit(network, vocabulary, context)
        shift = changed.get("shift", True)
        network.config.update({"is_causal": False, "mask_token_id": mask_id, "shift": shift})
        folder = out / name.replace(" ", "_")
        train(
            Trainee(network, shift=shift),
            vocabulary,
            diffusion_ask(mask_id, anneal_steps=anneal_steps if changed.get("anneal", True) else 1),
            training,
            validation,
            Plan(seed=seed, **plan),
            folder,
            accelerator,
        )
        accelerator.free_memory()
        found[name] = read_log(folder.with_name(f"{folder.name}.jsonl"))
        if accelerator.is_main_process:
            last = {name: (curve.tokens[-1], curve.validation[-1]) for name, curve in found.items()}
            print(f"{name}: at most {last[name][1]:.3f} nats per token after {last[name][0] / 1e6:.2f} M tokens")
    if accelerator.is_main_process:
        draw(
            found, out / "ablation.html", title="The same budget, with and without parts of the recipe", training=False
        )
        figures = {name: dict(zip(curve.tokens, curve.validation, strict=True)) for name, curve in found.items()}
        (out / "ablation.json").write_text(json.dumps(figures, indent=1) + "\n")
