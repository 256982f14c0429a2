"""A Hugging Face checkpoint folder to a denoiser: tokenizer, mask id, full attention, device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from models.transformer import TransformerDenoiser


def _byte_alphabet() -> dict[str, int]:
    """Character to byte, of byte-level BPE (GPT-2): printable bytes stand for themselves, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


class TextTokenizer:
    """A checkpoint's own tokenizer behind the `Vocabulary` interface: what a model without a mask needs."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
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


class CheckpointTokenizer(TextTokenizer):
    """The same with a mask: the `Tokenizer` interface."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, mask_id: int) -> None:
        super().__init__(tokenizer)
        self.mask_id = mask_id


def is_diffusion(folder: Path) -> bool:
    """Whether a checkpoint folder says that it holds a diffusion model: `is_causal: false`, as `models.adapt` writes.

    Raises ValueError if its config.json cannot be read.
    """
    return read_config(folder).get("is_causal") is False


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises ValueError if there is none that can be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is not a whole checkpoint: its config.json cannot be read ({error})") from error
    if isinstance(config, dict):
        return config
    raise ValueError(f"{folder} is not a whole checkpoint: its config.json is no JSON object")


def read_folder(folder: Path, *, device: str | None = None) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """Tokenizer and causal language model of a folder, in fp32 on the CPU, in its own dtype on a GPU (the default).

    Raises ValueError where one is missing, damaged, of another kind, or without some of its weights.
    """
    logging.disable_progress_bar()  # of weights that load in milliseconds
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        found: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32 if device == "cpu" else "auto", output_loading_info=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {error}") from error
    model, loaded = found
    if loaded["missing_keys"]:  # transformers would make them up
        raise ValueError(
            f"{folder} is not a whole checkpoint of a causal language model: it has no {min(loaded['missing_keys'])}"
        )
    return tokenizer, model.eval().to(device)


def load_folder(folder: Path, *, name: str, device: str | None = None) -> TransformerDenoiser:
    """Load a checkpoint folder as a denoiser; see `read_folder`.

    Raises ValueError where neither tokenizer nor config knows a mask token, where the weights do not fit the config, or
    where the model reads itself in another way than `TransformerDenoiser`.
    """
    tokenizer, model = read_folder(folder, device=device)
    if getattr(model.config, "shift", True) is False:
        raise ValueError(f"{folder} was trained without the shift (an ablation), and cannot be read here")
    mask_id = getattr(model.config, "mask_token_id", None)  # it may be one that the tokenizer has for another purpose
    mask_id = tokenizer.mask_token_id if mask_id is None else mask_id
    if mask_id is None:
        raise ValueError(f"{folder} has no mask token; a masked diffusion model needs one in its tokenizer or config")
    model.config.is_causal = False  # full attention; without it transformers stays causal and the suffix goes unseen
    return TransformerDenoiser(
        name,
        model,
        CheckpointTokenizer(tokenizer, mask_id),
        context=model.config.max_position_embeddings,
        vocabulary=len(tokenizer),
    )
