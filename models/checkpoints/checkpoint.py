"""Loading a Hugging Face checkpoint folder as a denoiser: tokenizer, weights, mask id, full attention."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from models.catalogue import Source
from models.checkpoints.classes import read_classes
from models.checkpoints.facts import context_of, is_diffusion, mask_id_of, model_type_of, read_config
from models.checkpoints.frequencies import read_frequencies
from models.checkpoints.placement import Placement, TooLargeError, place, reclaim
from models.checkpoints.quantisation import bits, check_stored, check_widths, compute_in, stored_quantisation
from models.checkpoints.tokenizer import CheckpointTokenizer, TextTokenizer, one_line, read_tokenizer
from models.checkpoints.weights import Weights, read_weights
from models.denoiser import Judge
from models.networks.autoregressive import AutoregressiveModel
from models.networks.transformer import TransformerDenoiser
from models.quoting import quoted

ARCHITECTURES = {
    "gpt2": ("transformer", "wte"),
    "llama": ("model", "embed_tokens"),
    "qwen2": ("model", "embed_tokens"),
    "mistral": ("model", "embed_tokens"),
}
"""Supported architectures: the names of the body in transformers and of the token embedding in the body."""


_HARMLESS = (".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", ".position_ids", "lm_head.weight")
"""Ends of the names of tensors that older checkpoints hold without need: causal masks, positions, a tied head."""
_TALKATIVE = ("modeling_utils", "configuration_utils", "distributed.tensor_parallel")
"""Modules of transformers that print tables of what is wrong with a checkpoint; the checks here say it in a line."""
_ATTENTION = ("full_attention", "sliding_attention")
"""What `layer_types` of a config may say of a layer; both are read with full attention."""


def read_network(
    folder: Path, *, placement: Placement | None = None, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """Read a folder's causal language model into its placement, by default the CPU in `dtype`, in evaluation mode.

    Supports GPT-2, LLaMA, Qwen2 and Mistral, as plain folders, as DiffuGPT's wrapper (arXiv:2410.17891; its code's
    `embed_tokens`, `denoise_model`, `lm_head`), or saved after quantising by bitsandbytes. Weights must be safetensors,
    and code in the checkpoint is not run.
    Raises ValueError if the model is of another kind, damaged, or lacks some weights.
    """
    logging.disable_progress_bar()  # of weights that load in milliseconds
    for part in _TALKATIVE:
        getLogger(f"transformers.{part}").setLevel(ERROR)
    weights, settings = read_weights(folder), {}
    config = _read_architecture(folder, weights)
    if weights.wrapped:
        body, embedding = ARCHITECTURES[config.model_type]
        settings["key_mapping"] = {r"^embed_tokens\.": f"{body}.{embedding}.", r"^denoise_model\.": f"{body}."}
        config.vocab_size = weights.rows() or config.vocab_size  # padded to an even number, unlike the config's
    _check_numbers(folder, weights)
    placement = placement or Placement(device="cpu", dtype=str(dtype).removeprefix("torch."))
    stored = stored_quantisation(config)
    if stored:
        check_stored(folder, stored, placement.quantize)
    elif placement.quantize:
        check_widths(folder, config, placement)
        settings["quantization_config"] = bits(placement.quantize, placement.torch_dtype)
    spread, quantised = placement.device == "spread", stored or placement.quantize
    settings["device_map"] = "auto" if spread else {"": placement.device} if quantised else None
    with ExitStack() as undo:
        if spread:
            settings["offload_folder"] = tempfile.mkdtemp(prefix="offload-")
            undo.callback(shutil.rmtree, settings["offload_folder"], ignore_errors=True)
        network, found = _load(folder, config, placement, settings)
        weakref.finalize(network.base_model, undo.pop_all().close)  # which outlives the network in a denoiser
    _check_whole(folder, found)
    _check_finite(folder, network)
    if stored:
        compute_in(network, placement.torch_dtype)  # otherwise it computes in the dtype that it was saved with
    return network.eval()


_ONE_BY_ONE = threading.Lock()
"""transformers sets torch's defaults while it loads; a model that loads beside another would get no weights."""


