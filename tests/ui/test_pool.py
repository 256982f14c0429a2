"""The models of a page: what is offered, loaded on demand, and what is said meanwhile."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import models
from app.errors import InfillError
from app.sampling.request import InfillRequest
from app.trace.trace import Trace
from app.ui.pool import FIRST, ModelPool
from app.ui.runner import AT_ONCE, Run, paced, runner
from models.checkpoints.placement import Offer
from models.denoiser import Denoiser
from models.serve.lazy import LazyDenoiser

REQUEST = InfillRequest(prefix="the cat", suffix="sat", length=3, steps=3)
OFFERS = [
    Offer(name="toy", settings={}, about="the same again", gigabytes=0.1),
    Offer(name="large", settings={"quantize": "nf4"}, about="seven billion", gigabytes=4.5),
]


class Loading:
    """`models.load`, held until it is released; it tells a download of 100 MB and then gives the toy, or fails."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.told, self.go_on = threading.Event(), threading.Event()
        self.failure = ""

    def __call__(self, name: str, *, progress: Callable[[int, int], None], **settings: Any) -> Denoiser:
        self.asked.append((name, settings))
        progress(25_000_000, 100_000_000)
        self.told.set()
        self.go_on.wait(30)
        if self.failure:
            raise ValueError(self.failure)
        return models.load("toy")


@pytest.fixture
def loading() -> Iterator[Loading]:
    load = Loading()
    yield load
    load.go_on.set()


def pool(load: Callable[..., Denoiser]) -> ModelPool:
    return ModelPool(LazyDenoiser(lambda: models.load("toy")), offers=lambda: OFFERS, load=load)


def starting_with(load: Loading) -> ModelPool:
    first = LazyDenoiser(lambda: load("toy", progress=first.report))
    return ModelPool(first, name="published", offers=lambda: OFFERS, load=load)


def prepare(models_: ModelPool, name: str) -> Iterator[str]:
    """What the page is told about a model until it is loaded or has failed."""
    ready = False
    while not ready:
        try:
            ready, told = models_.ask_for(name)
        except InfillError as error:
            ready, told = True, str(error)
        yield told
        time.sleep(0.01)


def test_while_the_first_model_downloads_runs_are_refused_with_its_progress(loading):
    models_ = starting_with(loading)
    assert not models_.ready
    for name in (FIRST, "large"):
        with pytest.raises(
            InfillError, match=r"^published is being downloaded: 25 of 100 MB. Fill again when it is rea"
        ):
            list(runner(models_, 90)(REQUEST, name))
    telling = prepare(models_, FIRST)
    assert next(telling) == "published is being downloaded: 25 of 100 MB."
    loading.go_on.set()
    assert list(telling)[-1] == "toy is ready."
    assert list(runner(models_, 90)(REQUEST, FIRST))[-1].ended == "complete"
    assert loading.asked == [("toy", {})]


def test_while_the_first_model_is_read_from_the_disk_a_run_waits():
    go_on = threading.Event()

    def load() -> Denoiser:
        go_on.wait(30)
        return models.load("toy")

    models_ = ModelPool(LazyDenoiser(load))
    threading.Timer(0.5, go_on.set).start()
    assert list(runner(models_, 90)(REQUEST, FIRST))[-1].ended == "complete"


def test_a_broken_download_is_reported_and_the_next_run_tries_again(loading):
    models_ = starting_with(loading)
    loading.failure = "there is no network"
    with pytest.raises(InfillError, match="published is being downloaded"):
        models_.first()
    loading.go_on.set()
    assert models_.choices()[0] == ("published", FIRST)
    assert list(prepare(models_, FIRST))[-1] == "there is no network"
    tried = len(loading.asked)
    loading.told.clear()
    with pytest.raises(InfillError, match=r"^(there is no network|published is being downloaded.*)$"):
        models_.first()
    assert loading.told.wait(30)
    assert len(loading.asked) == tried + 1
    loading.failure = ""
    told = [list(prepare(models_, FIRST))[-1] for _ in range(2)]  # the last failure may not have been told yet
    assert told[-1] == "toy is ready."


def test_every_model_that_fits_is_offered_with_what_it_needs(loading):
    assert pool(loading).choices() == [
        ("toy: the same again", FIRST),
        ("large: seven billion (4.5 GB, nf4)", "large"),
    ]
    assert not loading.asked, "a model was loaded before anybody chose it"
    assert not ModelPool(LazyDenoiser(lambda: models.load("toy"))).has_others


