"""A Hugging Face checkpoint folder to a denoiser: tokenizer, weights, mask id, full attention."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from models.facts import context_of, is_diffusion, mask_id_of, read_config
from models.frequencies import read_frequencies
from models.placement import Placement, TooLargeError, reclaim
from models.presets import Source
from models.quantised import bits, check_stored, check_widths, compute_in, stored_quantisation
from models.tokenizer import CheckpointTokenizer, one_line, read_tokenizer
from models.transformer import TransformerDenoiser
from models.weights import read_weights

ARCHITECTURES = {
    "gpt2": ("transformer", "wte"),
    "llama": ("model", "embed_tokens"),
    "qwen2": ("model", "embed_tokens"),
    "mistral": ("model", "embed_tokens"),
}
"""What can be read: what transformers calls its body, and the body its token embedding."""


def read_network(
    folder: Path, *, placement: Placement | None = None, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """The causal language model of a folder where a placement says, or on the CPU in `dtype`; evaluation mode.

    GPT-2, LLaMA, Qwen2 and Mistral, as plain folders, as DiffuGPT's wrapper (arXiv:2410.17891; its code's
    `embed_tokens`, `denoise_model`, `lm_head`), or quantised by bitsandbytes before they were saved. safetensors
    only, and no code of the checkpoint's own.
    Raises ValueError where it is of another kind, damaged, or without some of its weights.
    """
    logging.disable_progress_bar()  # of weights that load in milliseconds
    weights, settings = read_weights(folder), {}
    try:
        config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {one_line(error)}") from error
    if config.model_type not in ARCHITECTURES:
        raise ValueError(
            f"{folder} is of the architecture '{config.model_type}', those that can be read are "
            f"{', '.join(ARCHITECTURES)}"
        )
    if weights.wrapped:
        body, embedding = ARCHITECTURES[config.model_type]
        settings["key_mapping"] = {r"^embed_tokens\.": f"{body}.{embedding}.", r"^denoise_model\.": f"{body}."}
        config.vocab_size = weights.rows() or config.vocab_size  # padded to an even number, whatever the config says
    if config.model_type == "mistral":
        config.sliding_window = None  # full attention is full
    placement = placement or Placement(device="cpu", dtype=str(dtype).removeprefix("torch."))
    stored = stored_quantisation(config)
    if stored:
        check_stored(folder, stored, placement.quantize)
    elif placement.quantize:
        check_widths(folder, config, placement)
        settings["quantization_config"] = bits(placement.quantize, placement.torch_dtype)
    spread, quantised = placement.device == "spread", stored or placement.quantize
    if spread:
        settings["offload_folder"] = tempfile.mkdtemp(prefix="offload-")
    try:
        network, found = AutoModelForCausalLM.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues]
            folder,
            config=config,
            dtype=placement.torch_dtype,
            device_map="auto" if spread else {"": placement.device} if quantised else None,
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **settings,
        )
        if not spread and not quantised:
            # Not while loading: transformers loads in threads, for which ZeroGPU's emulated GPU is not there.
            network = network.to(placement.device)  # pyright: ignore[reportAttributeAccessIssue]
    except torch.OutOfMemoryError as error:
        reclaim()
        raise TooLargeError(
            f"{folder} does not fit into the memory of {placement.device}: give --quantize nf4, or a smaller model"
        ) from error
    except Exception as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {one_line(error)}") from error
    if found["missing_keys"]:  # transformers would make them up
        raise ValueError(
            f"{folder} is not a whole checkpoint of a causal language model: it has no {min(found['missing_keys'])}"
        )
    if stored:
        compute_in(network, placement.torch_dtype)  # it would go on in what it was saved with
    return network.eval()


def load_denoiser(
    folder: Path,
    source: Source,
    placement: Placement,
    *,
    mask_token_id: int | None = None,
    static: bool = False,
) -> TransformerDenoiser:
    """Load a checkpoint folder as a denoiser; see `read_network`.

    Raises ValueError also where neither tokenizer nor config nor anybody knows a mask token, where what they say
    differs, or where the model reads itself in another way than `TransformerDenoiser`.
    """
    if read_config(folder).get("shift") is False:
        raise ValueError(f"{folder} was trained without the shift (an ablation), and cannot be read here")
    tokenizer = read_tokenizer(folder)
    adapted = source.adapted or is_diffusion(folder)
    network = read_network(folder, placement=placement)
    rows = len(network.get_input_embeddings().weight)  # pyright: ignore[reportArgumentType]
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens, but the network knows {rows}: they do not belong "
            "together"
        )
    mask_id = mask_id_of(folder, tokenizer, network, source, asked=mask_token_id)
    network.config.is_causal = False  # full attention; without it transformers stays causal and the suffix goes unseen
    notices = placement.notices
    if not adapted:
        notices += (
            f"'{source.name}' does not say that it was adapted to diffusion (its config.json has no is_causal: false). "
            "A plain autoregressive model writes poorly here: `python -m models.adapt adapt` makes it one that can.",
        )
    return TransformerDenoiser(
        source.name,
        network,
        CheckpointTokenizer(tokenizer, mask_id, frequencies=read_frequencies(folder, tokenizer.get_vocab())),
        context=context_of(network, source),
        vocabulary=len(tokenizer),
        static=static,
        notices=notices,
    )
