from __future__ import annotations

import itertools

import numpy as np
import pytest

from app.sampling.step import NONE, Selection, Snapshot
from models.toy import toy
from tests.strategies.scenes import Told, after, blank, choose, counts, probing, run, snapshot

MASK = 3


def surer(**written: float) -> Told:
    """Every token 1 that a test hides is as probable as told, `at_1` and so on; 0.5 elsewhere."""

    def belief(ids: list[int], place: int) -> tuple[float, float]:
        probability = written.get(f"at_{place}", 0.5)
        return 1 - probability, probability

    return Told(belief)


def second_step(*confidence: float, steps: int = 64, written: tuple[float, ...] = (0.8, 0.6)) -> Snapshot:
    """The first positions have just been written; `confidence` is that of the others."""
    now = snapshot(confidence=[*written, *[0.1] * len(confidence)], steps=steps)
    commit = np.arange(1, len(written) + 1)
    return after(now, Selection(commit=commit, carry=now.prediction.confidence), confidence=list(confidence))


def test_nothing_is_surer_than_the_first_threshold_of_one_so_the_two_surest_are_written():
    selection = choose("saber", snapshot(confidence=[0.2, 1.0, 0.9, 0.3]))
    assert selection.commit.tolist() == [2, 3]
    assert (selection.notes["threshold"], selection.notes["passed"]) == (1.0, 0)


def test_the_threshold_is_the_mean_probability_at_the_time_of_writing_and_must_be_passed():
    """(0.8 + 0.6) / 2 = 0.7."""
    told = surer(at_1=0.8, at_2=0.6)
    for confidence, passed in (((0.71, 0.3, 0.72, 0.73, 0.1), 3), ((0.7, 0.3, 0.1, 0.1, 0.1), 0)):
        selection = choose("saber", probing(second_step(*confidence), told))
        assert selection.notes["threshold"] == pytest.approx(0.7)
        assert selection.notes["passed"] == passed
        assert selection.commit.tolist() == ([6, 5, 3] if passed else [3, 4])


def test_a_token_that_was_taken_back_still_counts_in_the_threshold_until_it_is_written_again():
    """(0.8 + 0.6) / 2, whether or not position 1 is masked again; then (0.2 + 0.6) / 2."""
    now = second_step(0.1, 0.1, 0.1)
    now = after(now, Selection(commit=NONE, remask=np.array([1])), confidence=[0.2, 0.1, 0.1, 0.1])
    assert choose("saber", probing(now, surer())).notes["threshold"] == pytest.approx(0.7)
    now = after(now, Selection(commit=np.array([1])), confidence=[0.1, 0.1, 0.1])
    assert choose("saber", probing(now, surer())).notes["threshold"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("now_believed", "back"),
    [
        ({"at_1": 0.5, "at_2": 0.4}, [1]),  # lost 0.3 and 0.2
        ({"at_1": 0.7, "at_2": 0.4}, [2]),  # lost 0.1 and 0.2, though it stays the surer one
        ({"at_1": 0.8, "at_2": 0.6}, []),  # lost nothing
        ({"at_1": 0.9, "at_2": 0.7}, []),  # gained
    ],
)
def test_what_has_lost_most_since_it_was_written_is_taken_back(now_believed, back):
    selection = choose("saber", probing(second_step(0.5, 0.4, 0.3, 0.2), surer(**now_believed)))
    assert selection.remask.tolist() == back
    assert selection.commit.tolist() == [3, 4]


def test_a_loss_is_counted_from_the_last_test():
    """Position 1: 0.8, 0.7, 0.65. Position 2: 0.6, 0.62, 0.55. So the last test finds losses of 0.05 and 0.07."""
    now = second_step(*[0.5] * 6)
    first = choose("saber", probing(now, surer(at_1=0.7, at_2=0.62)))
    assert first.carry is not None
    assert first.carry[1:5] == pytest.approx([0.7, 0.62, 0.5, 0.5])
    kept = Selection(commit=first.commit, carry=first.carry)
    then = choose("saber", probing(after(now, kept, confidence=[0.4] * 4), surer(at_1=0.65, at_2=0.55)))
    assert then.remask.tolist() == [2]
    assert then.notes["lost"] == pytest.approx(0.07)


def test_the_written_tokens_are_hidden_in_groups_each_token_once_in_one_batch():
    now = second_step(*[0.1] * 5, written=(0.9, 0.9, 0.9, 0.9, 0.9, 0.9))
    for groups, sizes in ((4, [1, 1, 2, 2]), (1, [6]), (8, [1] * 6)):
        told = surer()
        choose("saber", probing(now, told), groups=groups)
        (batch,) = told.asked
        hidden = [[place for place in range(1, 7) if ids[place] == MASK] for ids in batch]
        assert sorted(map(len, hidden)) == sizes
        assert sorted(itertools.chain(*hidden)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("passing", "part", "back"),
    [(8, 8, 1), (9, 8, 2), (16, 8, 2), (17, 8, 3), (9, 1, 8), (0, 8, 1)],
)
def test_one_token_is_taken_back_for_every_eight_committed_and_always_fewer_than_those(passing, part, back):
    """ceil(committed / part), at least half the fewest, and at most committed - 1."""
    written = (0.8,) * 12
    now = second_step(*[0.9] * passing, *[0.1] * 30, written=written)
    selection = choose("saber", probing(now, surer()), part=part)
    assert len(selection.commit) == max(2, passing)
    assert len(selection.remask) == back


def test_where_fewer_masks_are_left_than_are_to_be_written_nothing_known_is_overwritten():
    now = second_step(0.4, written=(0.8, 0.6, 0.7))
    told = surer(at_1=0.1)
    selection = choose("saber", probing(now, told), fewest=8)
    assert (selection.commit.tolist(), selection.remask.tolist(), told.asked) == ([4], [], [])


def test_no_test_is_made_where_nothing_may_be_taken_back():
    told = surer(at_1=0.1, at_2=0.1)
    settled = probing(second_step(*[0.3] * 6, steps=3), told)  # one step would be left after the test
    assert choose("saber", settled).remask.tolist() == []
    assert choose("saber", probing(second_step(*[0.3] * 6), told), every=2).remask.tolist() == []
    assert told.asked == []
    assert choose("saber", probing(second_step(*[0.3] * 6, steps=4), told)).remask.tolist() == [1]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("steps", [6, 9, 16, 64])
def test_every_step_gets_further_and_final_ones_take_nothing_back(steps, temperature):
    denoiser = toy()
    banned = tuple(denoiser.tokenizer.special_ids)
    canvas, taken_back = blank(16, mask_id=denoiser.tokenizer.mask_id), 0
    for seed in range(3):
        taken = run("saber", denoiser, canvas, steps=steps, seed=seed, temperature=temperature, banned=banned)
        left = [16, *(len(step.canvas.masks) for step in taken)]
        assert all(later < earlier for earlier, later in itertools.pairwise(left))
        for number, step in enumerate(taken, start=1):
            final = steps - max(number, step.calls) + 1 <= -(-steps // 10)
            assert not final or not len(step.selection.remask)
            taken_back += len(step.selection.remask)
        assert sum(counts(taken)) == 16 + sum(len(step.selection.remask) for step in taken)
    assert taken_back, "nothing was ever taken back"