def test_a_model_is_loaded_once_when_it_is_chosen_and_tells_how_far_it_is(loading):
    models_ = pool(loading)
    telling = prepare(models_, "large")
    loading.told.clear()
    first = next(telling)
    loading.told.wait(30)
    assert first in ("large is being loaded.", "large is being downloaded: 25 of 100 MB.")
    assert next(telling) == "large is being downloaded: 25 of 100 MB."
    loading.go_on.set()
    assert list(telling)[-1] == "toy is ready."
    assert list(prepare(models_, "large"))[-1] == "toy is ready."
    assert loading.asked == [("large", {"quantize": "nf4"})]
    assert list(runner(models_, 90)(REQUEST, "large"))[-1].ended == "complete"


def test_while_a_model_loads_other_runs_continue_and_its_own_are_refused(loading):
    models_ = pool(loading)
    run = runner(models_, 90)
    with pytest.raises(InfillError, match=r"large is being .*Fill again when it is ready, or choose another model"):
        list(run(REQUEST, "large"))
    loading.told.wait(30)
    assert list(run(REQUEST, FIRST))[-1].ended == "complete"
    assert not loading.go_on.is_set()


def test_a_model_that_cannot_be_loaded_says_why_and_may_be_tried_again(loading):
    models_ = pool(loading)
    loading.failure = "there is no network"
    loading.go_on.set()
    assert list(prepare(models_, "large"))[-1] == "there is no network"
    loading.failure = ""
    assert list(prepare(models_, "large"))[-1] == "toy is ready."


def test_a_run_says_why_its_model_could_not_be_loaded_and_the_next_tries_again(loading):
    models_ = pool(loading)
    run = runner(models_, 90)
    loading.failure = "there is no network"
    loading.go_on.set()

    def refused() -> str:
        with pytest.raises(InfillError) as caught:
            list(run(REQUEST, "large"))
        models_._others["large"].wait(30)
        return str(caught.value)

    told = [refused() for _ in range(4)]
    assert [message.partition(".")[0] for message in told] == [
        *("large is being loaded", "there is no network", "large is being loaded", "there is no network")
    ]
    assert len(loading.asked) == 2


def test_a_model_that_is_not_offered_is_refused_with_those_that_are(loading):
    with pytest.raises(InfillError, match="unknown model 'larg'; did you mean 'large'"):
        list(runner(pool(loading), 90)(REQUEST, "larg"))


def test_what_is_not_offered_is_refused_by_name_with_the_cure_and_nothing_is_loaded(loading):
    first = LazyDenoiser(lambda: models.load("toy"))
    models_ = ModelPool(first, name="toy", offers=lambda: OFFERS, named=("here", "large"), load=loading)
    page = runner(models_, 90)
    for name in ("diffullama", "somebody/huge"):
        for ask in (lambda name=name: list(page(REQUEST, name)), lambda name=name: models_.ask_for(name)):
            with pytest.raises(InfillError) as caught:
                ask()
            assert str(caught.value) == (
                f"'{name}' is not offered here; choose one of toy, large. To offer it, start the page with --offer "
                f"here,large,{name}, or name it under offer in the Spacefile of a Space"
            )
    with pytest.raises(InfillError, match=r"^unknown model '/etc/passwd'"):
        models_.ask_for("/etc/passwd")
    assert not loading.asked


def test_a_model_that_is_offered_but_does_not_fit_says_so(loading):
    for named in (("diffullama",), ("all",)):
        first = LazyDenoiser(lambda: models.load("toy"))
        models_ = ModelPool(first, name="toy", offers=lambda: OFFERS, named=named, load=loading)
        with pytest.raises(InfillError, match=r"'diffullama' does not fit into the free memory.* one of toy, large$"):
            models_.ask_for("diffullama")


def test_one_download_at_a_time_and_everybody_who_waits_hears_of_it(loading):
    offers = [Offer(name=name, settings={}, about="of two", gigabytes=0.0) for name in ("one", "two")]
    models_ = ModelPool(LazyDenoiser(lambda: models.load("toy")), offers=lambda: offers, load=loading)
    with ThreadPoolExecutor() as threads:
        one = threads.submit(lambda: list(prepare(models_, "one")))
        assert loading.told.wait(30)
        assert models_.ask_for("one") == (False, "one is being downloaded: 25 of 100 MB.")
        told = prepare(models_, "two")
        heard = {next(told) for _ in range(3)}
        assert heard == {"two comes next: one is being downloaded: 25 of 100 MB."}
        assert [name for name, _ in loading.asked] == ["one"]
        with pytest.raises(InfillError, match=r"two comes next: one is being downloaded: 25 of 100 MB\. Fill again"):
            list(runner(models_, 90)(REQUEST, "two"))
        loading.go_on.set()
        assert one.result(30)[-1] == list(told)[-1] == "toy is ready."


