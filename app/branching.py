"""The command that branches a recorded run: from one of its states, with edits, to a new run."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
from app import cli
from app.errors import InfillError, quoted
from app.flags import add_model_flags, model_settings
from app.infill import infill
from app.sampler import policy_of
from app.sampling.fields import Settings, State
from app.sampling.request import InfillRequest, fields_of
from app.strategies.registry import Strategy, find
from app.trace import recording
from app.trace.branch import Edit, branch_start, count_changes, default_steps, perturb
from app.trace.trace import Origin, Trace

_SHOWN_DEFAULTS = {"steps": "one for each mask that is left, or what the run had left if that is less"}


def add_command(commands: Any, strategy: Strategy) -> None:
    """Add `branch` to what `add_subparsers` returned; `strategy` is the one whose knobs it takes as flags."""
    command = commands.add_parser("branch", help="continue a recorded run from one of its steps", allow_abbrev=False)
    command.add_argument("file", metavar="FILE", help="what `infill --json` printed, or - for standard input")
    command.add_argument("--step", type=int, metavar="K", required=True, help="continue after step K; 0 is the start")
    command.add_argument(
        "--take",
        type=_place_and_rank,
        action="append",
        default=[],
        metavar="PLACE=N",
        help="write the Nth candidate at a place, both counted from 1, and lock it; may be repeated",
    )
    for name, about in (("mask", "mask a written place again"), ("lock", "never change a written place")):
        command.add_argument(
            f"--{name}", type=_place, action="append", default=[], metavar="PLACE", help=f"{about}; may be repeated"
        )
    command.add_argument(
        "--perturb",
        type=float,
        metavar="SHARE",
        help="mask a random share of the written places again, such as 0.25, finish with the run's own settings, and "
        "say how many of these places and of the others end as another token",
    )
    for field in fields_of():
        # The start decides the lengths, and knobs have flags of their own.
        if field.name != "length" and not isinstance(field.domain, Settings | State):
            cli.add_flag(command, field, shown=_SHOWN_DEFAULTS.get(field.name, "the run's"))
    add_model_flags(command, default=None)
    cli.add_output_flags(command)
    knobs = command.add_argument_group(f"knobs of strategy {strategy.name}", strategy.summary)
    for knob in strategy.knobs:
        cli.add_flag(knobs, knob, dest=f"knob {knob.name}", shown="the run's, or the strategy's own if it is another")
    command.set_defaults(run=_branch)


def _place(text: str) -> int:
    """Return a place from 0. Raises ArgumentTypeError unless the text is a number from 1."""
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be the number of a place, from 1, not {quoted(text)}")
    return int(text) - 1


def _place_and_rank(text: str) -> tuple[int, int]:
    """Return a place and a rank from 0. Raises ArgumentTypeError unless the text is like 5=2."""
    found = re.fullmatch("([0-9]{1,4})=([0-9]{1,4})", text)
    if not found or int(found[1]) < 1 or int(found[2]) < 1:
        raise argparse.ArgumentTypeError(f"must be a place and a candidate, each from 1, as in 5=2, not {quoted(text)}")
    return int(found[1]) - 1, int(found[2]) - 1


def _edits(args: argparse.Namespace) -> list[Edit]:
    return [
        *(Edit(place, take=rank) for place, rank in args.take),
        *(Edit(place, mask=True) for place in args.mask),
        *(Edit(place, lock=True) for place in args.lock),
    ]


def _branch(args: argparse.Namespace, load: cli.Load) -> int:
    trace = recording.load(cli.read(args.file))
    edits = _edits(args)
    if args.perturb is not None:
        if edits:
            raise InfillError("--perturb chooses the places itself: leave out --take, --mask and --lock")
        edits = perturb(trace, args.step, args.perturb)
    request = _requested(args, trace, edits)
    denoiser = load(_model(args, trace), **model_settings(args))
    origin = Origin("standard input" if args.file == "-" else Path(args.file).stem, args.step)
    traces = infill(request, denoiser, time_limit=args.time_limit, origin=origin)
    if args.perturb is None:
        return cli.show(traces, args)
    ends = [trace]

    def noted() -> Iterator[Trace]:
        for ends[0] in traces:
            yield ends[0]

    code = cli.show(noted(), args)
    print(count_changes(trace, ends[0], edits), file=sys.stderr)
    return code


def _model(args: argparse.Namespace, trace: Trace) -> str:
    """Return the name of the trace's model. Raises InfillError if another was asked for."""
    if args.model is not None:
        try:
            source = models.find(args.model)
        except ValueError as error:
            raise InfillError(str(error)) from None
        if (source.name if source else "toy") != trace.model:
            raise InfillError(
                f"the run is of the model {quoted(trace.model)}, and {quoted(args.model)} has other tokens: leave out "
                "--model"
            )
    return trace.model


def _requested(args: argparse.Namespace, trace: Trace, edits: Sequence[Edit]) -> InfillRequest:
    """Return the run's request with the start and the flags. Raises InfillError before a model is loaded."""
    cli.check_output(args)
    start = branch_start(trace, args.step, edits)
    names = [field.name for field in fields_of() if not isinstance(field.domain, Settings | State)]
    given = {name: getattr(args, name, None) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    if "text" in changes:
        sides = [name for name in ("prefix", "suffix") if name in changes]
        if sides or not changes["text"]:
            raise InfillError("--text must be a text with gaps, without --prefix and --suffix")
        changes |= {"prefix": "", "suffix": ""}
    strategy = find(changes.get("strategy", trace.request.strategy))
    changes["knobs"] = _knobs(args, trace, strategy)
    least, again = strategy.least_steps(changes["knobs"]), 0 if args.perturb is None else len(edits)
    changes.setdefault("steps", default_steps(trace, args.step, start, least=least, again=again))
    request = replace(trace.request, **changes, start=start)
    policy_of(request)
    return request


def _knobs(args: argparse.Namespace, trace: Trace, strategy: Strategy) -> Mapping[str, Any]:
    """Return the run's knobs, or the defaults of another strategy, with the flags. Raises InfillError for wrong ones.

    The parser knows the knobs of the strategy in --strategy only.
    """
    given = {name.removeprefix("knob "): value for name, value in vars(args).items() if name.startswith("knob ")}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in strategy.defaults:
            raise InfillError(f"{quoted(name)} is not a knob of '{strategy.name}', the run's strategy: leave it out")
    same = strategy.name == trace.request.strategy
    return {**(trace.request.knobs if same else strategy.defaults), **given}
