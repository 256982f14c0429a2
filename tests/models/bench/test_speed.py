from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.bench.speed import bandwidth, canvas, find_device, forget, time_pass
from models.bench.untrained import SHAPES, build, check, weight_bytes
from models.checkpoints.placement import machine
from models.denoiser import Query
from models.networks.transformer import TransformerDenoiser, compile_shapes
from models.serve.batching import BatchingDenoiser
from tests.models.random_weights import ARCHITECTURES, MASK, ask, denoiser, difference, network

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

TEXTS = [[3, 8, MASK, MASK, MASK, 5, 6], [1, MASK, 2], [4, 5, MASK, MASK, 7, 8, 9, 10, 11, MASK, 12, 13]]
SIZES = {
    "llama": {
        "model_type": "llama",
        "vocab_size": 40,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
    },
    "gpt2": {"model_type": "gpt2", "vocab_size": 40, "n_embd": 64, "n_layer": 1, "n_head": 2, "n_positions": 32},
}


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    for name, shape in SIZES.items():
        monkeypatch.setitem(SHAPES, name, shape)


def padded(architecture: str) -> tuple[TransformerDenoiser, TransformerDenoiser]:
    """One network, read in its own shapes and in static ones."""
    exact, static = (denoiser(network(architecture)) for _ in range(2))
    static.static = True
    return exact, static


@every_architecture
def test_static_shapes_change_nothing(architecture):
    exact, static = padded(architecture)
    queries = [ask(text, temperature=0.8, top_p=0.9) for text in TEXTS]
    singles = [exact.predict([query])[0] for query in queries]
    for found, expected in zip(static.predict(queries), singles, strict=True):
        assert difference(found, expected) < 1e-5
    for query, expected in zip(queries, singles, strict=True):
        assert difference(static.predict([query])[0], expected) < 1e-5


@every_architecture
def test_canvases_of_many_sizes_come_in_few_shapes(architecture):
    _, static = padded(architecture)
    static.context = 200
    shapes, run = [], static.body.forward

    def spy(**given):
        shapes.append(tuple(given["input_ids"].shape))
        given["input_ids"], given["attention_mask"] = given["input_ids"][:, :64], given["attention_mask"][:, :64]
        return run(**given)

    static._run = spy
    for count, length in ((1, 2), (1, 64), (3, 40), (8, 64), (9, 40), (1, 65), (1, 128), (1, 129), (1, 200)):
        ids = [1, MASK] + [1] * (length - 2)
        static.predict([ask(ids)] * count)
    assert shapes == [(1, 64), (1, 64), (4, 64), (8, 64), (1, 128), (1, 128), (1, 200), (1, 200)], (
        "9 rows go uncompiled"
    )


@every_architecture
def test_the_network_is_one_graph_and_static_shapes_share_it(architecture):
    """What a CUDA graph needs; the compiler itself is left out."""
    exact, static = padded(architecture)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    static._run = compile_shapes(static.body, backend=backend, fullgraph=True)
    for text in TEXTS:
        (found,) = static.predict([ask(text)])
        assert difference(found, exact.predict([ask(text)])[0]) < 1e-5
    assert len(graphs) == 1


def test_every_shape_is_compiled_in_every_network_and_thread():
    """Dynamo stops after eight by itself, in all networks together, and forgets settings in another thread."""
    graphs, batches = [], [[ask([1, MASK] * length)] * count for length in (32, 64, 128) for count in (1, 2, 8)]
    torch.compiler.reset()
    for _ in range(2):
        static = build("llama", "fp32", device="cpu", static=True)
        static.context = 256
        static._run = compile_shapes(static.body, backend=lambda graph, _: graphs.append(graph) or graph.forward)
        shared = BatchingDenoiser(static)
        for batch in batches * 2:
            shared.predict(batch)
    assert len(graphs) == 2 * len(batches)


def test_a_compiled_network_warms_up_for_every_length_in_the_serving_thread():
    _, static = padded("llama")
    static.context, met, run = 50 + 2 * 64, [], static.body.forward
    static._run = lambda **given: met.append((tuple(given["input_ids"].shape), threading.get_ident())) or run(**given)
    BatchingDenoiser(static)
    assert not met, "only what is compiled"
    static.compiled = True
    shared = BatchingDenoiser(static)
    assert [shape for shape, _ in met] == [(1, length) for length in (64, 64, 128, 128, 178, 178)]
    shared.predict([ask([1, MASK])])
    assert len({thread for _, thread in met}) == 1 < len({threading.get_ident(), *(thread for _, thread in met)})


