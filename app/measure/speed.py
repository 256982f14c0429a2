"""Time networks of random weights against the memory's bandwidth and against the plain reference loop."""

from __future__ import annotations

import datetime
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app.errors import InfillError
from app.measure.loops import FILLED, Fill, time_fill
from models.terminal import table

if TYPE_CHECKING:
    from models.bench.speed import Pass

CONTEXTS, GAPS = (128, 512, 2048), (16, 64)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Times of a network in one number format; what does not fit into memory is left out."""

    numbers: str
    problem: str | None = None  # what did not fit
    compiled: bool = False
    loading: int | None = None  # peak bytes of GPU memory while the network was built; None on a CPU
    weight_bytes: int = 0  # read by every pass
    floor: float = 0.0  # seconds to read the weights at the bandwidth of a copy
    passes: tuple[Pass, ...] = ()
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SpeedPlan:
    """What to measure; None chooses for the device and the network."""

    shape: str
    device: str | None = None
    numbers: Sequence[str] | None = None
    contexts: Sequence[int] | None = None
    gaps: Sequence[int] | None = None
    static: bool = False
    repeat: int = 10
    seed: int = 0


def time_networks(plan: SpeedPlan, *, as_json: bool = False) -> None:
    """Measure each number format and print its times.

    Raises InfillError for a plan that cannot be measured, and MemoryError if there is no memory even for the copy.
    """
    try:
        from models.bench import speed, untrained
        from models.checkpoints.placement import machine

        device = speed.find_device(plan.device)
        numbers = plan.numbers or (("bf16", "int8", "nf4") if device.type == "cuda" else ("fp32",))
        longest = min(untrained.check(plan.shape, each) for each in numbers)
    except ValueError as error:
        raise InfillError(str(error)) from error
    contexts = plan.contexts or [context for context in CONTEXTS if context <= longest]
    gaps = plan.gaps or GAPS
    for context in contexts:
        if not max(gaps) < context <= longest or min(gaps) < 1:
            raise InfillError(
                f"a context of {context} with gaps of {min(gaps)} to {max(gaps)} cannot be measured: '{plan.shape}' "
                f"reads {longest} tokens, and a gap must have at least 1 token and be shorter than its context; "
                "see --contexts and --gaps"
            )
    rate = speed.bandwidth(device)
    facts = {
        "model": f"{plan.shape}, random weights",
        "device": str(device),
        "machine": machine(device),
        "torch": speed.TORCH,
        "date": datetime.date.today().isoformat(),
        "bytes_per_second": rate,
        "static": plan.static,
    }
    if not as_json:
        print(_heading(facts))
    found = []
    for each in numbers:
        speed.forget()  # make room for the next network
        found.append(_time_format(plan, each, rate, contexts, gaps))
        if not as_json:
            print("\n" + "\n".join(_lines(found[-1])), flush=True)
    if as_json:
        print(json.dumps(facts | {"speeds": [asdict(speed) for speed in found]}))


def _time_format(plan: SpeedPlan, numbers: str, rate: float, contexts: Sequence[int], gaps: Sequence[int]) -> Speed:
    from models.bench import speed, untrained

    device = speed.find_device(plan.device)
    speed.watch_peak(device)
    try:
        denoiser = untrained.build(plan.shape, numbers, device=str(device), static=plan.static)
    except (ValueError, MemoryError) as error:
        # The next format may fit; the advice that is cut off is about other commands' flags.
        return Speed(numbers=numbers, problem=str(error).partition(": try")[0])
    loading, read = speed.peak(device), untrained.weight_bytes(denoiser)
    passes, fills, failed = [], [], []
    for context, gap in itertools.product(contexts, gaps):
        try:
            passes.append(speed.time_pass(denoiser, context, gap, repeat=plan.repeat))
        except MemoryError:
            failed.append(f"a pass over {context} tokens with a gap of {gap}")
    for context in contexts:
        try:
            fills.append(time_fill(denoiser, context, seed=plan.seed, repeat=min(3, plan.repeat)))
        except MemoryError:
            failed.append(f"the fills in {context} tokens")
    return Speed(
        numbers=numbers,
        problem=f"there is too little memory for {', '.join(failed)}" if failed else None,
        compiled=denoiser.compiled,
        loading=loading,
        weight_bytes=read,
        floor=read / rate,
        passes=tuple(passes),
        fills=tuple(fills),
    )


def _heading(facts: dict[str, Any]) -> str:
    lines = [f"{facts['model']}, on {facts['machine']}; torch {facts['torch']}; {facts['date']}"]
    if facts["device"] == "cpu":
        lines.append("No GPU was measured; the times are those of this CPU.")
    if facts["static"]:
        lines.append("Static shapes.")
    return "\n".join([*lines, f"A copy reads and writes {facts['bytes_per_second'] / 1e9:.1f} GB/s."])


def _lines(speed: Speed) -> Iterator[str]:
    if speed.problem:
        yield f"{speed.numbers}: {speed.problem}"
    if not speed.weight_bytes:
        return
    name = f"{speed.numbers}, compiled" if speed.compiled else speed.numbers
    yield (
        f"{name}: every pass reads {speed.weight_bytes / 1e9:.2f} GB of weights, which takes at least "
        f"{1e3 * speed.floor:.2f} ms"
    )
    if speed.loading is not None:
        yield f"loading them takes {speed.loading / 1e9:.2f} GB of the GPU's memory"
    yield table(
        [
            (
                f"{each.context}",
                f"{each.gap}",
                f"{1e3 * each.seconds:.2f}",
                f"{each.seconds / speed.floor:.2f}",
                "–" if each.window_seconds is None else f"{1e3 * each.window_seconds:.2f}",
                "–" if each.peak is None else f"{each.peak / 1e9:.2f}",
            )
            for each in speed.passes
        ],
        header=("context", "gap", "ms a pass", "x least", "ms a window", "peak GB"),
        left=0,
    )
    yield table(
        [
            (
                f"{fill.context}",
                "",
                f"{fill.seconds:.3f}",
                f"{fill.nfe:.1f}",
                f"{fill.plain_seconds:.3f}",
                f"{fill.plain_nfe:.0f}",
                f"{fill.plain_seconds / fill.seconds:.2f}x",
            )
            for fill in speed.fills
        ],
        header=("context", f"{FILLED} tokens, T = 64:", "seconds", "NFE", "reference", "NFE", "ratio"),
        left=0,
    )
