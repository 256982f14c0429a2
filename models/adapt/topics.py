"""Topic vectors of tokens by latent semantic analysis of a text; see `models.checkpoints.topics`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer
from models.corpus import read_records
from models.denoiser import Floats

WINDOW, DIMENSIONS = 5, 64
_RARE = 1e-3
"""The frequency at which a token weighs half (Arora et al., 2017, SIF)."""


def make_topics(text: Path, folder: Path, *, window: int = WINDOW, dimensions: int = DIMENSIONS) -> Floats:
    """Return a vector for each token of the folder's tokenizer, [vocabulary, dimensions]; see `topics_of`.

    Raises ValueError if the text or the tokenizer cannot be read, or if the text is empty.
    """
    tokenizer = read_tokenizer(folder)
    encode = TextTokenizer(tokenizer).encode
    records = [np.array(encode(record, opening=True), dtype=np.int64) for record in read_records(text)]
    if not records:
        raise ValueError(f"there is no text in {text}")
    return topics_of(records, len(tokenizer), window=window, dimensions=dimensions)


def topics_of(
    records: Sequence[NDArray[np.integer]], vocabulary: int, *, window: int = WINDOW, dimensions: int = DIMENSIONS
) -> Floats:
    """Return topic vectors [vocabulary, dimensions] from the token ids of records.

    Positive pointwise mutual information of tokens at most `window` apart in a record, then a truncated singular value
    decomposition, U sqrt(S) (Levy et al., 2015, https://aclanthology.org/Q15-1016). From each vector the mean over the
    running text is subtracted, and it is multiplied by a / (a + p(token)) with a = 0.001 (SIF, Arora et al., 2017,
    https://openreview.net/forum?id=SyK00v5xx), which takes the place of a list of function words. Tokens that do not
    occur have the vector 0.
    """
    counts = np.bincount(np.concatenate(records), minlength=vocabulary).astype(np.float64)
    shares = counts / counts.sum()
    pairs = torch.from_numpy(positive_information(count_pairs(records, vocabulary, window)))
    torch.manual_seed(0)  # the decomposition starts from random directions
    left, sizes, _ = torch.svd_lowrank(pairs, q=min(vocabulary, dimensions + 32), niter=6)
    vectors = (left[:, :dimensions] * sizes[:dimensions].sqrt()).double().numpy()
    weights = _RARE / (_RARE + shares)
    mean = (shares * weights) @ vectors / (shares @ weights)
    return np.where(counts[:, None] > 0, weights[:, None] * (vectors - mean), 0.0)


def count_pairs(records: Sequence[NDArray[np.integer]], vocabulary: int, window: int) -> NDArray[np.float32]:
    """Return [vocabulary, vocabulary] how often two tokens stand at most `window` apart; it is symmetric."""
    pairs = np.zeros(vocabulary * vocabulary, dtype=np.float32)
    for apart in range(1, window + 1):
        cells = [record[:-apart] * vocabulary + record[apart:] for record in records if len(record) > apart]
        if cells:
            pairs += np.bincount(np.concatenate(cells), minlength=vocabulary * vocabulary)
    square = pairs.reshape(vocabulary, vocabulary)
    return square + square.T


@np.errstate(divide="ignore", invalid="ignore")  # pairs that never occur
def positive_information(pairs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return max(0, log p(a, b) / (p(a) p(b))) of pair counts [vocabulary, vocabulary]; 0 where a pair never occurs."""
    sums = pairs.sum(1, dtype=np.float64).astype(np.float32)
    information = np.log(pairs * (sums.sum() / sums[:, None] / sums))
    return np.where(pairs > 0, information.clip(min=0), 0.0).astype(np.float32)
