"""When kinds of words and words are decided, over many problems, with a control: classes shuffled among tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.analysis.emergence import STAGES, Emergence, by_stage, class_of, emergence
from app.analysis.settling import since
from app.errors import InfillError
from app.measure.bootstrap import Estimate, draw_counts, estimate_means
from app.measure.map.configurations import YARDSTICK
from app.measure.problems import Problem, as_request, gold
from app.measure.run import run_to_end
from app.sampler import policy_of
from app.sampling.step import Policy, Selection, Snapshot
from models.classes import TokenClasses
from models.denoiser import Bools, Denoiser, Floats, Ids
from models.terminal import as_text, table

SHUFFLES, BIN = 20, 16
"""Shuffled tables of classes, and tokens of like frequency among which classes are exchanged: one shuffle is too noisy.
"""
_GROUPS = ("", "_content", "_function")
_CELLS = ("class_entropy", "shuffled_entropy", "class_given", "right_class", "right_token")


def permutations(frequencies: Floats, count: int = SHUFFLES, *, size: int = BIN, seed: int = 0) -> list[Ids]:
    """Return permutations [vocabulary] that exchange tokens only with those of like frequency, in bins of `size`."""
    rng = np.random.default_rng(seed)
    order = np.argsort(-frequencies, kind="stable")
    found = []
    for _ in range(count):
        permutation = np.arange(len(order))
        for start in range(0, len(order), size):
            part = order[start : start + size]
            permutation[part] = rng.permutation(part)
        found.append(permutation)
    return found


def shuffled(classes: TokenClasses, permutation: Ids) -> TokenClasses:
    """Return the table in which each token has the class of the one that takes its place."""
    return replace(classes, of=classes.of[permutation])


def controls_of(denoiser: Denoiser) -> list[TokenClasses]:
    """Return the shuffled tables. Raises InfillError if the model has no classes, or its tokens were not counted."""
    classes, frequencies = denoiser.tokenizer.classes, denoiser.tokenizer.frequencies
    for needed, name in ((classes, "classes"), (frequencies, "frequencies")):
        if needed is None:
            raise InfillError(
                f"'{denoiser.name}' has no {name}.json beside its weights; make it with `python -m app {name} --text "
                "FILE --model FOLDER`"
            )
    assert classes is not None
    assert frequencies is not None
    every = np.zeros(len(classes.of))
    every[: len(frequencies)] = frequencies[: len(every)]
    return [shuffled(classes, permutation) for permutation in permutations(every)]


def run_problem(problem: Problem, denoiser: Denoiser, controls: Sequence[TokenClasses]) -> dict[str, Any]:
    """Fill a problem greedily, one token a pass, and return its means by name; NaN where there is nothing to average.

    The shuffled entropies come from the beliefs of the run itself, so they cost no further pass.
    """
    request = as_request(problem, denoiser, strategy=YARDSTICK)
    spreads: list[Floats] = []
    trace = run_to_end(request, denoiser, policy=_watched(policy_of(request), controls, spreads))
    found = emergence(trace)
    assert found is not None, "the model has classes"
    at = trace.start.slots[found.settling.places]
    cells = {name: getattr(found, name) for name in _CELLS if name != "shuffled_entropy"}
    cells["shuffled_entropy"] = np.where(found.settling.open, np.array([spread[at] for spread in spreads]), np.nan)
    row: dict[str, Any] = {"nfe": trace.nfe, "tokens": len(at)} | _steps(found, controls)
    for name in _CELLS:
        means = by_stage(cells[name], found.progress)
        row |= {f"{name} {stage.name}": mean for stage, mean in zip(STAGES, means.tolist(), strict=True)}
    first = trace.steps[0].prediction
    same = found.settling.tokens == np.array(gold(problem, denoiser))[found.settling.places]
    for name, some in (("gold", same), ("other", ~same)):
        row[f"confidence {name}"] = _mean(first.top_probs[at, 0], some)
        row[f"entropy {name}"] = _mean(first.entropy[at], some)
    return row | {"equals gold": float(same.mean())}


def _watched(policy: Policy, controls: Sequence[TokenClasses], spreads: list[Floats]) -> Policy:
    """Return the policy that also notes the mean class entropy [length] of each step under shuffled classes."""

    def choose(now: Snapshot) -> Selection:
        asked = [now.prediction.asked]
        draws = [np.zeros(len(now.canvas))]
        sums = np.zeros(len(now.canvas))
        for classes in controls:
            (again,) = now.forwards.ask([now.canvas], asked, draws, classes=classes)
            assert again.class_entropy is not None
            sums += again.class_entropy
        spreads.append(sums / len(controls))
        return policy.choose(now)

    return replace(policy, choose=choose)


def _steps(found: Emergence, controls: Sequence[TokenClasses]) -> dict[str, float]:
    """Return when tokens, classes and shuffled classes were known, as shares of all steps, by group of words."""
    known = found.settling
    control = np.mean(
        [since(class_of(known.guesses, each.of) == each.of[known.tokens], known.written) for each in controls],
        axis=0,
    )
    row = {}
    for group, some in zip(_GROUPS, (np.ones_like(found.content), found.content, ~found.content), strict=True):
        row[f"token{group}"] = _mean(known.settled / known.steps, some)
        row[f"class{group}"] = _mean(found.class_settled / known.steps, some)
        row[f"shuffled{group}"] = _mean(control / known.steps, some)
        row[f"at once{group}"] = _mean(known.settled == 1, some)
    return row | {"idle": float(known.idle.mean() / known.steps)}


def _mean(values: Floats | Bools, some: Bools) -> float:
    return float(values[some].mean()) if some.any() else np.nan


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something that the run was to show: an estimate, the least it should be, and whether it is that."""

    says: str
    found: Estimate
    least: float

    @property
    def holds(self) -> bool:
        """Whether the mean reaches the least, and the interval leaves out 0."""
        return self.found.mean >= self.least and self.found.low > 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means over problems with their intervals, by name, and what was claimed."""

    problems: int
    tokens: int
    estimates: Mapping[str, Estimate]
    claims: tuple[Claim, ...]


_CLAIMS = (
    ("a class is known before its token, share of all steps", "token", "class", 0.03),
    ("a class is known before a shuffled class, share of all steps", "shuffled", "class", 0.01),
    (
        "in the last quarter a class is surer than a shuffled class, nats",
        f"shuffled_entropy {STAGES[-1].name}",
        f"class_entropy {STAGES[-1].name}",
        0.3,
    ),
)


def summarise(rows: Sequence[Mapping[str, Any]]) -> Summary:
    """Return the means over problems, with 95 % intervals of a bootstrap over problems; differences are paired."""
    names = list(rows[0])
    values = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)  # None becomes NaN
    columns = dict(zip(names, values.T, strict=True))
    for group in _GROUPS:
        columns[f"token - class{group}"] = columns[f"token{group}"] - columns[f"class{group}"]
        columns[f"shuffled - class{group}"] = columns[f"shuffled{group}"] - columns[f"class{group}"]
    columns |= {says: columns[more] - columns[less] for says, more, less, _ in _CLAIMS}
    found = estimate_means(np.column_stack(list(columns.values())), draw_counts(len(rows)))
    estimates = dict(zip(columns, found, strict=True))
    return Summary(
        problems=len(rows),
        tokens=int(columns["tokens"].sum()),
        claims=tuple(Claim(says=says, found=estimates.pop(says), least=least) for says, _, _, least in _CLAIMS),
        estimates=estimates,
    )


def _cell(found: Estimate, form: str = ".3f") -> str:
    return f"{as_text(found.mean, form)} [{as_text(found.low, form)}, {as_text(found.high, form)}]"


def _grids(found: Summary) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return the tables: a title, the header, and the rows."""
    at = found.estimates
    kinds = ("token", "class", "shuffled", "token - class", "shuffled - class", "at once")
    heads = (
        "token known",
        "class known",
        "shuffled class",
        "token - class",
        "shuffled - class",
        "token known in step 1",
    )
    known = [
        [name, *(_cell(at[f"{kind}{group}"]) for kind in kinds)]
        for name, group in zip(("all words", "content words", "function words and marks"), _GROUPS, strict=True)
    ]
    stages = [[stage.name, *(_cell(at[f"{name} {stage.name}"], ".2f") for name in _CELLS)] for stage in STAGES]
    gold_ = [
        [name, _cell(at[f"confidence {key}"], ".2f"), _cell(at[f"entropy {key}"], ".2f")]
        for name, key in (("equals the true token", "gold"), ("another token", "other"))
    ]
    claims = [[one.says, _cell(one.found), f"{one.least:g}", "yes" if one.holds else "no"] for one in found.claims]
    return [
        ("Known in step, as a share of all steps", ["", *heads], known),
        (
            "Masked slots, by the share of the gap that is written",
            ["", "H(class)", "H(shuffled class)", "H(token given class)", "right class", "right token"],
            stages,
        ),
        ("In step 1, by what was written in the end", ["", "confidence", "entropy, nats"], gold_),
        ("Claims", ["", "found", "at least", "holds"], claims),
    ]


