"""Quantising a checkpoint once and for all, so that loading it reads 4 GB rather than 13."""

from __future__ import annotations

import shutil
from pathlib import Path

from models.catalogue import find
from models.checkpoints.checkpoint import read_network
from models.checkpoints.classes import NAME as CLASSES
from models.checkpoints.facts import is_diffusion, mask_id_of
from models.checkpoints.folders import refuse_other_folders, replace
from models.checkpoints.frequencies import NAME as FREQUENCIES
from models.checkpoints.hub import fetch
from models.checkpoints.placement import place
from models.checkpoints.tokenizer import read_tokenizer
from models.checkpoints.topics import NAME as TOPICS
from models.checkpoints.weights import read_weights

MEASURED = (FREQUENCIES, TOPICS, CLASSES, "calibration.json", "length_bias.json")
"""Measurements in a checkpoint folder that hold nearly as well once quantised; `app` writes and reads two of them."""


def quantize(
    name: str,
    out: Path,
    to: str,
    *,
    device: str | None = None,
    dtype: str = "bfloat16",
    mask_token_id: int | None = None,
) -> None:
    """Write a catalogue entry, checkpoint folder or hub model as a quantised checkpoint folder `out`.

    `to` is nf4 (double quantisation), fp4 or int8; `dtype` is for what stays unquantised: embeddings, head, norms.
    The config records what only the catalogue or `mask_token_id` says, and the files MEASURED are copied.
    Raises ValueError as `models.load` does, if the model is quantised already, and if `out` cannot be written.
    """
    source = find(name)
    if source is None:
        raise ValueError("the toy has no weights to quantise; choose a checkpoint folder or a hub name")
    refuse_other_folders(out)
    folder = fetch(source)
    weights = read_weights(folder)
    if weights.quantised:
        raise ValueError(f"{folder} is already quantised; choose the original")
    tokenizer = read_tokenizer(folder)
    network = read_network(folder, placement=place(source.name, weights, device=device, dtype=dtype, quantize=to))
    if source.adapted or is_diffusion(folder) or mask_token_id is not None:
        network.config.is_causal = False
        network.config.mask_token_id = mask_id_of(folder, tokenizer, network, source, asked=mask_token_id)
        if source.context:
            network.config.adapted_context = source.context

    def write(fresh: Path) -> None:
        network.save_pretrained(fresh, save_original_format=False)  # plain names even if DiffuGPT's wrapper was read
        tokenizer.save_pretrained(fresh)
        for name in MEASURED:
            if (folder / name).is_file():
                shutil.copy(folder / name, fresh)

    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, write)
