"""The flags that choose a model, its device and its number format; every command that loads a model has them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError, quoted
from models import CATALOGUE

_SETTINGS = ("device", "quantize", "dtype", "mask_token_id", "static", "dual_cache")


def add_model_flags(parser: Any, *, default: str | None = "bundled") -> None:
    """Add the flags to an ArgumentParser or to a group of one; `model_settings` reads them."""
    about = f"{', '.join((*CATALOGUE, 'toy'))}, a checkpoint folder, or a hub name (owner/model)"
    parser.add_argument("--model", default=default, help=f"{about} (default: {default})" if default else about)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps, or spread (default: the best available)")
    parser.add_argument("--quantize", help="int8, nf4 or fp4, through bitsandbytes (default: off)")
    parser.add_argument("--dtype", help="float32, bfloat16 or float16 (default: the best for the device)")
    parser.add_argument("--mask-token-id", type=int, help="id of the mask token (default: the checkpoint's)")
    parser.add_argument(
        "--static", action="store_true", help="pad to a few shapes; on a GPU, compile them into CUDA graphs"
    )
    parser.add_argument(
        "--dual-cache",
        type=int,
        metavar="R",
        help="compute all positions only in every R-th pass and the gap in the others: approximate",
    )


def add_out_flag(parser: Any, name: str) -> None:
    """Add --out, the file for what a command measures of a model; see `beside_weights`."""
    parser.add_argument(
        "--out", type=Path, metavar="FILE.json", help=f"file to write (default: {name} in the model's folder)"
    )


def beside_weights(args: argparse.Namespace, name: str) -> Path:
    """Return the file given with --out, or the file of this name beside the weights of a loaded model.

    Raises InfillError if there is no such folder.
    """
    folder = args.out.parent if args.out else models.folder_of(args.model)
    if folder is None:
        raise InfillError(f"model {quoted(args.model)} has no folder to write {name} into; give --out FILE.json")
    if not folder.is_dir():
        raise InfillError(f"there is no folder '{folder}'; create it, or give another --out")
    return args.out or folder / name


def model_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the given flags as keywords for `models.load`."""
    given = {name: getattr(args, name) for name in _SETTINGS}
    return {name: value for name, value in given.items() if value is not None and value is not False}