def report(found: Summary) -> str:
    """Return the tables as text."""
    parts = [f"{title}\n{table(rows, header=header)}" for title, header, rows in _grids(found)]
    return "\n\n".join([f"{found.problems} problems, {found.tokens} tokens; {SHUFFLES} shuffles", *parts])


def markdown(found: Summary) -> str:
    """Return the tables as Markdown."""
    parts = []
    for title, header, rows in _grids(found):
        lines = [header, ["---"] * len(header), *rows]
        parts.append(f"{title}:\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([f"{found.problems} problems, {found.tokens} tokens; {SHUFFLES} shuffles.", *parts]) + "\n"


def draw(found: Summary) -> Any:
    """Return the figure: when tokens, classes and shuffled classes are known, and entropies over a run."""
    from plotly.subplots import make_subplots  # takes a second to import

    at = found.estimates
    figure = make_subplots(1, 2, subplot_titles=("Known in step, share of all steps", "Entropy of masked slots, nats"))

    def add(column: int, x: Sequence[str], keys: Sequence[str], name: str, look: Mapping[str, Any]) -> None:
        each = [at[key] for key in keys]
        spread = {"array": [e.high - e.mean for e in each], "arrayminus": [e.mean - e.low for e in each]}
        figure.add_scatter(
            x=x, y=[e.mean for e in each], error_y={"type": "data", "symmetric": False, **spread}, name=name, row=1,
            col=column, **look,
        )  # fmt: skip

    groups = ("all", "content", "function")
    for kind, symbol in (("token", "circle"), ("class", "square"), ("shuffled", "x")):
        name = "shuffled class" if kind == "shuffled" else kind
        look = {"mode": "markers", "marker": {"symbol": symbol, "size": 11}}
        add(1, groups, [f"{kind}{group}" for group in _GROUPS], name, look)
    stages = [stage.name for stage in STAGES[1:]]
    curves = (("class_entropy", "H(class)", "solid"), ("shuffled_entropy", "H(shuffled class)", "dash"))
    for key, name, dash in (*curves, ("class_given", "H(token given class)", "dot")):
        add(2, stages, [f"{key} {stage}" for stage in stages], name, {"mode": "lines+markers", "line": {"dash": dash}})
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        title=f"When kinds of words and words are decided: {found.problems} problems, intervals of 95 %",
        template="plotly_white",
        height=720,
    )
    return figure
