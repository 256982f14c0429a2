"""A model and its autoregressive parent may be asked for at the same moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import models
from models.checkpoints import checkpoint


def test_models_load_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    load, going = checkpoint.AutoModelForCausalLM.from_pretrained, threading.Semaphore(1)

    def alone(*args: object, **settings: object) -> object:
        assert going.acquire(blocking=False), "two models load at once"
        time.sleep(0.2)
        try:
            return load(*args, **settings)
        finally:
            going.release()

    monkeypatch.setattr(checkpoint.AutoModelForCausalLM, "from_pretrained", alone)
    with ThreadPoolExecutor() as pool:
        child, parent = pool.submit(models.load, "bundled"), pool.submit(models.load_parent)
    assert child.result().name == "bundled"
    assert parent.result() is not None
