"""What quantising a model costs in likelihood, and what it saves in memory and time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import models
from models.checkpoints.placement import place
from models.checkpoints.quantisation import scales
from models.checkpoints.tokenizer import read_tokenizer
from models.corpus import Packed, read_records
from models.denoiser import Query
from models.evaluate.likelihood import elbo
from models.networks.transformer import TransformerDenoiser
from models.quoting import quoted

FORMS: dict[str, dict[str, str]] = {
    "fp32": {"dtype": "float32"},
    "bf16": {"dtype": "bfloat16"},
    "int8": {"quantize": "int8"},
    "nf4": {"quantize": "nf4"},
    "fp4": {"quantize": "fp4"},
}
"""Settings of `models.load` for each form of a model."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one form of a model costs."""

    name: str
    nats_per_token: float  # the bound (ELBO), with the same masks for every form
    agreement: float  # percent of masked tokens with the same likeliest candidate as the first form's, half masked
    megabytes: float  # of weights, once loaded
    milliseconds: float  # of a forward pass over one chunk: median, measured in alternation with the other forms
    relative: float  # milliseconds as a multiple of the first form's


def measure(
    name: str, text: Path, *, chunks: int = 128, forms: Sequence[str] | None = None, device: str | None = None
) -> tuple[list[Cost], str]:
    """Measure forms of a model on the first `chunks` chunks of a held-out text; return their costs and a title.

    `name` is a model for `models.load` that is not quantised. `forms` are keys of FORMS and default to all of them,
    but on a CPU, where bf16 is slow, to all except bf16.
    Raises ValueError for an unknown form, and as `models.load` and `models.corpus` do.
    """
    if forms is None:
        on_cpu = place("", None, device=device).device == "cpu"
        forms = [form for form in FORMS if not (on_cpu and form == "bf16")]
    if unknown := [form for form in forms if form not in FORMS]:
        raise ValueError(f"{quoted(unknown[0])} is not a form of a model; choose from {','.join(FORMS)}")
    source = models.find(name)
    if source is None:
        raise ValueError("the toy has no weights to quantise; choose a checkpoint folder or a hub name")
    loaded: dict[str, Any] = {form: models.load(name, device=device, **FORMS[form]) for form in forms}
    first = next(iter(loaded.values()))
    tokenizer = read_tokenizer(models.fetch(source))
    packed = Packed(read_records(text), tokenizer, context=min(first.context, 1024), seed=0).epoch(0)[:chunks]
    where = torch.cuda.get_device_name(first.device) if first.device.type == "cuda" else str(first.device)
    return costs(loaded, packed), f"{source.name} on {where}, {packed.size:,} tokens"


def costs(forms: dict[str, TransformerDenoiser], chunks: NDArray[np.integer], *, repeat: int = 20) -> list[Cost]:
    """Measure forms of one model on chunks [k, context], and compare them with the first one."""
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
    """Return the size of all weights, each counted once, with the scales of the quantised ones."""
    weights = (*denoiser.body.parameters(), *denoiser.head.parameters(), *denoiser.body.buffers())
    tensors = {tensor.data_ptr(): tensor for weight in weights for tensor in (weight, *scales(weight))}
    return sum(tensor.nbytes for tensor in tensors.values())


def draw(rows: Sequence[Cost], out: Path, *, title: str) -> None:
    """Write a chart of likelihood against memory as an HTML page that works offline."""
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
