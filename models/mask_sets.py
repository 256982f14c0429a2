"""Sets of tokens to mask together when a text is scored, of fixed sizes and in antithetic pairs."""

from __future__ import annotations

import numpy as np

from models.denoiser import Bools, Ids


def mask_counts(count: int, targets: int, rng: np.random.Generator) -> Ids:
    """Return sizes n [count] of each pair's smaller set: 1 + floor(targets x u), u in [0, 1/2) in equal strata.

    Choosing n or its partner targets + 1 - n with probability 1/2 each is uniform on {1..targets}: if targets is odd,
    the middle size, its own partner, has half a stratum.
    """
    u = (rng.permutation(count) + rng.random()) / (2 * count)
    return 1 + (targets * u).astype(np.int64)


def antithetic(ranks: Ids, sizes: Ids) -> Bools:
    """Return pairs of sets [2, k, L] from permutations [k, L]: the first n ranks, and those from rank n - 1 on."""
    return np.stack([ranks < sizes[:, None], ranks >= sizes[:, None] - 1])
