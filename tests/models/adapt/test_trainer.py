"""The plan, the optimizers, one step, and what a training refuses."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate.utils import DistributedType
from transformers import PreTrainedTokenizerFast

from models.adapt.__main__ import main
from models.adapt.data import Examples
from models.adapt.objective import Trainee, next_token
from models.adapt.plan import Plan, optimizers
from models.adapt.stages import accelerator_for
from models.adapt.trainer import _share, _step
from tests.models.adapt.runs import (
    SAVE_EVERY,
    STEPS,
    VOCABULARY,
    assert_same,
    beside,
    command,
    copied,
    curve,
    difference,
    fill,
    interrupt,
    weights,
)
from tests.models.random_weights import ARCHITECTURES, network


def rates(**settings) -> list[float]:
    plan = Plan(steps=100, batch=1, learning_rate=2.0, **settings)
    return [plan.rate(step) for step in range(101)]


def test_the_learning_rate_warms_up_and_falls_to_a_fiftieth():
    found = rates(warmup=10)
    assert found[0] == pytest.approx(0.2)
    assert max(found) == found[9] == found[10] == 2.0
    assert found[10:] == sorted(found[10:], reverse=True)
    assert found[55] == pytest.approx(2.0 * (0.02 + 0.98 * 0.5))
    assert found[100] == pytest.approx(0.04)


def test_a_constant_rate_stays_after_the_warm_up():
    found = rates(warmup=4, schedule="constant")
    assert found[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert set(found[3:]) == {2.0}


def test_a_constant_rate_falls_in_a_line_over_the_cool_down():
    found = rates(warmup=0, schedule="constant", cooldown=40)
    assert set(found[:61]) == {2.0}
    assert found[80] == pytest.approx(2.0 * (0.02 + 0.98 * 0.5))
    falls = [first - second for first, second in pairwise(found[60:])]
    assert falls == pytest.approx([falls[0]] * 40)
    assert found[100] == pytest.approx(0.04)


def test_no_step_is_made_at_a_rate_of_zero():
    assert min(rates(warmup=0)) > 0
    assert min(rates(warmup=100)) > 0
    assert min(rates(warmup=0, schedule="constant", cooldown=100)) > 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("tied", [False, True])
def test_muon_takes_the_hidden_matrices_and_adamw_embeddings_head_norms_and_biases(architecture, tied):
    model = network(architecture)
    if tied:
        model.lm_head.weight = model.get_input_embeddings().weight
    names = {id(weight): name for name, weight in model.named_parameters()}
    plan = Plan(steps=1, batch=1, learning_rate=1.0, warmup=0, optimizer="muon", decay=0.5)
    adamw, muon = optimizers(Trainee(model), plan)
    taken = [{names[id(weight)] for group in each.param_groups for weight in group["params"]} for each in (adamw, muon)]
    assert sorted([*taken[0], *taken[1]]) == sorted(names.values()), "a weight is trained twice or not at all"
    kinds = [{name.split(".")[-2] for name in each} for each in taken]
    if architecture == "llama":
        assert kinds[1] == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    else:
        assert taken[1] == {name for name in names.values() if ".h." in name and model.get_parameter(name).dim() == 2}
        assert {"wte", "wpe"} <= kinds[0]
    decayed = {weight.dim(): group["weight_decay"] for group in adamw.param_groups for weight in group["params"]}
    assert decayed == {2: 0.5, 1: 0.0}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adamw_alone_takes_everything_and_decays_matrices_only(architecture):
    model = network(architecture)
    (adamw,) = optimizers(Trainee(model), Plan(steps=1, batch=1, learning_rate=1.0, warmup=0, decay=0.5))
    for group in adamw.param_groups:
        assert {weight.dim() == 2 for weight in group["params"]} == {group["weight_decay"] == 0.5}
    assert sum(len(group["params"]) for group in adamw.param_groups) == len(list(model.parameters()))


def test_training_changes_the_weights_and_the_log_tells_the_validation_loss(trained):
    assert difference(trained / "parent", trained / "child") > 1e-4
    found = curve(trained / "parent")
    assert found.validated == found.steps == [SAVE_EVERY, STEPS]
    assert found.tokens == [4 * 32 * SAVE_EVERY, 4 * 32 * STEPS]
    assert found.validation[1] < found.validation[0] < math.log(VOCABULARY) + 0.5


def test_a_long_training_learns_the_text_by_heart(trained, tmp_path):
    """The pieces may all be right and the whole still learn nothing."""
    arguments = command("adapt", trained, tmp_path / "out", steps=60, learning_rate="1e-2", save_every=60)
    assert main(arguments) == 0
    assert curve(tmp_path / "out").validation[-1] < 0.75 * curve(trained / "child").validation[0]


@pytest.mark.parametrize("stage", ["pretrain", "adapt", "finetune"])
def test_a_batch_taken_in_parts_gives_the_same_weights(trained, tmp_path, stage):
    outs = [tmp_path / f"in_{parts}" for parts in (1, 2, 4)]
    for out, parts in zip(outs, (1, 2, 4), strict=True):
        assert main(command(stage, trained, out, accumulate=parts)) == 0
    for out in outs[1:]:
        assert difference(out, outs[0]) < 1e-5
        assert curve(out).validation == pytest.approx(curve(outs[0]).validation, abs=2e-4)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_large_gradient_is_clipped(parts):
    accelerator, model = accelerator_for("no"), Trainee(network("llama"))
    plan = Plan(steps=1, batch=4, learning_rate=1.0, warmup=0, clip=1e-3, accumulate=parts)
    model, stepper = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=1.0))
    before = [weight.clone() for weight in model.parameters()]
    exercise = next_token(torch.arange(20).reshape(4, 5))
    _step(model, exercise, [stepper], plan, 2.0, 4 // parts, accelerator)
    moved = [(weight - old).norm() for weight, old in zip(model.parameters(), before, strict=True)]
    assert torch.stack(moved).norm().item() == pytest.approx(2.0 * 1e-3, rel=1e-2)


@pytest.mark.parametrize("weighting", ["elbo", "uniform"])
def test_every_setting_of_the_objective_trains_something_of_its_own(trained, tmp_path, weighting):
    arguments = command("adapt", trained, tmp_path / "out", weighting=weighting, normalization="masked")
    assert main(arguments) == 0
    losses, usual = np.array(curve(tmp_path / "out").losses), np.array(curve(trained / "child").losses)
    assert (np.abs(losses / usual - 1) > 0.01).all()
    # AdamW takes no notice of a loss's scale, only of how it changes from batch to batch: that moves weights by little.
    assert difference(tmp_path / "out", trained / "child") > 1e-6


def test_checkpointed_activations_change_nothing(trained, tmp_path):
    assert main(command("adapt", trained, tmp_path / "out", gradient_checkpointing=True)) == 0
    assert difference(tmp_path / "out", trained / "child") < 1e-5


def test_the_tokens_of_examples_are_counted_without_the_padding(trained, tmp_path):
    out = tmp_path / "out"
    assert main(command("finetune", trained, out)) == 0
    tokenizer = PreTrainedTokenizerFast.from_pretrained(trained / "tokenizer")
    source = Examples(trained / "examples.jsonl", tokenizer, context=32, seed=3)
    batches = [batch for batch, _ in zip(source.batches(4), range(STEPS), strict=False)]
    real = [int(np.asarray(batch.real).sum()) for batch in batches]
    assert curve(out).tokens == [sum(real[:SAVE_EVERY]), sum(real)]
    assert curve(out).tokens[-1] < sum(batch.ids.size for batch in batches)


@pytest.mark.parametrize(
    ("changed", "said"), [({"accumulate": 3}, "1 processes and 3 parts"), ({"batch": 6, "accumulate": 4}, "batch of 6")]
)
def test_a_batch_that_does_not_divide_is_refused(trained, tmp_path, capsys, changed, said):
    assert main(command("adapt", trained, tmp_path / "out", **changed)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "change --batch or --accumulate" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("precision", "kind", "refused"),
    [
        ("fp16", DistributedType.MULTI_GPU, True),
        ("bf16", DistributedType.FSDP, True),
        ("bf16", DistributedType.MULTI_GPU, False),
    ],
)
def test_muon_is_refused_where_accelerate_handles_one_optimizer_only(precision, kind, refused):
    accelerator = SimpleNamespace(num_processes=2, mixed_precision=precision, distributed_type=kind)
    plan = {"steps": 1, "batch": 8, "learning_rate": 1.0, "warmup": 0, "accumulate": 2}
    assert _share(Plan(**plan), accelerator) == 2
    if refused:
        with pytest.raises(ValueError, match="muon does not support fp16 or FSDP"):
            _share(Plan(**plan, optimizer="muon"), accelerator)
    else:
        assert _share(Plan(**plan, optimizer="muon"), accelerator) == 2


def test_a_text_too_short_for_a_batch_is_refused(trained, tmp_path, capsys):
    assert main(command("adapt", trained, tmp_path / "out", batch=1000)) == 2
    assert "do not fill one batch of 1000; give more text or a smaller --batch" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--steps", "--save-every", "--cooldown", "--warmup", "--lora"])
def test_a_number_below_its_least_is_refused(trained, tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        main([*command("adapt", trained, tmp_path / "out"), option, "-1"])
    assert "must be at least" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run_and_the_last_good_checkpoint_stays(trained, tmp_path, capsys):
    out = tmp_path / "child"
    interrupt(SAVE_EVERY + 1, command("adapt", trained, out))
    first, folder = weights(out), (out / "model.safetensors").read_bytes()
    assert main(command("adapt", trained, out, learning_rate="1e30")) == 2
    assert "the loss is nan at step 6; resume with another --learning-rate" in capsys.readouterr().err
    assert "NaN" not in beside(out, "jsonl").read_text()
    assert all(torch.equal(weights(out)[name], tensor) for name, tensor in first.items())
    assert (out / "model.safetensors").read_bytes() == folder
    fill(out)
    assert main(command("adapt", trained, out)) == 0
    assert_same(out, trained / "child")


def test_a_finished_run_that_is_started_again_stays_as_it_is(trained, tmp_path):
    out = copied(trained, "child", tmp_path)
    assert main(command("adapt", trained, out)) == 0
    assert difference(out, trained / "child") == 0
    assert (out / "model.safetensors").read_bytes() == (trained / "child" / "model.safetensors").read_bytes()
    assert curve(out) == curve(trained / "child")


def test_a_finished_run_goes_on_when_it_is_given_more_steps(trained, tmp_path):
    out = copied(trained, "child", tmp_path)
    settings = {"schedule": "constant", "steps": 9}
    assert main(command("adapt", trained, out, **settings)) == 0
    assert curve(out).validated == [3, 6, 9]
    assert curve(out).tokens == [4 * 32 * 3, 4 * 32 * 6, 4 * 32 * 9]
