from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from app.strategies.registry import strategies
from models.denoiser import BeliefCache
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network
from tests.strategies.scenes import blank, decode, written

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

GAP = [3, 8, MASK, MASK, MASK, 5, 6]


@every_architecture
def test_a_suffix_token_changes_the_belief_in_the_gap(architecture):
    model = denoiser(network(architecture))
    first, second = model.predict([ask(GAP), ask([*GAP[:-1], 7])])
    assert np.abs(first.top_probs[2] - second.top_probs[2]).max() > 1e-3


@every_architecture
def test_a_causal_network_does_not_see_the_suffix(architecture):
    """The error that the test above would detect: transformers is causal by default."""
    model = denoiser(network(architecture, is_causal=True))
    first, second = model.predict([ask(GAP), ask([*GAP[:-1], 7])])
    assert difference(first, second) < 1e-6


@every_architecture
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_batch_of_different_lengths_equals_single_queries(architecture, temperature):
    model = denoiser(network(architecture))
    texts = [GAP, [1, MASK, 2], [4, 5, MASK, MASK, 7, 8, 9, 10, 11, MASK, 12, 13], [2, MASK]]
    queries = [ask(text, temperature=temperature, top_p=0.9) for text in texts]
    singles = [model.predict([query])[0] for query in queries]
    for batched, single in zip(model.predict(queries), singles, strict=True):
        assert difference(batched, single) < 1e-5


@every_architecture
def test_the_belief_about_a_token_is_read_one_output_before_it(architecture):
    network_ = network(architecture)
    (prediction,) = denoiser(network_).predict([ask(GAP)])
    with torch.inference_mode():
        logits = network_(input_ids=torch.tensor([GAP])).logits[0, :, :MASK]  # the mask token is banned
    expected = logits.softmax(-1).topk(5).values.numpy()
    for position in (2, 3, 4):
        assert prediction.top_probs[position] == pytest.approx(expected[position - 1], abs=1e-5)


def test_the_mask_token_banned_tokens_and_padded_rows_are_never_believed():
    network_ = network("llama")
    model = denoiser(network_)
    model.vocabulary = 30
    with torch.no_grad():
        network_.lm_head.weight[[3, 34, MASK]] *= 100  # loud either way
    for text in (GAP, [9, *GAP]):
        (prediction,) = model.predict([ask(text, temperature=5.0, banned=(3,))])
        believed = set(prediction.top_tokens[prediction.top_tokens >= 0].tolist())
        assert not believed & {3, MASK, *range(30, 40)}


class Oracle(torch.nn.Module):
    """A causal language model in shape, whose output j knows token j + `ahead` of the true text."""

    def __init__(self, truth: list[int], *, ahead: int, size: int = 24) -> None:
        super().__init__()
        self.head = torch.nn.Linear(size, size, bias=False)
        torch.nn.init.eye_(self.head.weight)
        known = [truth[j + ahead] if j + ahead < len(truth) else 0 for j in range(len(truth))]
        self.outputs = 50.0 * torch.nn.functional.one_hot(torch.tensor(known), size).float()
        self.base_model = lambda input_ids, **_: SimpleNamespace(
            last_hidden_state=self.outputs.expand(len(input_ids), -1, -1)
        )
        self.config = SimpleNamespace(vocab_size=size)

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head


TRUTH = [5, 1, 7, 2, 9, 4, 11, 3, 8, 6]


@pytest.mark.parametrize("strategy", strategies().values(), ids=strategies())
@pytest.mark.parametrize("ahead", [1, 0])
def test_every_strategy_fills_in_what_a_network_shifted_by_one_knows(strategy, ahead):
    canvas = blank(6, before=TRUTH[:2], after=TRUTH[8:], mask_id=23)
    model = denoiser(Oracle(TRUTH, ahead=ahead), mask_id=23)
    filled = written(list(decode(canvas, model, strategy.bind({}), steps=4, temperature=0.5)))
    # An unshifted network, or a reader that forgets the shift, would be off by one.
    assert list(filled) == TRUTH[1 + ahead : 7 + ahead]


def test_a_state_seen_before_costs_no_forward_pass():
    model, cache = denoiser(network("llama")), BeliefCache()
    assert [model.predict([ask(GAP, cache=cache)])[0].forwards for _ in range(3)] == [1, 0, 0]
    assert model.predict([ask(GAP, cache=BeliefCache())])[0].forwards == 1, "one run profited from another"
    assert model.predict([ask(GAP)])[0].forwards == 1
    other = model.predict([ask(GAP, cache=cache), ask([9, *GAP], cache=cache)])
    assert [prediction.forwards for prediction in other] == [0, 1]


def test_a_state_is_forgotten_when_there_are_too_many_others():
    model, cache = denoiser(network("llama")), BeliefCache(2)
    texts = [GAP, [1, *GAP], [2, *GAP]]
    queries = [ask(text, cache=cache) for text in [*texts, texts[-1], texts[0]]]
    assert [model.predict([query])[0].forwards for query in queries] == [1, 1, 1, 0, 1]


def test_settings_of_the_draw_are_not_part_of_the_state():
    model, cache = denoiser(network("llama")), BeliefCache()
    model.predict([ask(GAP, cache=cache)])
    again = {"temperature": 2.0, "banned": (1, 2)}
    (kept,), (computed,) = model.predict([ask(GAP, cache=cache, **again)]), model.predict([ask(GAP, **again)])
    assert kept.forwards == 0
    assert difference(kept, computed) < 1e-9


PROBING = {
    "core",
    "focore",
    "gibbs",
    "info_gain",
    "saber",
    "speculate",
}  # whose probes are paid by the budget where nothing is kept


@pytest.mark.parametrize("name", sorted(set(strategies()) - PROBING))
def test_keeping_states_changes_nothing_but_the_number_of_forward_passes(name):
    strategy = strategies()[name]
    canvas = blank(5, before=(3, 8), after=(5, 6), mask_id=MASK)
    model = denoiser(network("llama"))
    settings = {"steps": 12, "temperature": 1.0, "seed": 2}
    off = list(decode(canvas, model, strategy.bind({}), cache=BeliefCache(0), **settings))
    on = list(decode(canvas, model, strategy.bind({}), **settings))
    assert [step.canvas.ids.tolist() for step in off] == [step.canvas.ids.tolist() for step in on]
    assert on[-1].nfe <= off[-1].nfe == len(off)


def test_idle_steps_of_the_evaluation_sampler_cost_nothing_when_states_are_kept():
    canvas = blank(3, before=(3, 8), after=(5, 6), mask_id=MASK)
    strategy = strategies()["reference"]
    model = denoiser(network("llama"))
    last = list(decode(canvas, model, strategy.bind({}), steps=12, temperature=1.0))[-1]
    assert last.nfe <= 3 < 12


def test_a_gpu_without_memory_ends_the_pass_with_what_to_do_and_the_next_one_works(monkeypatch):
    model = denoiser(network("llama"))

    def full(**_: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    freed: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(True))
    with monkeypatch.context() as patch:
        patch.setattr(model, "_run", full)
        with pytest.raises(MemoryError, match="too little memory for this text; shorten it, or choose a smaller model"):
            model.predict([ask(GAP)])
    assert freed == [True]
    assert model.predict([ask(GAP)])[0].forwards == 1