def test_the_first_model_waits_for_a_download_that_goes_on_and_says_so(loading):
    failures = ["there is no network"]

    def first() -> Denoiser:
        if failures:
            raise ValueError(failures.pop())
        return models.load("toy")

    models_ = ModelPool(LazyDenoiser(first), name="published", offers=lambda: OFFERS, load=loading)
    models_.choices()
    assert models_.ask_for("large")[0] is False
    assert loading.told.wait(30)
    with pytest.raises(InfillError) as caught:
        models_.first()
    assert str(caught.value) == (
        "published comes next: large is being downloaded: 25 of 100 MB. Fill again when it is ready."
    )
    loading.go_on.set()
    assert list(prepare(models_, FIRST))[-1] == "toy is ready."


class Memory:
    """`models.load` on a machine that holds so many models at a time."""

    def __init__(self, room: int) -> None:
        self.room, self.asked, self.held = room, [], weakref.WeakSet()

    def __call__(self, name: str, **settings: Any) -> Denoiser:
        from models.checkpoints.placement import TooLargeError  # it imports torch

        self.asked.append(name)
        if len(self.held) == self.room:
            raise TooLargeError(f"'{name}' needs 4.0 GB, and there are 3.0 GB free")
        denoiser = models.load("toy")
        self.held.add(denoiser)
        return denoiser


def pool_of(load: Callable[..., Denoiser]) -> ModelPool:
    offers = [Offer(name=name, settings={}, about="of three", gigabytes=4.0) for name in ("one", "two", "three")]
    return ModelPool(LazyDenoiser(lambda: models.load("toy")), offers=lambda: offers, load=load)


def test_an_idle_model_makes_room_for_a_chosen_one_and_is_loaded_again_on_demand():
    memory = Memory(2)
    models_ = pool_of(memory)
    for name in ("one", "two"):
        list(prepare(models_, name))
    list(runner(models_, 90)(REQUEST, "one"))  # so the other one has been idle longer
    assert list(prepare(models_, "three"))[-1] == "toy is ready."
    assert memory.asked == ["one", "two", "three", "three"]
    list(runner(models_, 90)(REQUEST, "one"))
    with pytest.raises(InfillError, match="two is being loaded"):
        list(runner(models_, 90)(REQUEST, "two"))
    list(prepare(models_, "two"))
    assert list(runner(models_, 90)(REQUEST, "two"))[-1].ended == "complete"
    assert len(memory.held) == 2


def test_models_are_loaded_one_at_a_time_so_that_each_sees_the_free_memory():
    at_once = 0
    most: list[int] = []

    def load(name: str, **settings: Any) -> Denoiser:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        time.sleep(0.05)
        at_once -= 1
        return models.load("toy")

    models_ = pool_of(load)
    models_.choices()
    with ThreadPoolExecutor() as threads:
        told = [*threads.map(lambda name: list(prepare(models_, name))[-1], ("one", "two", "three"))]
    assert told == ["toy is ready."] * 3
    assert most == [1, 1, 1]


def test_a_model_in_use_is_never_let_go_and_the_one_that_does_not_fit_says_why():
    models_ = pool_of(Memory(1))
    list(prepare(models_, "one"))
    under_way = runner(models_, 90)(REQUEST, "one")
    next(under_way)
    assert list(prepare(models_, "two"))[-1] == "'two' needs 4.0 GB, and there are 3.0 GB free"
    assert list(under_way)[-1].ended == "complete"
    assert list(prepare(models_, "two"))[-1] == "toy is ready."


def test_running_out_of_gpu_memory_ends_one_run_with_a_message():
    class Full:
        def __init__(self) -> None:
            self.inner, self.passes = models.load("toy"), 0
            self.name, self.tokenizer, self.context, self.notices = "full", self.inner.tokenizer, 64, ()

        def predict(self, queries: Any) -> Any:
            self.passes += 1
            if self.passes == 3:
                raise MemoryError("the GPU has too little memory for this text")
            return self.inner.predict(queries)

    full = Full()
    run = runner(ModelPool(LazyDenoiser(lambda: full), merge=False), 90)
    traces = run(InfillRequest(length=4, steps=4), FIRST)
    seen = [len(next(traces).steps) for _ in range(3)]
    with pytest.raises(InfillError, match=r"The run ended: the GPU has too little memory"):
        next(traces)
    assert seen == [0, 1, 2]
    assert list(run(REQUEST, FIRST))[-1].ended == "complete"


