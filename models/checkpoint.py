"""A Hugging Face checkpoint folder to a denoiser: tokenizer, mask id, full attention, device."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from models.transformer import TransformerDenoiser


def _byte_alphabet() -> dict[str, int]:
    """Character to byte, of byte-level BPE (GPT-2): printable bytes stand for themselves, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


class CheckpointTokenizer:
    """A checkpoint's own tokenizer behind the `Tokenizer` interface."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, mask_id: int) -> None:
        self._tokenizer = tokenizer
        self.mask_id = mask_id
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if begin is None:
            raise ValueError("the tokenizer has neither a begin- nor an end-of-text token to start a text with")
        self.begin = (begin,)
        self.special_ids = frozenset(tokenizer.all_special_ids)
        backend = json.loads(tokenizer.backend_tokenizer.to_str())  # pyright: ignore[reportAttributeAccessIssue]
        self._byte_level = "ByteLevel" in json.dumps(backend["decoder"])
        self._alphabet = _byte_alphabet()

    def encode(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def token_bytes(self, token: int) -> bytes:
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if token in self.special_ids:
            return piece.encode()
        if self._byte_level:
            if all(character in self._alphabet for character in piece):
                return bytes(self._alphabet[character] for character in piece)
            return piece.encode()  # a token that was added as it reads
        if len(piece) == 6 and piece.startswith("<0x"):  # SentencePiece's byte fallback
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").encode()


def load_folder(folder: Path, *, name: str, device: str | None = None) -> TransformerDenoiser:
    """Load a checkpoint folder in fp32 on the CPU, in its own dtype on a GPU.

    Raises ValueError where the folder has no tokenizer with a mask token, or no weights that fit its configuration.
    """
    logging.disable_progress_bar()  # of weights that load in milliseconds
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32 if device == "cpu" else "auto")
    except OSError as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {error}") from error
    mask_id = tokenizer.mask_token_id
    if mask_id is None:
        raise ValueError(f"{folder} has no mask token in its tokenizer; a masked diffusion model needs one")
    model.config.is_causal = False  # full attention; without it transformers stays causal and the suffix goes unseen
    model.eval().to(device)
    return TransformerDenoiser(
        name,
        model,
        CheckpointTokenizer(tokenizer, mask_id),
        context=model.config.max_position_embeddings,
        vocabulary=len(tokenizer),
    )
