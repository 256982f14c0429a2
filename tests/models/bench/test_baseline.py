"""The reference loop with an offloaded model, and without enough memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.bench.baseline import reference_loop
from tests.models.random_weights import MASK, denoiser, network

IDS = np.array([3, 8, MASK, MASK, 5])
ASKED = {"steps": 4, "temperature": 0.9, "top_p": 0.9, "seed": 1}


class OnAGpu(torch.Tensor):
    """What CPU tensors cannot be mixed with; comes to them by `to`."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        found: Any = super().__torch_function__(function, types, args, kwargs or {})
        if function is torch.Tensor.to:
            return found.as_subclass(torch.Tensor)
        assert function in (torch.Tensor.float, torch.Tensor.as_subclass), "on two devices"
        return found


def test_an_offloaded_models_beliefs_come_to_where_the_canvas_is():
    model = denoiser(network("llama"))
    expected, _ = reference_loop(model, IDS, IDS == MASK, **ASKED)
    head = model.head
    model.head = lambda hidden: head(hidden).as_subclass(OnAGpu)
    found, forwards = reference_loop(model, IDS, IDS == MASK, **ASKED)
    assert found.tolist() == expected.tolist()
    assert forwards == 4


def test_a_gpu_without_memory_raises_memory_error(monkeypatch):
    model = denoiser(network("llama"))

    def full(**_: object) -> SimpleNamespace:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr(model, "body", full)
    with pytest.raises(MemoryError, match="too little memory for the reference loop"):
        reference_loop(model, IDS, IDS == MASK, **ASKED)
