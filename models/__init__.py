"""Masked diffusion language models behind one interface; independent of `app`.

`denoiser` is the interface and `prediction` what it returns. `catalogue` lists the models; `checkpoints` downloads and
reads them, and decides whether they fit into memory; `networks` runs them; `toy` is a tiny exact model without weights.
`serve` shares a model among threads, `adapt` trains models, `evaluate` and `bench` measure them. torch is imported only
when a model other than the toy is loaded.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from models.catalogue import BUNDLED, CATALOGUE, PARENT, Source, find
from models.denoiser import Denoiser

if TYPE_CHECKING:
    from pathlib import Path

    from models.checkpoints.hub import Progress
    from models.checkpoints.placement import Offer
    from models.networks.autoregressive import AutoregressiveModel

__all__ = [
    "BUNDLED",
    "CATALOGUE",
    "PARENT",
    "Source",
    "fetch",
    "find",
    "folder_of",
    "load",
    "load_parent",
    "offers",
]


def load(
    name: str = "bundled",
    *,
    device: str | None = None,
    quantize: str | None = None,
    dtype: str | None = None,
    mask_token_id: int | None = None,
    static: bool = False,
    dual_cache: int | None = None,
    progress: Progress | None = None,
) -> Denoiser:
    """Load a denoiser: a catalogue entry, `toy` (exact and tiny), a checkpoint folder, or a hub name `owner/model`.

    `device` is cpu, cuda, cuda:1, mps, or spread (over GPUs, memory and disk); the default is the best available.
    `quantize` is int8, nf4 or fp4 (bitsandbytes), `dtype` float32, bfloat16 or float16: see `placement.place`.
    `mask_token_id` overrides the checkpoint and the catalogue. `static` uses only a few shapes (`TransformerDenoiser`);
    `dual_cache` computes all positions only once in that many passes (`DualCacheDenoiser`), which is approximate.
    `progress` is called during a download.
    Raises ValueError if the model does not exist, is damaged or of an unsupported kind, if settings exclude each other,
    or if it does not fit into memory; the last two before anything is downloaded.
    """
    source = find(name)
    if source is None:
        from models.toy import toy

        if dual_cache is not None:
            raise ValueError("the dual cache needs a transformer, which 'toy' is not; leave out --dual-cache")
        return toy()
    from models.checkpoints.checkpoint import load_denoiser
    from models.checkpoints.hub import remote_weights
    from models.checkpoints.placement import place
    from models.checkpoints.weights import read_weights
    from models.networks.dual_cache import DualCacheDenoiser, check

    if dual_cache is not None:
        check(dual_cache, static=static)
    weights = read_weights(source.folder) if source.folder else remote_weights(source.repo or "")
    placement = place(source.name, weights, device=device, dtype=dtype, quantize=quantize)
    folder = fetch(source, progress=progress)
    if weights is None:  # the hub could not be asked, but the files are here
        placement = place(source.name, read_weights(folder), device=device, dtype=dtype, quantize=quantize)
    judge = functools.partial(load_parent, source.parent) if source.parent else None
    denoiser = load_denoiser(folder, source, placement, mask_token_id=mask_token_id, static=static, judge=judge)
    return denoiser if dual_cache is None else DualCacheDenoiser(denoiser, refresh=dual_cache)


def fetch(source: Source, *, progress: Progress | None = None) -> Path:
    """Return the folder of a source, downloaded first if it is on the hub. Raises ValueError if that fails."""
    if source.folder is not None:
        return source.folder
    from models.checkpoints import hub

    return hub.fetch(source, progress=progress)


def folder_of(name: str) -> Path | None:
    """Return a model's folder on this machine, with its measurements; None for the toy or if it is not downloaded.

    Raises ValueError if there is no such model.
    """
    source = find(name)
    if source is None or source.folder is not None:
        return source and source.folder
    from models.checkpoints.hub import downloaded

    return downloaded(source.repo or "")


def offers() -> list[Offer]:
    """List the catalogue entries that this machine can run, and how; see `models.checkpoints.placement.offers`."""
    from models.checkpoints import placement

    return placement.offers()


@functools.cache
def load_parent(folder: Path = PARENT) -> AutoregressiveModel:
    """Load the autoregressive parent of a diffusion model, by default the bundled one's, only once."""
    from models.checkpoints.checkpoint import load_autoregressive

    return load_autoregressive(folder, name="parent")