def test_this_machine_is_offered_what_fits_in_the_form_that_loses_least(monkeypatch):
    from models.checkpoints import placement  # it imports torch

    def offered(device: str, gigabytes: float) -> dict[str, dict[str, str]]:
        monkeypatch.setattr(placement, "_device", lambda _: device)
        monkeypatch.setattr(placement, "free_memory", lambda _: int(gigabytes * 1e9))
        monkeypatch.setattr(placement, "_numbers", lambda kind: "float32" if kind == "cpu" else "bfloat16")
        return {offer.name: offer.settings for offer in placement.offers()}

    small: dict[str, dict[str, str]] = {"bundled": {}, "diffugpt-s": {}, "diffugpt-m": {}}
    assert offered("cuda", 80) == {**small, "diffullama": {}}
    assert offered("cuda", 10) == {**small, "diffullama": {"quantize": "int8"}}
    assert offered("cuda", 6) == {**small, "diffullama": {"quantize": "nf4"}}
    assert offered("cpu", 16) == {**small, "diffullama": {"quantize": "nf4"}}
    assert offered("cpu", 3) == small
    assert offered("cpu", 1) == {"bundled": {}, "diffugpt-s": {}, "diffugpt-m": {"quantize": "nf4"}}
    assert offered("cpu", 0.2) == {"bundled": {}}


def test_by_default_only_what_is_on_this_machine_is_offered_and_never_downloaded(monkeypatch, tmp_path):
    from models.checkpoints import hub, placement

    monkeypatch.setattr(placement, "_device", lambda _: "cpu")
    monkeypatch.setattr(placement, "free_memory", lambda _: int(16e9))
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))

    def offered(*names: str) -> dict[str, dict[str, Any]]:
        return {offer.name: offer.settings for offer in models.offers(names)}

    assert offered("here") == {"bundled": {}}
    snapshot = tmp_path / "models--diffusionfamily--diffugpt-s" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (snapshot / "config.json").write_text("{}")
    assert offered("here") == {"bundled": {}}, "the weights of an interrupted download are missing"
    (snapshot / "model.safetensors").symlink_to(models.BUNDLED / "model.safetensors")
    assert offered("here") == {"bundled": {}, "diffugpt-s": {"download": False}}
    for names in (("here", "diffugpt-s"), ("diffugpt-s", "here")):
        assert offered(*names) == {"bundled": {}, "diffugpt-s": {}}, "named models may be downloaded"
    assert set(offered("all")) == set(models.CATALOGUE)
    own = tmp_path / "own"
    own.mkdir()
    for file in models.BUNDLED.iterdir():
        (own / file.name).symlink_to(file)
    (named,) = models.offers((str(own),))
    assert (named.name, named.settings, round(named.gigabytes, 2)) == (str(own), {}, 0.07)
    assert offered("somebody/small", "toy") == {"somebody/small": {}, "toy": {}}
    with pytest.raises(ValueError, match="no model 'nowhere'"):
        offered("nowhere")


@pytest.fixture
def busy(loading) -> Iterator[tuple[Run, list[Iterator[Trace]]]]:
    """A page's runs, as many of them as may go on at once under way on one model."""
    loading.go_on.set()
    models_ = pool(loading)
    list(prepare(models_, "large"))
    run = runner(models_, 90)
    under_way = [run(REQUEST, "large") for _ in range(AT_ONCE)]
    for traces in under_way:
        next(traces)
    yield run, under_way
    for traces in under_way:
        close(traces)


def close(traces: Iterator[Trace]) -> None:
    assert isinstance(traces, Generator)
    traces.close()


def test_runs_that_wait_for_one_model_keep_nobody_from_another(busy):
    run, under_way = busy
    ended: list[str] = []
    waiting = threading.Thread(target=lambda: ended.append(list(paced(run(REQUEST, "large")))[-1].ended), daemon=True)
    waiting.start()
    assert list(run(REQUEST, FIRST))[-1].ended == "complete"
    assert not ended
    close(under_way[0])
    waiting.join(30)
    assert ended == ["complete"]


def test_a_run_that_waits_says_how_many_are_ahead_and_can_be_left(busy):
    run, under_way = busy
    waiting = run(InfillRequest(text="a [[auto|20:b]] c" + " d [[auto]]" * 15), "large")
    first = next(waiting)
    assert (first.begun, first.steps, first.notices[-1]) == (False, (), "Waiting: 1 run is ahead of you.")
    assert next(waiting) is first, "a run that waits must not repeat itself as news"
    after = run(REQUEST, "large")
    assert next(after).notices[-1] == "Waiting: 2 runs are ahead of you."
    close(waiting)
    assert next(after).notices[-1] == "Waiting: 1 run is ahead of you."
    close(under_way[0])
    assert list(after)[-1].ended == "complete"


def test_a_mistake_is_reported_before_the_run_waits(busy):
    run, _ = busy
    with pytest.raises(InfillError, match="steps or more"):
        next(run(InfillRequest(length=4, steps=2, strategy="core"), "large"))


def test_the_first_model_also_goes_by_its_name(loading):
    models_ = ModelPool(LazyDenoiser(lambda: models.load("toy")), name="toy", offers=lambda: OFFERS, load=loading)
    assert list(runner(models_, 90)(REQUEST, "toy"))[-1].ended == "complete"
    assert list(prepare(models_, "toy"))[-1].startswith("toy is ready")
    assert not loading.asked
