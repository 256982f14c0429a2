"""What is shipped of the comparison: figures with intervals, sample texts, a table, a picture.

`differences.json` is one object:

    {
      "source": "arXiv:2605.12522", "model": "bundled", "texts": R, "length": G, "prompt": 32, "temperature": 1.0,
      "measures": {"entropy1": "what it is, with its unit", …},   // in the order in which they are shown
      "rows": [{                                                  // in the order in which they are shown
        "key": "low_confidence", "title": "child, surest first",
        "strategy": "low_confidence", "knobs": {}, "redraw": false,  // strategy "": a person, or the parent
        "figures": {"entropy1": {"mean": 4.46, "low": 4.40, "high": 4.52}, …},   // null where it cannot be measured
        "samples": [{"prompt": "…", "pieces": ["token", …], "repeated": [12, 13, 14]}, …]
      }, …],
      "differences": [{"row": "low_confidence", "from": "random", "measure": "entropy1",
                       "mean": -0.97, "low": -1.03, "high": -0.91}, …]
    }

`low` and `high` are the ends of the 95 % interval over texts. The pieces of a sample joined are its text, unedited;
`repeated` has the places, from 0, of the tokens in triples that occurred before in the same sample. Row `human` has no
samples, because its texts are those of the held-out text, which is not shipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import InfillError
from app.measure.bootstrap import draw_counts
from app.measure.differences.measures import MEASURES, Figures, difference, measure_texts, repeated_places
from app.measure.differences.texts import FIRST_SAMPLE, HUMAN, PROMPT, TEMPERATURE, WAYS
from app.measure.map.figures import take_picture
from app.measure.map.runs import Rows
from models.denoiser import Denoiser, Floats
from models.terminal import as_text, plain, table

NAME = "differences"
"""The name of the files, before their endings."""
_RESAMPLES = 1000
_COMPARED = "random"
"""The row that the others' differences are taken from: the child in an order that does not depend on its tokens."""
_SHORT = {
    "entropy1": "H1", "entropy2": "H2", "entropy3": "H3", "distinct1": "distinct-1", "distinct2": "distinct-2",
    "repeated3": "repeated 3-grams", "coherence": "coherence", "diversity": "diversity", "nats": "parent's nats",
}  # fmt: skip
_PICTURED = ("entropy1", "entropy3", "repeated3", "coherence", "diversity")


def build(
    rows: Rows, prompts: Sequence[str], texts: int, length: int, topics: Floats | None, denoiser: Denoiser
) -> dict[str, Any]:
    """Return the content of `differences.json` from the texts that all rows have, of the first `texts` prompts.

    `prompts` are those of one's own. Raises InfillError if fewer than two prompts were continued by all rows.
    """
    whole = rows.complete(texts, [way.key for way in WAYS], [0])
    if len(whole) < 2:
        raise InfillError("fewer than two prompts were continued in every way: give it more --minutes, or --texts 2")
    counts = draw_counts(len(whole), resamples=_RESAMPLES)
    figures: dict[str, Figures] = {}
    for way in WAYS:
        mine = [rows.by_problem[number][way.key][0] for number in whole]
        fills, nats = [row["fill"] for row in mine], [row["nats"] for row in mine]
        figures[way.key] = measure_texts(fills, nats, topics, denoiser.tokenizer, counts)
    return {
        "source": "arXiv:2605.12522",
        "model": denoiser.name,
        "texts": len(whole),
        "length": length,
        "prompt": PROMPT,
        "temperature": TEMPERATURE,
        "measures": MEASURES,
        "rows": [
            {
                **asdict(way),
                "figures": {name: asdict(found) for name, found in figures[way.key].estimates.items()},
                "samples": _samples(rows, way.key, prompts, denoiser),
            }
            for way in WAYS
        ],
        "differences": [
            {"row": key, "from": _COMPARED, "measure": name, **asdict(difference(found, figures[_COMPARED], name))}
            for key, found in figures.items()
            if key != _COMPARED
            for name in MEASURES
        ],
    }


