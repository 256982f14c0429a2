"""`python -m models.evaluate.quantisation MODEL --text FILE`: what quantising a model costs, and what it saves."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import models
from models.adapt.data import Packed, read_records
from models.checkpoints.placement import place
from models.checkpoints.quantisation import scales
from models.checkpoints.tokenizer import read_tokenizer
from models.denoiser import Query
from models.evaluate.likelihood import elbo
from models.evaluate.table import format_rows
from models.networks.transformer import TransformerDenoiser

FORMS: dict[str, dict[str, str]] = {
    "fp32": {"dtype": "float32"},
    "bf16": {"dtype": "bfloat16"},
    "int8": {"quantize": "int8"},
    "nf4": {"quantize": "nf4"},
    "fp4": {"quantize": "fp4"},
}
"""What `models.load` is told; the first one is what the others are compared with."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One form of a model."""

    name: str
    nats_per_token: float  # the bound (ELBO), with the same masks for every form
    agreement: float  # percent of masked tokens whose likeliest candidate is fp32's, half of each chunk masked
    megabytes: float  # of weights, once loaded
    milliseconds: float  # of a forward pass over one chunk: median, the forms taking turns
    relative: float  # the same, fp32's being 1


def costs(forms: dict[str, TransformerDenoiser], chunks: NDArray[np.integer], *, repeat: int = 20) -> list[Cost]:
    """Measure forms of one model on chunks [k, context]; the first form is what the others are compared with."""
    queries = [_half_masked(chunk, number, next(iter(forms.values()))) for number, chunk in enumerate(chunks)]
    likeliest = {name: _likeliest(denoiser, queries) for name, denoiser in forms.items()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(repeat + 2):
        for name, denoiser in forms.items():
            seconds = _forward(denoiser, queries[0])
            if turn >= 2:
                times[name].append(1000 * seconds)
    exact = likeliest[next(iter(forms))]
    fastest = {name: statistics.median(values) for name, values in times.items()}
    return [
        Cost(
            name=name,
            nats_per_token=elbo(denoiser, chunks).nats_per_token,
            agreement=100 * float((likeliest[name] == exact).mean()),
            megabytes=_bytes(denoiser) / 1e6,
            milliseconds=fastest[name],
            relative=fastest[name] / fastest[next(iter(forms))],
        )
        for name, denoiser in forms.items()
    ]


def _half_masked(chunk: NDArray[np.integer], seed: int, denoiser: TransformerDenoiser) -> Query:
    rng = np.random.default_rng(seed)
    ids = chunk.astype(np.int64)
    positions = 1 + np.sort(rng.permutation(len(ids) - 1)[: len(ids) // 2])
    ids[positions] = denoiser.tokenizer.mask_id
    return Query(ids=ids, positions=positions, uniforms=np.zeros(len(positions)))


def _likeliest(denoiser: TransformerDenoiser, queries: Sequence[Query]) -> NDArray[np.int64]:
    return np.concatenate([denoiser.predict([query])[0].candidates[query.positions] for query in queries])


def _forward(denoiser: TransformerDenoiser, query: Query) -> float:
    began = time.perf_counter()
    denoiser.predict([query])  # its numbers come back to the processor, so a GPU has finished
    return time.perf_counter() - began


def _bytes(denoiser: TransformerDenoiser) -> int:
    """Of all weights, each once, with the scales of those that are quantised."""
    weights = (*denoiser.body.parameters(), *denoiser.head.parameters(), *denoiser.body.buffers())
    tensors = {tensor.data_ptr(): tensor for weight in weights for tensor in (weight, *scales(weight))}
    return sum(tensor.nbytes for tensor in tensors.values())


def draw(rows: Sequence[Cost], out: Path, *, title: str) -> None:
    """Bits that are lost against memory, as a page that needs no network."""
    import plotly.graph_objects as go  # takes a second to import

    figure = go.Figure()
    figure.add_scatter(
        x=[row.megabytes for row in rows],
        y=[row.nats_per_token for row in rows],
        text=[f"{row.name}<br>{row.agreement:.1f} % agree" for row in rows],
        mode="markers+text",
        textposition="top center",
        cliponaxis=False,
        marker={"size": 12, "color": "#0072b2"},
    )
    figure.update_layout(
        title=title,
        xaxis={"title": "MB of weights", "rangemode": "tozero"},
        yaxis_title="nats per token (bound; lower is better)",
        template="plotly_white",
    )
    figure.write_html(out, include_plotlyjs="directory")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 2 for a mistake that the user can put right."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluate.quantisation", description=__doc__)
    parser.add_argument("model", metavar="MODEL", help="a preset, a checkpoint folder, or a hub name; not quantised")
    parser.add_argument("--text", type=Path, required=True, help="held-out text (.txt or .xz)")
    parser.add_argument("--chunks", type=int, default=128, help="of the text (default: %(default)s)")
    parser.add_argument("--forms", help=f"(default: {','.join(FORMS)}; on a CPU, where it is slow, bf16 only if named)")
    parser.add_argument("--device", help="cpu or cuda (default: the best that is here)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE.html", help="also draw the bound against memory")
    args = parser.parse_args(arguments)
    try:
        rows, title = _measured(args)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps([asdict(row) for row in rows]) if args.json else format_rows(title, [asdict(row) for row in rows]))
    if args.plot:
        draw(rows, args.plot, title=title)
    return 0


def _measured(args: argparse.Namespace) -> tuple[list[Cost], str]:
    if args.forms is None:
        on_cpu = place("", None, device=args.device).device == "cpu"
        names = [name for name in FORMS if not (on_cpu and name == "bf16")]
    else:
        names = args.forms.split(",")
    if unknown := [name for name in names if name not in FORMS]:
        raise ValueError(f"'{unknown[0]}' is no form of a model: give some of {','.join(FORMS)}")
    source = models.find(args.model)
    if source is None:
        raise ValueError("the toy has no weights to quantise: give a checkpoint folder or a hub name")
    forms: dict[str, Any] = {name: models.load(args.model, device=args.device, **FORMS[name]) for name in names}
    first = next(iter(forms.values()))
    tokenizer = read_tokenizer(models.fetch(source))
    chunks = Packed(read_records(args.text), tokenizer, context=min(first.context, 1024), seed=0).epoch(0)[
        : args.chunks
    ]
    where = torch.cuda.get_device_name(first.device) if first.device.type == "cuda" else str(first.device)
    return costs(forms, chunks), f"{source.name} on {where}, {chunks.size:,} tokens"


if __name__ == "__main__":
    sys.exit(main())
