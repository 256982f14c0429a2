"""Looking at every length, writing the best out, choosing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.errors import InfillError
from app.length.choose import choose_length, shortlist
from app.length.prior import UNFITTED
from app.length.probe import candidates, outcome, probe
from app.length.probe import canvases as canvases_of
from app.sampler import Sampler
from app.sampling.canvas import Canvas
from app.sampling.constraints import NothingFitsError
from app.sampling.layout import Layout
from app.sampling.request import InfillRequest
from app.sampling.step import Step
from models.denoiser import Query
from models.prediction import Prediction
from models.toy import MarkovDenoiser, ToyTokenizer, toy
from tests.models.random_weights import ARCHITECTURES, denoiser, network

LETTERS = "abcdefgh"


def canvases(request: InfillRequest, model, longest: int):
    return canvases_of(Layout.of(request, model), model, [longest])


def blank_between(before: Sequence[int], after: Sequence[int], mask_id: int):
    def canvas_of(length: int) -> Canvas:
        ids = np.array([*before, *[mask_id] * length, *after])
        span = ids == mask_id
        return Canvas(ids=ids, editable=span, masked=span.copy(), mask_id=mask_id)

    return canvas_of


class Counting:
    """Another denoiser, its rows and calls counted."""

    def __init__(self, inner: MarkovDenoiser) -> None:
        self.name, self.tokenizer, self.context, self.notices = inner.name, inner.tokenizer, inner.context, ()
        self.judge = None
        self._inner, self.rows, self.calls = inner, 0, 0

    def predict(self, queries: Sequence[Query]) -> list[Prediction]:
        self.rows, self.calls = self.rows + len(queries), self.calls + 1
        return self._inner.predict(queries)


def alphabet(slip: float = 0.01) -> MarkovDenoiser:
    """Letters follow each other in order and begin again after the last; now and then one is out of order."""
    count = len(LETTERS)
    steps = np.full((count, count), slip / count)
    steps[np.arange(count), (np.arange(count) + 1) % count] += 1 - slip
    return MarkovDenoiser(ToyTokenizer(LETTERS), steps)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_lengths_at_once_give_the_same_as_each_alone(architecture):
    model = denoiser(network(architecture))
    canvas_of, lengths = blank_between([3, 8, 4], [9, 1, 7], 39), np.arange(1, 25)
    together = outcome(probe(canvas_of, model, lengths))
    alone = [outcome(probe(canvas_of, model, lengths[place : place + 1])) for place in range(len(lengths))]
    assert together.phi == pytest.approx(np.concatenate([one.phi for one in alone]), abs=1e-4)
    assert together.seam == pytest.approx(np.concatenate([one.seam for one in alone]), abs=1e-4)
    assert (together.rows, together.calls) == (48, 1)
    assert np.ptp(together.phi) > 0.01


def test_the_probe_is_exact_where_beliefs_are():
    model = toy()
    before, after = model.tokenizer.encode("the "), model.tokenizer.encode("was")
    canvas_of = blank_between(before, after, model.tokenizer.mask_id)
    look = outcome(probe(canvas_of, model, np.array([2, 5])))
    for place, length in enumerate((2, 5)):
        ids = canvas_of(length).ids
        gap = np.arange(4, 4 + length)
        assert look.phi[place] == pytest.approx(model.marginals(ids)[gap].max(1).mean())
        unseen = ids.copy()
        unseen[4 + length] = model.tokenizer.mask_id
        assert look.seam[place] == pytest.approx(np.log(model.marginals(unseen)[4 + length, after[0]]))


def test_long_texts_are_split_into_several_forward_passes(monkeypatch):
    model, canvas_of = toy(), blank_between([1, 2], [3], 31)
    whole = outcome(probe(canvas_of, model, np.arange(1, 9)))
    monkeypatch.setattr("app.length.probe._TOKENS", 30)  # canvases are up to 11 long
    parts = outcome(probe(canvas_of, model, np.arange(1, 9)))
    assert (whole.calls, parts.calls, parts.rows) == (1, 8, 16)
    assert parts.phi.tolist() == whole.phi.tolist()


def test_without_a_suffix_there_is_no_seam():
    look = outcome(probe(blank_between([1, 2], [], 31), toy(), np.arange(1, 5)))
    assert look.seam.tolist() == [0, 0, 0, 0]
    assert look.rows == 4


def test_only_the_gap_in_question_counts_where_there_are_others():
    model = toy()

    def canvas_of(length: int) -> Canvas:
        return blank_between([1, 31, 31, 2], [3], 31)(length)

    look = outcome(probe(canvas_of, model, np.array([3]), gap_of=lambda canvas: canvas.masks[2:]))
    assert look.phi[0] == pytest.approx(model.marginals(canvas_of(3).ids)[4:7].max(1).mean())


@pytest.mark.parametrize(
    ("score", "picked"),
    [
        ([0, 5, 0, 0, 4, 0, 0, 3, 0], [2, 5, 8]),  # three peaks
        ([9, 8, 7, 6, 5, 4, 3, 2, 1], [1, 4, 7]),  # one peak, then the best that are no neighbours
        ([0, 9, 8, 7, 6, 5, 0, 1, 0], [2, 5, 8]),  # a peak that is low comes before a slope that is high
        ([3, 1, 2], [1]),
    ],
)
def test_peaks_are_written_out_first_and_neighbours_never(score, picked):
    assert shortlist(np.arange(1, len(score) + 1), np.array(score, dtype=float)).tolist() == picked


@pytest.mark.parametrize("tries", [1, 3])
def test_the_only_length_that_the_alphabet_allows_is_chosen(tries):
    model = alphabet()
    request = InfillRequest(prefix="abc", suffix="habc", space=False)
    canvas_of, _ = canvases(request, model, 8)
    prior = replace(UNFITTED, part=(10.0, 1.0))
    choice = outcome(
        choose_length(canvas_of, model, prior, Sampler.of(request, model).fill, candidates(model, 8), tries=tries)
    )
    assert choice.chosen == 4  # d e f g
    assert choice.phi[3] == choice.phi.max() > 0.95
    assert len(choice.tried) == tries


def test_every_forward_pass_is_counted_those_of_the_losers_too():
    model = Counting(alphabet())
    request = InfillRequest(prefix="abc", suffix="habc", space=False)
    canvas_of, _ = canvases(request, model, 8)
    prior = replace(UNFITTED, part=(10.0, 1.0))
    choice = outcome(choose_length(canvas_of, model, prior, Sampler.of(request, model).fill, candidates(model, 8)))
    assert (choice.rows, choice.calls) == (model.rows, model.calls)
    assert choice.rule == "elbo"
    assert choice.rows == 16 + sum(choice.tried) + 8 * len(choice.tried)


@pytest.mark.parametrize(("refused", "chosen"), [((), 4), ((4,), 8), (range(1, 9), None)])
def test_a_length_at_which_banned_words_cannot_be_kept_out_is_not_chosen(refused, chosen):
    model = Counting(alphabet())
    request = InfillRequest(prefix="abc", suffix="habc", space=False)
    canvas_of, _ = canvases(request, model, 8)

    def finish(canvas: Canvas) -> Iterator[Step]:
        for step in Sampler.of(request, model).fill(canvas):
            if len(canvas.masks) in refused and not step.canvas.masked.any():
                raise NothingFitsError("the banned word cannot be kept out", rows=step.nfe, calls=step.calls)
            yield step

    work = choose_length(canvas_of, model, replace(UNFITTED, part=(10.0, 1.0)), finish, candidates(model, 8))
    if chosen is None:
        with pytest.raises(NothingFitsError):
            outcome(work)
        return
    choice = outcome(work)
    assert choice.chosen == chosen
    assert (choice.rows, choice.calls) == (model.rows, model.calls)  # those of the refused length, too
    assert choice.tried.tolist() == [length for length in (4, 8, 1) if length not in refused]


def test_all_lengths_are_judged_by_the_same_text():
    model = denoiser(network("llama"))  # reads 64 tokens
    request = InfillRequest(prefix=" ".join(["5"] * 60), suffix="7 8", length=1)
    canvas_of, notices = canvases(request, model, 20)
    given = {tuple(canvas_of(length).ids[~canvas_of(length).masked]) for length in range(1, 21)}
    assert len(given) == 1
    assert "left out" in notices[0]


@pytest.mark.parametrize("longest", [0, 64, 1000])
def test_more_masks_than_the_context_has_room_for_are_refused(longest):
    with pytest.raises(InfillError, match="must be 1 to 63 masks"):
        candidates(denoiser(network("llama")), longest)


def test_a_canvas_that_does_not_fit_is_refused():
    with pytest.raises(InfillError, match="does not fit"):
        outcome(probe(blank_between([1] * 60, [2], 39), denoiser(network("llama")), np.array([1, 9])))
