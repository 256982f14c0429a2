"""What `test_processes` launches: several trainings in each of some processes, for starting them costs the most.

`python several_runs.py FOLDER` takes FOLDER/runs.json, a list of [name, arguments, step to be interrupted in or 0], and
leaves in FOLDER/codes.RANK.json the exit codes, and what FSDP cut the network into. Runs whose name begins with
"sharded" are under FSDP.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType
from torch.distributed.fsdp import FSDPModule

from models.adapt import trainer
from models.adapt.__main__ import main
from tests.models.adapt.runs import failing_at

FSDP = {  # what `accelerate launch --use_fsdp --fsdp_version 2 --fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP` sets
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
}


def shard() -> None:
    """FSDP from now on. accelerate has it for GPUs only: it takes these processes for such, on the CPU as device."""
    AcceleratorState._reset_state(reset_partial_state=True)
    os.environ |= FSDP | {"ACCELERATE_USE_CPU": "false", "ACCELERATE_TORCH_DEVICE": "cpu"}
    PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)  # pyright: ignore


def run(arguments: list[str], stop: int) -> int:
    with pytest.MonkeyPatch.context() as patch:
        if stop:
            patch.setattr(trainer, "_step", failing_at(stop, trainer._step, KeyboardInterrupt()))
        return main(arguments)


def units() -> list[str]:
    """What FSDP has cut the network into."""
    return sorted({type(each).__name__ for each in gc.get_objects() if isinstance(each, FSDPModule)})


folder, codes, sharded = Path(sys.argv[1]), {}, False
torch.set_num_threads(1)
for name, arguments, stop in json.loads((folder / "runs.json").read_text()):
    if name.startswith("sharded") and not sharded:
        shard()
        sharded = True
    codes[name] = run(arguments, stop)
(folder / f"codes.{os.environ['RANK']}.json").write_text(json.dumps(codes | {"units": units()}))
