"""The tables behind the figures of lessons, by what a lesson asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.errors import unknown
from app.lessons import lengths, lens, orders, rows
from app.sampling.request import InfillRequest, from_fields
from models.denoiser import Denoiser

Make = Callable[[Denoiser, Mapping[str, Any]], Any]


def pieces(denoiser: Denoiser, text: str) -> dict[str, Any]:
    """Return the tokens of a text, as text."""
    tokenizer = denoiser.tokenizer
    tokens = tokenizer.encode(text, opening=True)
    return {"text": text, "pieces": [tokenizer.token_bytes(each).decode("utf-8", "replace") for each in tokens]}


def _request(asked: Mapping[str, Any]) -> InfillRequest:
    return from_fields(asked["request"])


MAKERS: Mapping[str, Make] = {
    "lens": lambda denoiser, asked: lens.look(_request(asked), denoiser, asked["step"]),
    "orders": lambda denoiser, asked: orders.of_text(_request(asked), asked["middle"], denoiser),
    "lengths": lambda denoiser, asked: lengths.fill_all(_request(asked), denoiser, asked["most"]),
    "rows": lambda denoiser, _: rows.measure_rows(denoiser),
    "pieces": lambda denoiser, asked: pieces(denoiser, asked["text"]),
}
"""What can make a table of a lesson from what the lesson asks for."""
MEASURED = ("rows",)
"""Tables that differ from machine to machine."""


def make_table(asked: Mapping[str, Any], denoiser: Denoiser) -> Any:
    """Return the table that a lesson asks for. Raises InfillError for one that cannot be made."""
    if asked["make"] not in MAKERS:
        raise unknown("table", asked["make"], MAKERS)
    return MAKERS[asked["make"]](denoiser, asked)