def _load(folder: Path, config: Any, placement: Placement, settings: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the network on its device, and transformers' report on missing and mismatched weights."""
    try:
        with _ONE_BY_ONE:
            network, found = AutoModelForCausalLM.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues]
                folder,
                config=config,
                dtype=placement.torch_dtype,
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # `_check_whole` reports them
                **settings,
            )
        if settings["device_map"] is None:
            # Not while loading: transformers loads in threads, in which ZeroGPU's emulated GPU is not available.
            network = network.to(placement.device)  # pyright: ignore[reportAttributeAccessIssue]
    except torch.OutOfMemoryError as error:
        reclaim()
        raise TooLargeError(
            f"{folder} does not fit into the memory of {placement.device}; use --quantize nf4 or a smaller model"
        ) from error
    except Exception as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {one_line(error)}") from error
    return network, found  # pyright: ignore[reportReturnType]


def _check_whole(folder: Path, found: Mapping[str, Any]) -> None:
    """Raise ValueError for tensors that are missing or of another shape, which transformers would fill at random.

    Also for those that the architecture has no place for, which it would drop: the network would be another one.
    """
    if found["mismatched_keys"]:
        name, shape, wanted = min(found["mismatched_keys"])
        raise ValueError(
            f"{folder} is not a whole checkpoint: its {name} has the shape {list(shape)}, but its config.json says "
            f"{list(wanted)}; download the folder again, or add the config.json that belongs to these weights"
        )
    if found["missing_keys"]:
        raise ValueError(
            f"{folder} is not a whole checkpoint of a causal language model: it has no {min(found['missing_keys'])}; "
            "download the folder again"
        )
    if surplus := [name for name in found["unexpected_keys"] if not name.endswith(_HARMLESS)]:
        raise ValueError(
            f"{folder} holds {min(surplus)}, for which the architecture in its config.json has no place; add the "
            "config.json that belongs to these weights"
        )


def _check_numbers(folder: Path, weights: Weights) -> None:
    """Raise ValueError for weights in whole numbers, which need scales that only bitsandbytes stores as it is known."""
    if found := [name for name in weights.integers() if not name.endswith(_HARMLESS)]:
        raise ValueError(
            f"{folder} holds {min(found)} in {weights.formats[min(found)]}, which is not a floating-point format, and "
            "no scale for it; use the original weights in F32, F16 or BF16"
        )


def _check_finite(folder: Path, network: PreTrainedModel) -> None:
    """Raise ValueError for a weight that is not a finite number."""
    for name, weight in network.named_parameters():
        if weight.is_floating_point() and not weight.is_meta and not torch.isfinite(weight).all():
            raise ValueError(f"{folder} is damaged: its {name} has values that are not finite; download it again")


