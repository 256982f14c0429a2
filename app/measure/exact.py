"""`python -m app bench --exact`: how far what a strategy writes is from the true joint of a toy that can be enumerated.

The toy's beliefs are exact (`models.toy`), so all of the distance comes from the decoding: from tokens that are
written together as if they were independent, and from places that are chosen by the tokens drafted there. KL(written
|| joint) is the figure, because the joint is above 0 everywhere: the other direction is infinite as soon as one
filling was never written.

After Tang et al., 2026, Is Your Diffusion Sampler Actually Correct?, arXiv:2602.19619, who compare the statistics of
transitions under an exact posterior; here all fillings can be enumerated, so the whole distribution is compared.
"""

from __future__ import annotations

import csv
import functools
import itertools
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InfillError
from app.measure.map.figures import take_picture, write_page
from app.sampler import Sampler
from app.sampling.canvas import Canvas
from app.sampling.request import InfillRequest
from app.sampling.step import ContractError
from app.strategies.registry import find
from models.denoiser import Floats, Query, Sampling
from models.prediction import Prediction
from models.terminal import as_text, plain, progress, table
from models.toy import MarkovDenoiser, ToyTokenizer

STICKY: Floats = np.array([[0.8, 0.2], [0.3, 0.7]])
"""The toy: a chain of two letters that tend to repeat; `STICKY[a, b]` is the probability of b after a."""

LETTERS = "ab"
GAP = 8
"""Masks between an `a` and a `b`: 256 possible fillings."""

