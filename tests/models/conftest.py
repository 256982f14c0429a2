"""Thousands of tiny tensors: handing them to other threads costs more than it saves."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
