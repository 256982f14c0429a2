"""The reference loop, written as literally as possible; for comparison only."""

from __future__ import annotations

import torch
from torch import Tensor

from models.bench.speed import name_memory_errors
from models.denoiser import Bools, Ids
from models.networks.transformer import TransformerDenoiser


@name_memory_errors("the reference loop")
@torch.inference_mode()
def reference_loop(
    denoiser: TransformerDenoiser,
    ids: Ids,
    editable: Bools,
    *,
    steps: int,
    temperature: float,
    top_p: float,
    seed: int,
) -> tuple[Ids, int]:
    """Run DiffuLLaMA's quick-start sampler (arXiv:2410.17891); return filled ids [length] and the number of passes.

    Each of the T steps takes a forward pass whether or not anything changed, applies the head to every position of the
    sequence, and sorts all logits for the nucleus. Raises MemoryError if the GPU has too little memory.
    """
    device = denoiser.device
    dice = torch.Generator(device).manual_seed(seed)
    state = torch.from_numpy(ids).to(device)[None]
    masked = torch.from_numpy(editable).to(device)[None]
    draft = _draft(denoiser, state, temperature, top_p, dice)
    forwards = 1
    for t in range(steps - 1, 0, -1):
        revealed = masked & (torch.rand(state.shape, generator=dice, device=device) < 1 / (t + 1))
        state = torch.where(revealed, draft, state)
        masked = masked & ~revealed
        draft = _draft(denoiser, state, temperature, top_p, dice)
        forwards += 1
    return torch.where(masked, draft, state)[0].cpu().numpy(), forwards


def _draft(
    denoiser: TransformerDenoiser, state: Tensor, temperature: float, top_p: float, dice: torch.Generator
) -> Tensor:
    """Draw a token for every position [1, length], given ones included, from its nucleus."""
    logits = denoiser.head(denoiser.body(input_ids=state, use_cache=False).last_hidden_state).float()
    logits = logits.to(state.device)  # an offloaded model's logits may be on a GPU without the canvas
    logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)  # output i - 1 is about token i
    logits[..., denoiser.tokenizer.mask_id] = float("-inf")
    logits[..., denoiser.vocabulary :] = float("-inf")
    ranked, tokens = torch.sort(logits / temperature, descending=True)
    probabilities = ranked.softmax(-1)
    outside = probabilities.cumsum(-1) - probabilities > top_p
    kept = torch.zeros_like(probabilities).scatter(-1, tokens, probabilities.masked_fill(outside, 0.0))
    return torch.multinomial(kept[0], 1, generator=dice).reshape(1, -1)
