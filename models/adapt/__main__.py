"""python -m models.adapt: from text to a tokenizer, an autoregressive parent, a diffusion child, a fine-tuned child."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.adapt import ablation, curves, stages


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage; the exit code is 2 for a user error, 130 after Ctrl-C."""
    given = sys.argv[1:] if arguments is None else arguments
    options = vars(_parser().parse_args(given))
    if "steps" in options:
        options["command"] = shlex.join(["python", "-m", "models.adapt", *given])
    try:
        options.pop("run")(**options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command continues from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.adapt", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="STAGE")

    def stage(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=text, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.set_defaults(run=run)
        return command

    command = stage("tokenizer", stages.tokenizer, "train a byte-level BPE")
    command.add_argument("--text", type=Path, required=True, help=_TEXT)
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument("--vocab-size", type=_positive, default=4096)

    command = stage("pretrain", stages.pretrain, "train an autoregressive model from scratch")
    command.add_argument("--tokenizer", type=Path, required=True, help="folder with a tokenizer")
    command.add_argument("--hidden", type=_positive, default=256)
    command.add_argument("--layers", type=_positive, default=6)
    command.add_argument("--heads", type=_positive, default=4)
    _training(command, _TEXT)

    command = stage("adapt", stages.adapt, "adapt any causal checkpoint to masked diffusion")
    _model(command)
    command.add_argument(
        "--anneal-steps", type=_positive, default=500, help="from causal to full attention; 1: full at once"
    )
    _training(command, _TEXT)

    command = stage("finetune", stages.finetune, "fine-tune on examples in which only the target is noised")
    _model(command)
    _training(command, ".jsonl of prefix, middle, suffix or of prompt, response; or a text in which to open gaps")

    command = stage("ablate", ablation.ablate, "train with and without each part of the recipe, and draw one figure")
    command.add_argument("--model", required=True, help="the autoregressive parent: checkpoint folder or hub name")
    command.add_argument("--anneal-steps", type=_positive, default=100)
    _training(command, _TEXT)

    command = stage("plot", curves.plot, "draw the curves of several trainings in one figure")
    command.add_argument("logs", type=Path, nargs="+", metavar="LOG", help="the .jsonl files beside checkpoint folders")
    command.add_argument("--out", type=Path, required=True, help="HTML file to write")
    return parser


_TEXT = "text file (.xz is unpacked), each record ended by a line <|endoftext|>"


def _steps(text: str) -> tuple[int, ...]:
    return tuple(sorted({_natural(each) for each in text.split(",")}))


def _positive(text: str) -> int:
    return _from(1, text)


def _natural(text: str) -> int:
    return _from(0, text)


def _from(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}, not {number}")
    return number


def _model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", required=True, help="checkpoint folder or hub name")
    mask = command.add_mutually_exclusive_group()
    mask.add_argument(
        "--mask-token", help="add this token to the vocabulary as the mask (default: the tokenizer's own)"
    )
    mask.add_argument("--mask-token-id", type=int, help="reuse a rare token as the mask (811 in DiffuLLaMA)")
    command.add_argument("--weighting", choices=("elbo", "uniform"), default="elbo", help="1/t or 1 per masked token")
    command.add_argument(
        "--normalization",
        choices=("tokens", "masked"),
        default="tokens",
        help="divide by all tokens (the paper) or by the batch's masked ones (its code)",
    )
    command.add_argument(
        "--lora", type=_natural, default=0, metavar="RANK", help="train low-rank adapters and embeddings only"
    )
    command.add_argument("--gradient-checkpointing", action="store_true", help="use less memory and a third more time")


def _training(command: argparse.ArgumentParser, data: str) -> None:
    command.add_argument("--text", type=Path, required=True, help=data)
    command.add_argument("--valid", type=Path, required=True, help="held-out data of the same kind")
    command.add_argument(
        "--out", type=Path, required=True, help="checkpoint folder to write; beside it .state and .jsonl"
    )
    command.add_argument("--steps", type=_positive, required=True)
    command.add_argument("--batch", type=_positive, default=8, help="sequences per step, over all processes")
    command.add_argument(
        "--accumulate", type=_positive, default=1, help="number of parts in which a process takes its share of a batch"
    )
    command.add_argument("--context", type=_positive, default=256, help="tokens in a sequence")
    command.add_argument("--learning-rate", type=float, default=1e-3)
    command.add_argument("--warmup", type=_natural, default=100, help="steps")
    command.add_argument("--schedule", choices=("cosine", "constant"), default="cosine")
    command.add_argument("--cooldown", type=_natural, default=0, help="last steps, in which a constant rate falls")
    command.add_argument("--optimizer", choices=("adamw", "muon"), default="adamw")
    command.add_argument(
        "--precision", choices=("no", "bf16", "fp16"), help="default: bf16 on a GPU, no (fp32) on a CPU"
    )
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--save-every", type=_positive, default=200, help="steps between checkpoints and validations")
    command.add_argument(
        "--keep-at",
        type=_steps,
        default=(),
        metavar="STEPS",
        help="such as 0,100,1000: keep these steps' checkpoints in the folder .kept (0: before the first step)",
    )
    command.add_argument("--compile", action="store_true", help="torch.compile")


if __name__ == "__main__":
    sys.exit(main())
