"""python -m models.adapt: train a tokenizer, pretrain an autoregressive parent, adapt it to a diffusion child."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from models.adapt.data import Packed, read_records, train_tokenizer
from models.adapt.objective import annealed_attention, diffusion_loss, low_discrepancy_times, next_token_loss
from models.adapt.trainer import Schedule, train


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.adapt", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)

    stage = stages.add_parser("tokenizer", help="train a byte-level BPE")
    stage.add_argument("--text", required=True)
    stage.add_argument("--out", type=Path, required=True)
    stage.add_argument("--vocab-size", type=int, default=4096)

    for name, text in (("pretrain", "autoregressive, from scratch"), ("adapt", "to diffusion, from a checkpoint")):
        stage = stages.add_parser(name, help=text)
        stage.add_argument("--text", required=True)
        stage.add_argument("--valid", required=True)
        stage.add_argument("--out", type=Path, required=True)
        stage.add_argument("--steps", type=int, required=True)
        stage.add_argument("--batch", type=int, default=8)
        stage.add_argument("--context", type=int, default=256)
        stage.add_argument("--learning-rate", type=float, default=1e-3)
        stage.add_argument("--warmup", type=int, default=100)
        stage.add_argument("--seed", type=int, default=0)
        stage.add_argument("--save-every", type=int, default=200)
        stage.add_argument("--compile", action="store_true")
        if name == "pretrain":
            stage.add_argument("--tokenizer", type=Path, required=True)
            stage.add_argument("--hidden", type=int, default=256)
            stage.add_argument("--layers", type=int, default=6)
            stage.add_argument("--heads", type=int, default=4)
        else:
            stage.add_argument("--model", type=Path, required=True)
            stage.add_argument("--anneal-steps", type=int, default=500, help="1 means no annealing")
    options = parser.parse_args(arguments)

    if options.stage == "tokenizer":
        train_tokenizer(read_records(options.text), options.vocab_size).save_pretrained(options.out)
        return

    torch.manual_seed(options.seed)
    folder = options.tokenizer if options.stage == "pretrain" else options.model
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if options.stage == "pretrain":
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=options.hidden,
                num_hidden_layers=options.layers,
                num_attention_heads=options.heads,
                intermediate_size=int(options.hidden * 8 / 3) // 16 * 16,
                max_position_embeddings=options.context,
                tie_word_embeddings=True,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )

        def loss(model, ids, step, generator):
            return next_token_loss(model, ids)
    else:
        model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
        model.config.is_causal = False
        model.config.mask_token_id = tokenizer.mask_token_id

        def loss(model, ids, step, generator):
            ratio = 1.0 if step < 0 else (step + 1) / options.anneal_steps
            times = low_discrepancy_times(len(ids), generator)
            attention = annealed_attention(ids.shape[1], ratio, generator)
            return diffusion_loss(model, ids, times, tokenizer.mask_token_id, attention, generator)

    train(
        model,
        tokenizer,
        loss,
        Packed(read_records(options.text), tokenizer, context=options.context, seed=options.seed),
        Packed(read_records(options.valid), tokenizer, context=options.context, seed=1),
        Schedule(
            steps=options.steps,
            batch=options.batch,
            learning_rate=options.learning_rate,
            warmup=options.warmup,
            seed=options.seed,
            save_every=options.save_every,
            compile=options.compile,
        ),
        options.out,
    )


if __name__ == "__main__":
    main()
