"""Which model, where it runs, and how: the flags of every command that loads one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import models
from app.errors import InfillError
from models import CATALOGUE

_SETTINGS = ("device", "quantize", "dtype", "mask_token_id", "static", "dual_cache")


def add_model_flags(parser: Any, *, default: str | None = "bundled") -> None:
    """`parser` is an ArgumentParser, or a group of one; `model_settings` reads what was given."""
    about = f"{', '.join((*CATALOGUE, 'toy'))}, a checkpoint folder, or a hub name (owner/model)"
    parser.add_argument("--model", default=default, help=f"{about} (default: {default})" if default else about)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps, or spread (default: the best that is here)")
    parser.add_argument("--quantize", help="int8, nf4 or fp4, through bitsandbytes (default: none)")
    parser.add_argument("--dtype", help="float32, bfloat16 or float16 (default: what suits the device)")
    parser.add_argument("--mask-token-id", type=int, help="overrides what the checkpoint says")
    parser.add_argument("--static", action="store_true", help="a few padded shapes; on a GPU compiled into CUDA graphs")
    parser.add_argument(
        "--dual-cache", type=int, metavar="R", help="compute only the gap, but all in every R passes: approximate"
    )


def add_out_flag(parser: Any, name: str) -> None:
    """Where what was measured of a model goes: see `beside_weights`."""
    parser.add_argument("--out", type=Path, metavar="FILE.json", help=f"(default: {name} in the model's folder)")


def beside_weights(args: argparse.Namespace, name: str) -> Path:
    """The file that was asked for, or one of this name beside the weights of a model that has been loaded.

    Raises InfillError where there is no such folder.
    """
    folder = args.out.parent if args.out else models.folder_of(args.model)
    if folder is None:
        raise InfillError(f"model '{args.model}' has no folder here to write {name} into; give --out FILE.json")
    if not folder.is_dir():
        raise InfillError(f"there is no folder '{folder}' to write into")
    return args.out or folder / name


def model_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The flags that were given, as `models.load` calls them."""
    given = {name: getattr(args, name) for name in _SETTINGS}
    return {name: value for name, value in given.items() if value is not None and value is not False}
