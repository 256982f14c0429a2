"""Which tokens to hide together when a text is scored: sets of fixed sizes, in antithetic pairs."""

from __future__ import annotations

import numpy as np

from models.denoiser import Bools, Ids


def mask_counts(count: int, targets: int, rng: np.random.Generator) -> Ids:
    """[count] sizes n of the smaller set of each pair: 1 + floor(targets x u), u in [0, 1/2) in equal strata.

    n or its partner targets + 1 - n, either with probability 1/2, is uniform on {1..targets}: where targets is odd,
    the middle, its own partner, has half a stratum.
    """
    u = (rng.permutation(count) + rng.random()) / (2 * count)
    return 1 + (targets * u).astype(np.int64)


def antithetic(ranks: Ids, sizes: Ids) -> Bools:
    """[2, k, L] the pairs: from permutations [k, L] the first n ranks, and those from rank n - 1 on."""
    return np.stack([ranks < sizes[:, None], ranks >= sizes[:, None] - 1])
