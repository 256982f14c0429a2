"""Use one torch thread: for thousands of tiny tensors, more threads cost more than they save."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
