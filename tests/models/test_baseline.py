"""The reference loop where it finds no room."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.baseline import reference_loop
from tests.models.random_weights import MASK, denoiser, network

IDS = np.array([3, 8, MASK, MASK, 5])
ASKED = {"steps": 4, "temperature": 0.9, "top_p": 0.9, "seed": 1}


def test_a_gpu_without_memory_is_told_without_torchs_own_error(monkeypatch):
    model = denoiser(network("llama"))

    def full(**_: object) -> SimpleNamespace:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr(model, "body", full)
    with pytest.raises(MemoryError, match="too little memory for the reference loop"):
        reference_loop(model, IDS, IDS == MASK, **ASKED)
