"""The bound and the likelihood, against sums over all sets of masks, an exact model, and plain cross-entropy."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.evaluate import likelihood
from models.toy import MarkovDenoiser, ToyTokenizer
from tests.models.evaluate.causal import causal
from tests.models.random_weights import ARCHITECTURES, MASK, VOCABULARY, denoiser, network


def exact_bound(net: Any, text: list[int]) -> float:
    """The bound in nats per token, by the sum over all sets of masked tokens but the first one."""
    targets = range(1, len(text))
    total = 0.0
    for size in targets:
        subsets = list(itertools.combinations(targets, size))
        for subset in subsets:
            ids = torch.tensor([[MASK if i in subset else token for i, token in enumerate(text)]])
            with torch.no_grad():
                logits = net(input_ids=ids).logits[0].double()
            losses = [-logits[i - 1].log_softmax(-1)[text[i]].item() for i in subset]
            total += sum(losses) / size / len(subsets) / len(targets)
    return total


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("text", [[3, 8, 1, 5, 6], [3, 8, 1, 5]], ids=["even", "odd"])
def test_the_elbo_is_the_mean_over_all_sets_of_masks(architecture, text):
    net, copies = network(architecture), 4000
    found = likelihood.elbo(denoiser(net), np.array([text] * copies), seed=1)
    assert found.standard_error < 0.06
    assert found.nats_per_token == pytest.approx(exact_bound(net, text), abs=3 * found.standard_error)
    assert (found.chunks, found.tokens) == (copies, copies * (len(text) - 1))


CHAIN = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]])


def exact_network() -> Any:
    """The Markov chain as a transformer in shape: output i - 1 has the exact log-probabilities of token i."""
    chain = MarkovDenoiser(ToyTokenizer("abc"), CHAIN)

    def body(input_ids: torch.Tensor, use_cache: bool) -> SimpleNamespace:
        beliefs = np.stack([chain.marginals(ids) for ids in input_ids.numpy()])
        logits = np.full((*input_ids.shape, 5), -1e9)  # begin and mask are never written
        logits[:, :-1, :3] = np.log(np.clip(beliefs[:, 1:], 1e-30, None))
        return SimpleNamespace(last_hidden_state=torch.from_numpy(logits))

    return SimpleNamespace(body=body, head=torch.nn.Identity(), device=torch.device("cpu"), tokenizer=chain.tokenizer)


def test_the_elbo_of_an_exact_model_is_the_likelihood():
    text = [1, 2, 0, 0, 2]
    truth = -sum(math.log(CHAIN[before, after]) for before, after in itertools.pairwise(text))
    found = likelihood.elbo(exact_network(), np.array([text] * 1500))
    assert found.standard_error < 0.02
    assert found.nats_per_token == pytest.approx(truth / 4, abs=3 * found.standard_error)
    assert found.bits_per_byte == pytest.approx(found.nats_per_token / math.log(2))  # a letter is a byte


@pytest.mark.parametrize("targets", [1, 2, 4, 5, 9])
def test_both_sizes_of_the_pairs_together_are_uniform(targets):
    sizes = likelihood.mask_counts(targets, targets, np.random.default_rng(0))
    counted = Counter([*sizes.tolist(), *(targets + 1 - sizes).tolist()])
    assert counted == dict.fromkeys(range(1, targets + 1), 2)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_pair_covers_every_token_one_of_them_twice_and_subsets_are_uniform(size):
    ranks = np.array(list(itertools.permutations(range(4))))
    first, second = likelihood.antithetic(ranks, np.full(len(ranks), size))
    assert (first | second).all()
    assert set((first & second).sum(1)) == {1}
    for sets, count in ((first, size), (second, 5 - size)):
        assert set(sets.sum(1)) == {count}
        frequencies = Counter(map(tuple, sets.tolist()))
        assert len(frequencies) == math.comb(4, count)
        assert len(set(frequencies.values())) == 1


def test_the_first_token_of_a_chunk_is_never_masked_and_every_other_is():
    seen = []
    model = exact_network()
    body = model.body
    model.body = lambda input_ids, use_cache: seen.append(input_ids) or body(input_ids, use_cache)
    likelihood.elbo(model, np.array([[0, 1, 2, 1]] * 5))
    masked = torch.cat(seen) == model.tokenizer.mask_id
    assert not masked[:, 0].any()
    assert masked[:, 1:].any(0).all()


def test_pairs_vary_less_than_as_many_single_sets():
    net, text = denoiser(network("llama")), [3, 8, 1, 5, 6, 7, 2, 30, 11]
    pairs = likelihood.elbo(net, np.array([text] * 400))
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 800)
    singles = rng.permuted(np.tile(np.arange(8), (800, 1)), axis=1) < sizes[:, None]
    losses = likelihood._masked_losses(net, np.array([text] * 800), singles) / sizes
    assert pairs.standard_error < losses.std() / math.sqrt(800)


def test_the_next_token_loss_is_the_mean_cross_entropy():
    net = network("llama", is_causal=True)
    chunks = np.random.default_rng(0).integers(0, VOCABULARY, (7, 12))
    found = likelihood.next_token_loss(causal(net), chunks)
    ids = torch.from_numpy(chunks)
    with torch.no_grad():
        logits = net(input_ids=ids).logits[:, :-1]
    losses = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    assert found.nats_per_token == pytest.approx(losses.mean().item(), abs=1e-5)
    assert found.standard_error == pytest.approx(losses.mean(1).std().item() / math.sqrt(7), abs=1e-5)


def test_bits_per_byte_count_the_bytes_of_text_and_none_for_special_tokens():
    chunks = np.array([[5, 7, 0, 12]])  # " 7", nothing, " 12": the first one is given
    found = likelihood.next_token_loss(causal(), chunks)
    assert found.bits_per_byte == pytest.approx(found.nats_per_token * 3 / (2 + 3) / math.log(2))
    assert math.isnan(found.standard_error)