def test_a_length_that_does_not_fit_ends_the_warm_up_and_not_the_loading():
    _, static = padded("llama")
    static.context, static.compiled, lengths, run = 256, True, [], static.body.forward

    def small(**given):
        lengths.append(given["input_ids"].shape[1])
        if lengths[-1] > 64:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return run(**given)

    static._run = small
    static.warm_up()
    assert lengths == [64, 64, 128]


def test_eight_bits_are_not_compiled_because_their_shapes_change_with_what_is_read(monkeypatch):
    monkeypatch.setattr("models.networks.transformer.compile_shapes", lambda body, **_: body)
    head = SimpleNamespace(weight=SimpleNamespace(device=torch.device("cuda")))
    for numbers, compiled in (("int8", False), ("nf4", True), ("fp32", True)):
        model = build("llama", numbers, device="cpu", static=True)
        assert not model.compiled, "on a CPU nothing is"
        own = {"modules": model.body.modules, "parameters": model.body.parameters}
        on_gpu = SimpleNamespace(base_model=model.body, get_output_embeddings=lambda: head, **own)
        again = TransformerDenoiser(numbers, on_gpu, model.tokenizer, context=32, vocabulary=40, static=True)
        assert again.compiled == compiled


@every_architecture
@pytest.mark.parametrize("numbers", ["fp32", "int8", "nf4"])
def test_random_weights_are_built_and_timed_in_every_format(architecture, numbers):
    model = build(architecture, numbers, device="cpu")
    assert model.context == 32
    found = time_pass(model, 16, 4, repeat=1)
    assert found.seconds > 0
    assert found.peak is None
    ids, positions = canvas(model, 16, 4)
    changed = ids.copy()
    changed[-1] = (changed[-1] + 1) % model.tokenizer.mask_id
    first, second = model.predict(
        [Query(ids=each, positions=positions, uniforms=np.zeros(4)) for each in (ids, changed)]
    )
    assert np.isfinite(first.confidence).all()
    assert first.confidence[positions].tolist() != second.confidence[positions].tolist(), "the suffix goes unseen"


def test_a_pass_reads_every_weight_but_the_tables():
    linear = 4 * 64 * 64 + 3 * 64 * 128
    sizes = {numbers: weight_bytes(build("llama", numbers, device="cpu")) for numbers in ("fp32", "int8", "nf4")}
    assert sizes["fp32"] == 4 * (linear + 3 * 64 + 40 * 64)  # and norms and head; the embedding is a table
    rest = 3 * 64 + 40 * 64
    assert sizes["int8"] == linear + 4 * (4 * 64 + 2 * 128 + 64) + 2 * rest  # a scale for every row
    assert sizes["nf4"] == pytest.approx(linear / 2 + linear / 64 + 4 * rest, rel=0.01)
    tied = build("gpt2", "fp32", device="cpu")
    assert weight_bytes(tied) == 4 * (40 * 64 + sum(each.numel() for each in tied.body.h.parameters()) + 2 * 64)


@pytest.mark.parametrize(("shape", "millions"), [("diffullama", 6738), ("diffugpt-s", 124), ("diffugpt-m", 355)])
def test_the_shapes_are_those_of_the_published_models(shape, millions, monkeypatch):
    seen = []
    monkeypatch.setattr("models.bench.untrained.place", lambda name, weights, **_: seen.append(weights) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        build(shape, "fp32", device="cpu")
    count = sum(int(np.prod(each)) for each in seen[0].shapes.values())
    assert round(count / 1e6) == millions
    assert check(shape, "nf4") == (2048 if shape == "diffullama" else 1024)


def test_what_does_not_exist_is_refused_by_name():
    for name, numbers, word in (("gpt5", "fp32", "diffullama"), ("bundled", "int3", "nf4")):
        with pytest.raises(ValueError, match=word):
            build(name, numbers, device="cpu")
    model = build("gpt2", "fp32", device="cpu")
    for context, gap in ((8, 8), (8, 0), (64, 2)):
        with pytest.raises(ValueError, match="context of"):
            canvas(model, context, gap)


def test_the_machine_is_named_and_its_bandwidth_is_a_number(monkeypatch):
    monkeypatch.setattr("models.bench.speed.COPIED", {"cpu": 2**16})
    device = find_device("cpu")
    assert bandwidth(device, repeat=1) > 0
    assert "thread" in machine(device)


def test_recorded_graphs_are_given_back_before_the_memory_is(monkeypatch):
    done = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.compiler, "reset", lambda: done.append("graphs"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("memory"))
    forget()
    assert done == ["graphs", "memory"]
