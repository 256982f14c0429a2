"""`python -m models.checkpoints.convert SRC DST --to nf4`: quantise once, so that a start reads 4 GB rather than 13."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import models
from models.checkpoints.checkpoint import read_network
from models.checkpoints.facts import is_diffusion, mask_id_of
from models.checkpoints.folders import refuse_other_folders, replace
from models.checkpoints.frequencies import NAME as FREQUENCIES
from models.checkpoints.placement import place
from models.checkpoints.tokenizer import read_tokenizer
from models.checkpoints.weights import QUANTISED, read_weights

MEASURED = (FREQUENCIES, "calibration.json", "length_bias.json")
"""What may lie beside the weights, and is nearly as true of the quantised ones; `app` writes and reads two of them."""


def quantize(
    name: str,
    out: Path,
    to: str,
    *,
    device: str | None = None,
    dtype: str = "bfloat16",
    mask_token_id: int | None = None,
) -> None:
    """Write a preset, folder or hub name as a checkpoint folder that bitsandbytes need not quantise again.

    `to` is nf4 (double quantisation), fp4 or int8; `dtype` is that of what stays as it is: embeddings, head, norms.
    What its preset or `mask_token_id` says goes into its config, and what was measured of it goes along.
    Raises ValueError as `models.load` does, where it is quantised already, and where `out` cannot be written.
    """
    source = models.find(name)
    if source is None:
        raise ValueError("the toy has no weights to quantise: give a checkpoint folder or a hub name")
    refuse_other_folders(out)
    folder = models.fetch(source)
    weights = read_weights(folder)
    if weights.quantised:
        raise ValueError(f"{folder} is quantised already: give the original")
    tokenizer = read_tokenizer(folder)
    network = read_network(folder, placement=place(source.name, weights, device=device, dtype=dtype, quantize=to))
    if source.adapted or is_diffusion(folder) or mask_token_id is not None:
        network.config.is_causal = False
        network.config.mask_token_id = mask_id_of(folder, tokenizer, network, source, asked=mask_token_id)
        if source.context:
            network.config.adapted_context = source.context

    def write(fresh: Path) -> None:
        network.save_pretrained(
            fresh, save_original_format=False
        )  # plain names, also where DiffuGPT's wrapper was read
        tokenizer.save_pretrained(fresh)
        for name in MEASURED:
            if (folder / name).is_file():
                shutil.copy(folder / name, fresh)

    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, write)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 2 for a mistake that the user can put right."""
    parser = argparse.ArgumentParser(prog="python -m models.checkpoints.convert", description=__doc__)
    parser.add_argument("source", metavar="SRC", help="a preset, a checkpoint folder, or a hub name")
    parser.add_argument("out", metavar="DST", type=Path, help="the folder to write")
    parser.add_argument("--to", choices=list(QUANTISED), default="nf4", help="(default: %(default)s)")
    parser.add_argument("--device", help="where to do it: cpu, cuda (default: the best that is here)")
    parser.add_argument("--dtype", default="bfloat16", help="of what is not quantised (default: %(default)s)")
    parser.add_argument("--mask-token-id", type=int, help="overrides what the checkpoint says")
    args = parser.parse_args(arguments)
    try:
        quantize(args.source, args.out, args.to, device=args.device, dtype=args.dtype, mask_token_id=args.mask_token_id)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    before, after = (read_weights(folder).bytes / 1e6 for folder in (models.fetch(models.find(args.source)), args.out))
    print(f"{args.out}: {after:.1f} MB of weights, from {before:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
