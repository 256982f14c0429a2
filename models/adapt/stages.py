"""The stages of arXiv:2410.17891, each from files to a checkpoint folder: tokenizer, pretrain, adapt, finetune."""

from __future__ import annotations

from dataclasses import replace
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase
from transformers.utils import logging

from models.adapt import lora as adapters
from models.adapt.data import Examples, Source, train_tokenizer
from models.adapt.gaps import Gaps
from models.adapt.objective import Exercise, Trainee, annealed_attention, masked_diffusion, next_token
from models.adapt.parents import check_fit, read_parent, settle_mask
from models.adapt.plan import Plan
from models.adapt.trainer import Ask, train
from models.checkpoints.tokenizer import read_tokenizer
from models.corpus import Batch, Packed, read_records


def tokenizer(*, text: Path, out: Path, vocab_size: int) -> None:
    """Train a tokenizer on a text and write it to the folder `out`."""
    train_tokenizer(read_records(text), vocab_size).save_pretrained(out)


def pretrain(
    *,
    text: Path,
    valid: Path,
    out: Path,
    tokenizer: Path,
    hidden: int,
    layers: int,
    heads: int,
    context: int,
    seed: int,
    precision: str | None,
    **plan: Any,
) -> None:
    """Train a small LLaMA on next tokens from scratch."""
    accelerator = accelerator_for(precision)
    vocabulary = read_tokenizer(tokenizer)
    torch.manual_seed(seed)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(vocabulary),
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=int(hidden * 8 / 3) // 32 * 32,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=vocabulary.bos_token_id,
            eos_token_id=vocabulary.eos_token_id,
        )
    )

    def ask(batch: Batch, step: int | None, generator: torch.Generator) -> Exercise:
        return next_token(torch.from_numpy(batch.ids).long())

    train(
        Trainee(network),
        vocabulary,
        ask,
        Packed(read_records(text), vocabulary, context=context, seed=seed),
        Packed(read_records(valid), vocabulary, context=context, seed=1),
        Plan(seed=seed, **plan),
        out,
        accelerator,
    )


def adapt(*, text: Path, valid: Path, anneal_steps: int, context: int, seed: int, **settings: Any) -> None:
    """Adapt a causal checkpoint to masked diffusion on a text."""

    def sources(vocabulary: PreTrainedTokenizerBase) -> tuple[Packed, Packed]:
        return (
            Packed(read_records(text), vocabulary, context=context, seed=seed),
            Packed(read_records(valid), vocabulary, context=context, seed=1),
        )

    _diffusion(sources, anneal_steps=anneal_steps, context=context, seed=seed, **settings)


def finetune(*, text: Path, valid: Path, context: int, seed: int, **settings: Any) -> None:
    """Fine-tune a checkpoint on examples (.jsonl), or on gaps in a text."""

    def source(path: Path, vocabulary: PreTrainedTokenizerBase, seed: int) -> Source:
        if path.suffix == ".jsonl":
            return Examples(path, vocabulary, context=context, seed=seed)
        return Gaps(Packed(read_records(path), vocabulary, context=context, seed=seed), vocabulary, seed=seed)

    def sources(vocabulary: PreTrainedTokenizerBase) -> tuple[Source, Source]:
        return source(text, vocabulary, seed), source(valid, vocabulary, 1)

    _diffusion(sources, anneal_steps=1, context=context, seed=seed, **settings)  # full attention from the first step


def _diffusion(
    sources: Any,
    *,
    model: str,
    out: Path,
    mask_token: str | None,
    mask_token_id: int | None,
    weighting: str,
    normalization: str,
    anneal_steps: int,
    context: int,
    lora: int,
    gradient_checkpointing: bool,
    seed: int,
    precision: str | None,
    **plan: Any,
) -> None:
    accelerator = accelerator_for(precision)
    torch.manual_seed(seed)  # for a new token's embedding, adapters, and dropout
    half = lora and accelerator.mixed_precision == "bf16"  # frozen weights need no more
    vocabulary, network = read_parent(model, torch.bfloat16 if half else torch.float32)
    mask_id = settle_mask(network, vocabulary, new=mask_token, id_=mask_token_id)
    check_fit(network, vocabulary, context)
    network.config.is_causal = False
    network.config.mask_token_id = mask_id
    if gradient_checkpointing:
        network.activation_checkpointing_enable()
    if lora:
        adapters.attach(network, lora)
    training, validation = sources(vocabulary)
    train(
        Trainee(network),
        vocabulary,
        diffusion_ask(mask_id, anneal_steps=anneal_steps, weighting=weighting, normalization=normalization),
        training,
        validation,
        Plan(seed=seed, **plan),
        out,
        accelerator,
        merged=(lambda weights: adapters.merged(network, weights)) if lora else None,
    )


def diffusion_ask(mask_id: int, *, anneal_steps: int, weighting: str = "elbo", normalization: str = "tokens") -> Ask:
    """Make an `Ask` for masked tokens, with attention that becomes full over `anneal_steps` steps (1: at once).

    Validation is always the ELBO with full attention, so that curves of different weightings can be compared.
    A step's noise does not depend on its attention.
    """

    def ask(batch: Batch, step: int | None, generator: torch.Generator) -> Exercise:
        ids = torch.from_numpy(batch.ids).long()
        exercise = masked_diffusion(
            ids,
            mask_id,
            generator,
            maskable=None if batch.maskable is None else torch.from_numpy(batch.maskable),
            weighting="elbo" if step is None else weighting,
            normalization="tokens" if step is None else normalization,
        )
        ratio = 1.0 if step is None else (step + 1) / anneal_steps
        attention = annealed_attention(ids.shape[1], ratio, generator)
        if batch.real is not None:
            seen = torch.from_numpy(batch.real)[:, None, None].expand(-1, 1, ids.shape[1], -1)
            attention = seen if attention is None else seen & attention
        return replace(exercise, attention=attention)

    return ask


def accelerator_for(precision: str | None) -> Accelerator:
    """Return an accelerator for one process or, under `accelerate launch`, several; default precision by device."""
    logging.disable_progress_bar()  # of weights that load in milliseconds
    getLogger("accelerate").setLevel(ERROR)  # it warns about the tied head with every state
    if precision is None:
        native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16" if native else "no"
    return Accelerator(mixed_precision=precision)
