"""What quantising costs, measured."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from models.evaluate import quantisation
from models.evaluate.quantisation import FORMS, draw, measure


@pytest.fixture(autouse=True)
def timed_once(monkeypatch) -> None:
    """Time each form once, as the tests look at no times."""
    monkeypatch.setattr(quantisation, "costs", partial(quantisation.costs, repeat=1))


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("The little dog was sad, so he ran home to his mum. She gave him a big hug.\n" * 40)
    return file


def test_every_form_is_compared_with_the_exact_one(text, tmp_path):
    costs, title = measure("bundled", text, chunks=2, device="cpu")
    assert title == "bundled on cpu, 512 tokens"
    rows = {cost.name: cost for cost in costs}
    assert list(rows) == [name for name in FORMS if name != "bf16"], "bf16 must be named"
    exact = rows["fp32"]
    assert (exact.agreement, exact.relative) == (100, 1)
    assert exact.megabytes == pytest.approx(62.9, abs=0.1)
    for name in ("int8", "nf4", "fp4"):
        assert 50 < rows[name].agreement < 100
        assert 0 < abs(rows[name].nats_per_token - exact.nats_per_token) < 0.5
        assert rows[name].megabytes < exact.megabytes / 2
    assert rows["nf4"].megabytes == rows["fp4"].megabytes < rows["int8"].megabytes
    assert rows["int8"].agreement > rows["nf4"].agreement
    draw(costs, tmp_path / "plot.html", title=title)
    assert "nats per token" in (tmp_path / "plot.html").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("toy", {}, "no weights to quantise"),
        ("bundled", {"forms": ["fp32", "int3"]}, "'int3' is not a form"),
        ("bundled", {"device": "cuda"}, "no CUDA GPU"),
    ],
)
def test_errors_say_what_is_wrong(text, name, settings, message):
    with pytest.raises(ValueError, match=message):
        measure(name, text, **settings)