def _read_architecture(folder: Path, weights: Weights) -> Any:
    """Return the config of a supported network, with full attention instead of sliding windows.

    Raises ValueError if the architecture is not supported or cannot be determined.
    """
    stated = read_config(folder)
    try:
        type_ = model_type_of(stated, weights)
    except ValueError as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {error}") from None
    if type_ is None:
        raise ValueError(
            f"cannot tell the architecture of {folder}: its config.json has no model_type; add one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    if type_ not in ARCHITECTURES:
        raise ValueError(f"{folder} is of the architecture {quoted(type_)}; supported are {', '.join(ARCHITECTURES)}")
    kinds = stated.get("layer_types") or []
    if odd := [kind for kind in kinds if kind not in _ATTENTION] if isinstance(kinds, list) else [kinds]:
        raise ValueError(f"{folder} has layers of the type {quoted(odd[0])}; supported are {', '.join(_ATTENTION)}")
    # A Mistral with such a list would be read as another class, Ministral, which needs the window.
    plain = type_ != "mistral" or not kinds
    try:
        if stated.get("model_type") and plain:
            config: Any = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        else:
            left_out = {"model_type"} if plain else {"model_type", "layer_types"}
            config = AutoConfig.for_model(type_, **{key: stated[key] for key in stated if key not in left_out})
    except Exception as error:
        raise ValueError(f"{folder} is not a whole checkpoint: {one_line(error)}") from error
    layers = config.num_hidden_layers
    if type(layers) is not int or not 0 < layers <= len(weights.shapes):  # making a network of any number takes long
        raise ValueError(
            f"{folder} is not a whole checkpoint: its config.json says that it has {quoted(layers)} layers, and its "
            f"weights are {len(weights.shapes)} tensors; download it again"
        )
    full = {"sliding_window": None, "use_sliding_window": False}
    full["layer_types"] = ["full_attention"] * layers
    config.update({name: value for name, value in full.items() if getattr(config, name, None)})
    return config


def load_denoiser(
    folder: Path,
    source: Source,
    placement: Placement,
    *,
    mask_token_id: int | None = None,
    static: bool = False,
    judge: Callable[[], Judge] | None = None,
) -> TransformerDenoiser:
    """Load a checkpoint folder as a denoiser; see `read_network`. `judge` loads `Denoiser.judge`.

    Raises ValueError also if no mask token is known, if files and catalogue disagree about it, or if the model was
    trained for another read-out than `TransformerDenoiser` has.
    """
    if read_config(folder).get("shift") is False:
        raise ValueError(f"{folder} was trained without the shift (an ablation), which is not supported")
    _read_architecture(folder, read_weights(folder))  # before the tokenizer, for which transformers reads the config
    tokenizer = read_tokenizer(folder)
    adapted = source.adapted or is_diffusion(folder)
    network = read_network(folder, placement=placement)
    rows = len(network.get_input_embeddings().weight)  # pyright: ignore[reportArgumentType]
    if len(tokenizer) > rows:
        raise ValueError(
            f"the tokenizer in {folder} has {len(tokenizer)} tokens, but the network only {rows}: they do not belong "
            "together; add the tokenizer that was published with this checkpoint"
        )
    mask_id = mask_id_of(folder, tokenizer, network, source, asked=mask_token_id)
    network.config.is_causal = False  # full attention; by default transformers is causal and ignores the suffix
    notices = placement.notices
    if not adapted:
        notices += (
            f"'{source.name}' does not say that it was adapted to diffusion (its config.json has no is_causal: false). "
            "A plain autoregressive model fills gaps poorly: adapt it with `python -m models.adapt adapt`.",
        )
    return TransformerDenoiser(
        source.name,
        network,
        CheckpointTokenizer(
            tokenizer,
            mask_id,
            frequencies=read_frequencies(folder, tokenizer.get_vocab()),
            classes=read_classes(folder, tokenizer.get_vocab()),
        ),
        context=context_of(network, source),
        vocabulary=len(tokenizer),
        static=static,
        notices=notices,
        judge=judge,
    )


def load_autoregressive(folder: Path, *, name: str | None = None, device: str | None = None) -> AutoregressiveModel:
    """Load a checkpoint folder as an autoregressive model: in fp32 on the CPU, in bf16 on a GPU.

    `name` defaults to the folder's. Raises ValueError if the folder does not hold a causal language model, holds a
    diffusion model, or if the model does not fit into memory.
    """
    if is_diffusion(folder):
        raise ValueError(f"{folder} holds a diffusion model (is_causal: false), not an autoregressive one")
    name = name or folder.name
    tokenizer = read_tokenizer(folder)
    network: Any = read_network(folder, placement=place(name, read_weights(folder), device=device))
    return AutoregressiveModel(
        name,
        network,
        TextTokenizer(tokenizer),
        context=network.config.max_position_embeddings,
        vocabulary=len(tokenizer),
    )