RUNS = 1000
BUDGETS = (GAP, GAP // 2, GAP // 4, 1)
FLOOR, PRODUCT = "(floor)", "(product of the marginals)"
"""Names of the rows of `exact.csv` that are not strategies."""

_SAMPLES = 1000  # of the floor
_RESAMPLES = 200
_HEIGHT = 700  # pixels of the figure
_DRAWN = {  # strategies with a line and a label: a colour of Okabe and Ito, the budget labelled, the label's side
    "low_confidence": ("#d55e00", GAP, "top left"),
    "low_confidence redraw": ("#0072b2", GAP // 2, "bottom left"),
    "left_to_right": ("#000000", GAP // 2, "top right"),
    "random": ("#009e73", GAP, "bottom right"),
    "dus": ("#cc79a7", GAP // 2, "middle right"),
}
_ALMOST_ONE = np.nextafter(1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A strategy at a budget, against the joint."""

    strategy: str
    steps: int  # T
    redraw: bool = False
    runs: int = 0
    calls: float = float("nan")  # batched forward passes, mean
    nfe: float = float("nan")  # canvases that went through the network, mean
    kl: float = float("nan")  # KL(written || joint), nats
    error: float = float("nan")  # its standard error
    variation: float = float("nan")  # total variation; its floor is not 0
    seconds: float = 0.0  # of processor time
    reason: str = ""  # why it was not measured

    @property
    def label(self) -> str:
        return f"{self.strategy} redraw" if self.redraw else self.strategy


@dataclass(frozen=True, kw_only=True)
class Found:
    """The test's result, with the yardsticks that have closed forms."""

    runs: int
    seed: int
    independent_kl: float  # KL(product of the marginals || joint), nats
    total_correlation: float  # KL(joint || product of the marginals), nats
    independent_variation: float
    floor_kl: float  # the 99th percentile of the KL that is estimated from as many draws from the joint itself
    floor_variation: float  # the same for the total variation
    seconds: float = 0.0  # of processor time
    rows: list[Row] = field(default_factory=list)


class Chain(MarkovDenoiser):
    """The toy, which computes the belief about each canvas once: thousands of runs meet the same few."""

    def __init__(self) -> None:
        super().__init__(ToyTokenizer(LETTERS), STICKY)
        self._reduced: dict[tuple[bytes, int, Sampling], tuple[Prediction, Prediction, Floats]] = {}
        self._marginals: dict[bytes, Floats] = {}

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        """Return exact predictions, the same as `MarkovDenoiser`."""
        return [self._drawn(query) if _is_plain(query) else self._computed(query) for query in queries]

    def marginals(self, ids: NDArray[np.int64]) -> Floats:
        """Return exact p(x_i | unmasked tokens) [length, letters]."""
        key = ids.tobytes()
        if key not in self._marginals:
            self._marginals[key] = super().marginals(ids)
        return self._marginals[key]

    def _computed(self, query: Query) -> Prediction:
        return super().predict([query])[0]

    def _drawn(self, query: Query) -> Prediction:
        """Return the prediction with candidates drawn between the two letters."""
        state = query.state
        key = state, query.tops, query.sampling
        if key not in self._reduced:
            bare = replace(query, cache=None)
            first, second = (
                self._computed(replace(bare, uniforms=np.full(len(query.positions), uniform)))
                for uniform in (0.0, _ALMOST_ONE)
            )
            self._reduced[key] = first, second, self._log_beliefs(bare)[0]
        first, second, logits = self._reduced[key]
        known = query.cache is not None and query.cache.get(state) is not None
        if query.cache is not None and not known:
            query.cache.put(state, logits)
        uniforms = np.zeros(len(query.ids))
        uniforms[query.positions] = query.uniforms
        low = uniforms < first.drawn_confidence
        return replace(
            first,
            candidates=np.where(low, first.candidates, second.candidates),
            confidence=np.where(low, first.confidence, second.confidence),
            drawn_confidence=np.where(low, first.drawn_confidence, second.drawn_confidence),
            forwards=int(not known),
        )


def _is_plain(query: Query) -> bool:
    """Return whether only the drawn letters differ between two such queries about the same canvas."""
    return not (query.guidance or query.lookback or query.targets is not None) and query.sampling.temperature > 0


def blank() -> Canvas:
    """Return the gap between its two letters, all masked."""
    return Canvas.of([[0], [1]], [[None] * GAP], len(LETTERS) + 1)


def joint(transition: Floats, length: int, *, before: int, after: int) -> Floats:
    """Return the probability of every filling of a gap, [letters ** length].

    The first letter of the gap is the slowest digit of the index.
    """
    letters = range(len(transition))
    texts = ([before, *filling, after] for filling in itertools.product(letters, repeat=length))
    weights = np.array([np.prod([transition[a, b] for a, b in itertools.pairwise(text)]) for text in texts])
    return weights / weights.sum()


def independent(p: Floats, letters: int) -> Floats:
    """Return the product of the marginals of a joint [letters ** length], in the same order.

    One pass that writes everything at once draws from it.
    """
    length = round(np.log(len(p)) / np.log(letters))
    cube = p.reshape((letters,) * length)
    marginals = [cube.sum(tuple(set(range(length)) - {place})) for place in range(length)]
    return functools.reduce(np.multiply.outer, marginals).ravel()


def divergence(q: Floats, p: Floats) -> float:
    """Return KL(q || p) in nats; p is above 0 everywhere."""
    there = q > 0
    return float((q[there] * np.log(q[there] / p[there])).sum())


def variation(q: Floats, p: Floats) -> Floats:
    """Return the total variation [...] between distributions q [..., n] and p [n]: half the sum of the differences."""
    return np.abs(q - p).sum(-1) / 2


def estimate_divergence(counts: NDArray[np.int64], p: Floats) -> Floats:
    """Estimate KL(q || p) [...] in nats from how often each outcome was drawn from q, [..., n] of the same total.

    The cross entropy is a mean. The entropy is estimated as Grassberger does, because the plug-in estimate makes the
    divergence too large by about (n - 1) / (2 draws). The estimate may be below 0.

    Grassberger, 2003, Entropy estimates from insufficient samplings, arXiv:physics/0307138
    """
    runs = int(counts.sum(-1).flat[0])
    entropy = np.log(runs) - (counts * _digammas(runs)[counts]).sum(-1) / runs
    return -(counts * np.log(p)).sum(-1) / runs - entropy


@functools.cache
def _digammas(largest: int) -> Floats:
    """Return Grassberger's G(0), …, G(largest), which replace log n; G(0) is never used."""
    steps = np.zeros(largest + 1)
    steps[1:2] = -np.euler_gamma - np.log(2)
    steps[2::2] = 2 / np.arange(1, largest, 2)
    return steps.cumsum()


def standard_error(counts: NDArray[np.int64], p: Floats) -> float:
    """Return the bootstrap's standard error of the estimated divergence, from counts [n]."""
    runs = int(counts.sum())
    again = np.random.default_rng(0).multinomial(runs, counts / runs, size=_RESAMPLES)
    return float(estimate_divergence(again, p).std())


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What was written by a number of runs."""

    counts: NDArray[np.int64]  # [letters ** GAP] how often each filling was written, in the order of `joint`
    calls: int  # batched forward passes of all runs
    nfe: int  # canvases that went through the network in all runs
    seconds: float  # of processor time

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)})


def write(sampler: Sampler, seeds: Iterable[int]) -> Tally:
    """Write the gap once with each seed, and count the fillings."""
    counts, calls, nfe = np.zeros(len(LETTERS) ** GAP, dtype=np.int64), 0, 0
    digits = len(LETTERS) ** np.arange(GAP)[::-1]
    began, start = time.process_time(), blank()
    for seed in seeds:
        *_, last = replace(sampler, seed=seed).fill(start)
        counts[last.canvas.ids[start.span] @ digits] += 1
        calls, nfe = calls + last.calls, nfe + last.nfe
    return Tally(counts=counts, calls=calls, nfe=nfe, seconds=time.process_time() - began)


def request_of(strategy: str, steps: int, *, redraw: bool) -> InfillRequest:
    """Return the request for the gap, at temperature 1 and top-p 1, with the strategy's default knobs."""
    return InfillRequest(
        prefix="a", suffix="b", length=GAP, strategy=strategy, steps=steps, temperature=1.0, top_p=1.0, redraw=redraw
    )


def measure(strategy: str, steps: int, *, redraw: bool, runs: int, seed: int, chain: Chain) -> Row:
    """Write the gap `runs` times, with seeds from `seed` on, and compare with the joint; or say why it cannot be."""
    try:
        sampler = Sampler.of(request_of(strategy, steps, redraw=redraw), chain)
        written = write(sampler, range(seed, seed + runs))
    except (InfillError, ContractError) as error:
        return Row(strategy=strategy, steps=steps, redraw=redraw, reason=_reason(strategy, steps, error))
    return compare(written, strategy, steps, redraw=redraw)


def compare(written: Tally, strategy: str, steps: int, *, redraw: bool) -> Row:
    """Return the row for what was written."""
    p, runs = _joint(), int(written.counts.sum())
    return Row(
        strategy=strategy,
        steps=steps,
        redraw=redraw,
        runs=runs,
        calls=written.calls / runs,
        nfe=written.nfe / runs,
        kl=float(estimate_divergence(written.counts, p)),
        error=standard_error(written.counts, p),
        variation=float(variation(written.counts / runs, p)),
        seconds=written.seconds,
    )


def _reason(strategy: str, steps: int, error: Exception) -> str:
    least = find(strategy).least_steps({})
    return f"needs {least} steps" if steps < least else str(error)


@functools.cache
def _joint() -> Floats:
    return joint(STICKY, GAP, before=0, after=1)


def yardsticks(runs: int, seed: int) -> Found:
    """Return the closed forms, and the floor: what is estimated from `runs` draws from the joint, in 99 % of cases."""
    p = _joint()
    product = independent(p, len(LETTERS))
    counts = np.random.default_rng(seed).multinomial(runs, p, size=_SAMPLES)
    return Found(
        runs=runs,
        seed=seed,
        independent_kl=divergence(product, p),
        total_correlation=divergence(p, product),
        independent_variation=float(variation(product, p)),
        floor_kl=float(np.quantile(estimate_divergence(counts, p), 0.99)),
        floor_variation=float(np.quantile(variation(counts / runs, p), 0.99)),
    )


def configurations(names: Sequence[str], budgets: Sequence[int]) -> list[tuple[str, int, bool]]:
    """Return strategy, budget and `redraw` of every row; with `redraw` only those that rank by the drafted token."""
    return [
        (name, steps, redraw)
        for name in names
        for redraw in ((False, True) if find(name).ranks == "drafts" else (False,))
        for steps in budgets
    ]


def run_exact(
    names: Sequence[str],
    *,
    budgets: Sequence[int] | None = None,
    runs: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    as_json: bool = False,
) -> None:
    """Measure, print the table or JSON, and write `exact.csv`, `exact.md`, `exact.html` and a picture to a folder.

    Raises InfillError for budgets or runs that are too small, and if the folder cannot be written.
    """
    budgets, runs = budgets or BUDGETS, RUNS if runs is None else runs
    if min(budgets) < 1:
        raise InfillError(f"--steps must be 1 or more, not {min(budgets)}")
    if runs < 100:
        raise InfillError(f"--runs must be 100 or more, not {runs}: fewer say nothing about {len(_joint())} fillings")
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        began, chain = time.process_time(), Chain()
        rows = [
            measure(name, steps, redraw=redraw, runs=runs, seed=seed, chain=chain)
            for name, steps, redraw in progress(configurations(names, budgets), "exact test")
        ]
        found = replace(yardsticks(runs, seed), rows=rows, seconds=time.process_time() - began)
        if out is not None:
            write_csv(found, out / "exact.csv")
            text = f"{yardsticks_of(out / 'exact.csv')}\n\n{by_strategy(out / 'exact.csv')}\n"
            (out / "exact.md").write_text(text, encoding="utf-8")
            write_page(draw(found), out / "exact.html")
            if not take_picture(draw(found), out / "exact.png"):
                print("exact.png was not written: it needs Chromium or Chrome", file=sys.stderr)
    except OSError as error:
        raise InfillError(f"cannot write to '{out}': {error.strerror}; choose another folder with --out") from None
    print(json.dumps(plain(asdict(found))) if as_json else report(found))


def report(found: Found) -> str:
    """Return the table for a terminal, with the yardsticks above it."""
    cells = [
        (
            row.label,
            str(row.steps),
            as_text(row.calls, ".1f"),
            as_text(row.nfe, ".1f"),
            as_text(row.kl, ".3f"),
            as_text(1.96 * row.error, ".3f"),
            as_text(row.variation, ".3f"),
            row.reason or ("at the floor" if row.kl <= found.floor_kl else f"{row.seconds:.1f} s"),
        )
        for row in found.rows
    ]
    header = ("strategy", "T", "calls", "NFE", "KL, nats", "± 95 %", "TV", "")
    return "\n".join(
        [
            f"{found.runs} texts a row, gap of {GAP}, temperature 1, top-p 1; {found.seconds:.0f} s of processor time",
            f"floor, draws from the joint itself (99 %): KL {found.floor_kl:.3f}, TV {found.floor_variation:.3f}",
            f"product of the marginals: KL {found.independent_kl:.3f}, TV {found.independent_variation:.3f}, "
            f"total correlation {found.total_correlation:.3f}",
            table(cells, header=header),
        ]
    )


def write_csv(found: Found, path: Path) -> None:
    """Write every row, after two rows for the floor and for the product of the marginals."""
    fixed = [
        Row(strategy=FLOOR, steps=0, runs=found.runs, kl=found.floor_kl, variation=found.floor_variation),
        Row(strategy=PRODUCT, steps=1, calls=1, nfe=1, kl=found.independent_kl, variation=found.independent_variation),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in [*fixed, *found.rows]:
            writer.writerow({name: _as_cell(value) for name, value in asdict(row).items()})


def _as_cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.5g}"
    return str(value)


def by_strategy(path: Path) -> str:
    """Return a compact Markdown table of an `exact.csv`: the KL of each strategy at each budget.

    Where a strategy was also measured with `redraw`, that is the number after the slash. Bold is at the floor or below.
    Where fewer passes were made than the budget allows, their mean follows after "in".
    """
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    fixed = {row["strategy"]: row for row in rows if row["strategy"] in (FLOOR, PRODUCT)}
    rows = [row for row in rows if row["strategy"] not in fixed]
    floor = float(fixed[FLOOR]["kl"])
    budgets = list(dict.fromkeys(row["steps"] for row in rows))
    lines = [f"| strategy | {' | '.join(f'T={steps}' for steps in budgets)} |", "| --- |" + " --- |" * len(budgets)]
    for name in dict.fromkeys(row["strategy"] for row in rows):
        mine = [[row for row in rows if (row["strategy"], row["steps"]) == (name, steps)] for steps in budgets]
        lines.append(f"| `{name}` | {' | '.join(_compact(cell, floor) for cell in mine)} |")
    return "\n".join(lines)


def yardsticks_of(path: Path) -> str:
    """Return a sentence with the floor and the closed form of an `exact.csv`."""
    with path.open(encoding="utf-8") as file:
        fixed = {row["strategy"]: row for row in csv.DictReader(file) if row["strategy"] in (FLOOR, PRODUCT)}
    floor, product = ({key: float(fixed[name][key]) for key in ("kl", "variation")} for name in (FLOOR, PRODUCT))
    return (
        f"With {fixed[FLOOR]['runs']} texts a row the floor is at {floor['kl']:.3f} nats (total variation "
        f"{floor['variation']:.3f}): as many draws from the joint itself stay below it in 99 % of cases. One pass "
        f"that writes everything at once draws from the product of the marginals, which is {product['kl']:.3f} nats "
        f"(total variation {product['variation']:.3f}) from the joint; both are exact."
    )


def _compact(rows: Sequence[dict[str, str]], floor: float) -> str:
    if not all(row["kl"] for row in rows):
        return rows[0]["reason"]
    numbers = [float(row["kl"]) for row in rows]
    texts = [f"{max(number, 0):.2f}" for number in numbers]
    calls, steps = float(rows[0]["calls"]), int(rows[0]["steps"])
    passes = f" in {calls:.1f}" if calls < steps - 0.05 else ""
    return " / ".join(f"**{t}**" if n <= floor else t for t, n in zip(texts, numbers, strict=True)) + passes


def draw(found: Found) -> Any:
    """Return a plotly figure of KL against forward passes: labels for a few strategies, hover text for all.

    An open marker is a strategy with `redraw`. An estimate far below the floor, or below 0, stands at the lower edge,
    because the axis is logarithmic.
    """
    import plotly.graph_objects as go  # takes a second to import

    figure = go.Figure()
    lowest = found.floor_kl / 4
    rows = [row for row in found.rows if row.runs]
    for label in dict.fromkeys(row.label for row in rows):
        mine = [row for row in rows if row.label == label]
        colour, labelled, side = _DRAWN.get(label, ("#999999", None, "top center"))
        figure.add_scatter(
            x=[row.calls for row in mine],
            y=[max(row.kl, lowest) for row in mine],
            text=[label if row.steps == labelled else "" for row in mine],
            textposition=side,
            textfont={"size": 14, "color": colour},
            customdata=[[row.kl, 1.96 * row.error, row.variation, row.steps] for row in mine],
            hovertemplate=f"{label} T=%{{customdata[3]}}<br>%{{x:.1f}} passes, KL %{{customdata[0]:.3f}} "
            "± %{customdata[1]:.3f} nats<br>TV %{customdata[2]:.3f}<extra></extra>",
            name=label,
            mode="lines+markers+text" if labelled else "markers",
            line={"width": 2, "color": colour},
            marker={
                "size": 10 if labelled else 7,
                "color": colour,
                "symbol": "circle-open" if mine[0].redraw else "circle",
            },
            zorder=1 if labelled else 0,
            cliponaxis=False,
        )
    for value, text in (
        (found.floor_kl, "floor"),
        (found.independent_kl, "product of the marginals"),
    ):
        figure.add_hline(y=value, line={"dash": "dash", "width": 1, "color": "#444444"})
        figure.add_annotation(
            x=GAP * 0.8, y=np.log10(value), text=text, xanchor="left", yanchor="bottom", showarrow=False
        )
    figure.update_layout(
        title=f"Distance from the true joint, {found.runs} texts a point; open: with redraw; gray: other strategies",
        template="plotly_white",
        height=_HEIGHT,
        xaxis={"title": "batched forward passes (mean)", "range": [0.7, GAP + 0.3], "dtick": 1},
        yaxis={"title": "KL(written || joint), nats", "type": "log", "tickvals": [0.03, 0.1, 0.3, 1, 3]},
        showlegend=False,
    )
    return figure