def _samples(rows: Rows, key: str, prompts: Sequence[str], denoiser: Denoiser) -> list[dict[str, Any]]:
    """Return the texts of a row that continue prompts of one's own, as far as they are written."""
    found = []
    for number, prompt in enumerate(prompts):
        row = rows.by_problem.get(FIRST_SAMPLE + number, {}).get(key, {}).get(0)
        if row and row["fill"] and key != HUMAN:
            names = [denoiser.tokenizer.token_bytes(token).decode("utf-8", "replace") for token in row["fill"]]
            found.append({"prompt": prompt, "pieces": names, "repeated": repeated_places(row["fill"])})
    return found


def as_json(made: Mapping[str, Any]) -> str:
    """Return the content as JSON, with null in place of NaN and four digits after the point."""
    return json.dumps(plain(_rounded(made)), ensure_ascii=False, indent=1)


def _rounded(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {name: _rounded(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return round(data, 4) if isinstance(data, float) else data


def as_table(made: Mapping[str, Any]) -> str:
    """Return the figures as lines of aligned columns, and below them the differences of H1."""
    head = f"{made['texts']} texts of {made['length']} tokens, temperature {made['temperature']}; 95 % intervals\n"
    rows = [(row["title"], *(_cell(row["figures"][name]) for name in MEASURES)) for row in made["rows"]]
    titles = {row["key"]: row["title"] for row in made["rows"]}
    lines = [
        f"H1 of '{titles[each['row']]}' less that of '{titles[each['from']]}': {_cell(each, '+.2f')}"
        for each in made["differences"]
        if each["measure"] == "entropy1"
    ]
    return head + table(rows, header=("text", *_SHORT.values())) + "\n" + "\n".join(lines)


def as_markdown(made: Mapping[str, Any]) -> str:
    """Return the figures as a table in Markdown."""
    lines = ["| text | " + " | ".join(_SHORT.values()) + " |", "| --- |" + " --- |" * len(_SHORT)]
    lines += [
        f"| {row['title']} | " + " | ".join(_cell(row["figures"][name]) for name in MEASURES) + " |"
        for row in made["rows"]
    ]
    return "\n".join(lines) + "\n"


def _cell(found: Mapping[str, float], form: str = ".2f") -> str:
    mean, low, high = (as_text(found[name], form) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]" if mean != "–" else mean


def write(made: Mapping[str, Any], folder: Path) -> None:
    """Write the JSON, the table in Markdown and, if there is a browser, the picture. Raises InfillError if it fails."""
    try:
        (folder / f"{NAME}.json").write_text(as_json(made) + "\n", encoding="utf-8")
        (folder / f"{NAME}.md").write_text(as_markdown(made), encoding="utf-8")
        take_picture(draw(made), folder / f"{NAME}.png")
    except OSError as error:
        raise InfillError(f"cannot write into '{folder}': {error.strerror}") from None


def draw(made: Mapping[str, Any]) -> Any:
    """Return a plotly figure: a panel for each of some measures, a point with its interval for each row."""
    from plotly.subplots import make_subplots  # takes a second to import

    rows = made["rows"][::-1]
    titles = [row["title"] for row in rows]
    figure = make_subplots(
        rows=1, cols=len(_PICTURED), shared_yaxes=True, subplot_titles=[_SHORT[name] for name in _PICTURED],
        horizontal_spacing=0.03,
    )  # fmt: skip
    for column, name in enumerate(_PICTURED, start=1):
        means, lows, highs = (np.array([row["figures"][name][end] for row in rows]) for end in ("mean", "low", "high"))
        error = {"type": "data", "symmetric": False, "array": highs - means, "arrayminus": means - lows}
        figure.add_scatter(
            x=means, y=titles, error_x=error, mode="markers", marker={"size": 9, "color": "#0072b2"}, row=1, col=column
        )
        human = next(row["figures"][name]["mean"] for row in rows if row["key"] == HUMAN)
        figure.add_vline(x=human, line={"dash": "dash", "color": "#444444", "width": 1}, row=1, col=column)  # pyright: ignore[reportArgumentType]
    note = f"{made['texts']} texts of {made['length']} tokens; points with 95 % intervals; dashed: human text"
    figure.update_layout(
        title={"text": f"How does its text differ?<br><sup>{note}</sup>", "x": 0.02},
        template="plotly_white",
        height=700,
        showlegend=False,
        margin={"l": 230, "r": 20, "t": 100, "b": 40},
    )
    return figure
