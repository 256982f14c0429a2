"""The commands about one run: infill, strategies, replay."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from app import presets
from app.errors import InfillError, quoted
from app.export import write
from app.flags import add_model_flags, model_settings
from app.infill import infill
from app.length.probe import LONGEST
from app.sampler import policy_of
from app.sampling.fields import AUTO, Field, Knob, OneOf, Settings, State, Switch, Words
from app.sampling.request import MAX_STEPS, InfillRequest, fields_of
from app.sampling.unfamiliar import unfamiliar
from app.strategies.registry import BUDGETS, GROUPS, Strategy, by_group, find, strategies
from app.trace import recording
from app.trace.trace import Trace
from app.trace.verdict import verdict
from app.watching import Painter, check_terminal, one_line, state_line
from models.denoiser import Denoiser
from models.quoting import shortened

Load = Callable[..., Denoiser]
"""`models.load`, with its mistakes as InfillError."""
_PAUSE, _LONGEST_PAUSE = 0.3, 60
"""Seconds for which --watch shows a state."""


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """Raise InfillError; what argparse quotes is cut."""
        raise InfillError(f"{shortened(message)}; see {self.prog} --help")


def chosen_strategy(arguments: Sequence[str]) -> Strategy:
    """Return the strategy named in the arguments: its knobs become flags, so it must be known before they are read."""
    finder = Parser(prog="python -m app", add_help=False, allow_abbrev=False)
    finder.add_argument("--strategy", default=InfillRequest.strategy)
    return find(finder.parse_known_args(arguments)[0].strategy)


def unknown_arguments(command: str, left: Sequence[str], strategy: Strategy) -> InfillError:
    """Return the error for arguments that are not flags, with the strategies that do have such a knob."""
    flag = left[0].partition("=")[0]
    owners = [s.name for s in strategies().values() if any(knob.flag == flag for knob in s.knobs)]
    if command == "branch" and owners:
        return InfillError(f"{flag} is a knob of {', '.join(owners)}: name the strategy as well, with --strategy")
    if command == "infill" and owners:
        return InfillError(
            f"{flag} is not a knob of strategy '{strategy.name}', but of {', '.join(owners)}; see --strategy"
        )
    return InfillError(f"unknown argument {quoted(left[0])}; see python -m app {command} --help")


def add_commands(commands: Any, strategy: Strategy, request: type[InfillRequest] = InfillRequest) -> None:
    """Add the commands of this module to what `add_subparsers` returned.

    `strategy` is the one whose knobs `infill` takes as flags, `request` the class whose fields it takes.
    """
    command = commands.add_parser("infill", help="fill a gap between two texts", allow_abbrev=False)
    for field in fields_of(request):
        if not isinstance(field.domain, Settings):  # the strategy's knobs, which have flags of their own
            add_flag(command, field, default=_flag_default(field), shown=_SHOWN_DEFAULTS.get(field.name))
    command.add_argument(
        "--preset", metavar="LEVEL", help=f"{', '.join(presets.LEVELS)}: calibrated knobs; those given as flags win"
    )
    add_model_flags(command, default="bundled")
    add_output_flags(command)
    knobs = command.add_argument_group(f"knobs of strategy {strategy.name}", strategy.summary)
    for knob in strategy.knobs:
        add_flag(knobs, knob, dest=f"knob {knob.name}", shown=knob.default)
    command.set_defaults(run=lambda args, load: _infill(args, load, request))

    command = commands.add_parser("strategies", help="list all strategies", allow_abbrev=False)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as the docs' table")
    command.set_defaults(run=_strategies)

    command = commands.add_parser("replay", help="show a recorded run, without a model", allow_abbrev=False)
    command.add_argument("file", metavar="FILE", help="what `infill --json` printed, or - for standard input")
    one = command.add_mutually_exclusive_group()
    one.add_argument("--step", type=int, metavar="K", help="only the state after step K, and what that step did")
    _add_watch_flag(one)
    write.add_flags(command)
    command.set_defaults(run=_replay)


_LEFT_OPEN = ("prefix", "suffix", "length", "text", "steps")
"""Fields whose flags are None if they are not given: texts and lengths exclude each other, and steps follow from them.
"""
_SHOWN_DEFAULTS = {
    "steps": f"one for each mask, {LONGEST} for auto",
    "strategy": f"{InfillRequest.strategy}; `strategies` lists all",
}
"""Defaults in the help that are not simply the field's own."""


def add_output_flags(command: Any) -> None:
    """Add the flags that `show` and `check_output` need."""
    command.add_argument("--time-limit", type=float, default=float("inf"), help="seconds of decoding")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the trace of the run instead of its text")
    _add_watch_flag(form)


def _add_watch_flag(command: Any) -> None:
    command.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=_PAUSE,
        metavar="SECONDS",
        help=f"repaint the passage in the terminal at every step, which stays that long (default: {_PAUSE})",
    )


def check_output(args: argparse.Namespace) -> None:
    """Raise InfillError unless the time limit is above 0, and the terminal can be repainted if that is wanted."""
    if not args.time_limit > 0:
        raise InfillError(f"the time limit must be a number of seconds above 0, not {args.time_limit}")
    _check_watch(args)


def _check_watch(args: argparse.Namespace) -> None:
    if args.watch is not None:
        if not 0 <= args.watch <= _LONGEST_PAUSE:
            raise InfillError(f"--watch takes 0 to {_LONGEST_PAUSE} seconds a step, not {args.watch}")
        check_terminal()


def _flag_default(field: Field) -> Any:
    return None if field.name in _LEFT_OPEN else field.default


def add_flag(parser: Any, field: Field, *, default: Any = None, dest: str | None = None, shown: Any = None) -> None:
    """Add the flag of a declared field; `shown` is the default to print if it is not the flag's own."""
    shown = field.default if shown is None else shown
    default_text = "" if shown in ("", (), None) else f" (default: {shown})"
    about = f"{field.domain.help}; {field.range}{default_text}".replace("%", "%%")
    settings: dict[str, Any] = {"default": default, "dest": dest or field.name, "help": about}
    if isinstance(field.domain, Switch):
        parser.add_argument(field.flag, action=argparse.BooleanOptionalAction, **settings)
    elif isinstance(field.domain, OneOf) and dest is None:
        parser.add_argument(field.flag, choices=field.domain.options, **settings)
    else:
        kind = _auto_or_number if isinstance(field.domain, Knob) and field.domain.auto else field.kind
        kind = str if isinstance(field.domain, State) else kind
        metavar = "WORDS" if isinstance(field.domain, Words) else field.name.upper()
        parser.add_argument(field.flag, type=kind, metavar=metavar, **settings)


def _auto_or_number(text: str) -> int | str:
    if text != AUTO and not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number of masks, or auto, not {quoted(text)}")
    return text if text == AUTO else int(text)


def _requested(args: argparse.Namespace, request: type[InfillRequest]) -> InfillRequest:
    """Return the request for the flags. Raises InfillError for mistakes, before a model is loaded."""
    strategy = find(args.strategy)
    parts = [name for name in ("prefix", "suffix", "length") if getattr(args, name) is not None]
    if args.text is not None and parts:
        raise InfillError(f"--text replaces --prefix, --suffix and --length; leave out --{parts[0]}")
    if args.text == "":
        raise InfillError("--text is empty; write a text with a gap, as in 'She saw a [[3]].'")
    knobs = dict(strategy.defaults)
    if args.preset is not None:
        knobs |= presets.preset(args.model, strategy.name, args.preset)
    given = {name: getattr(args, f"knob {name}") for name in knobs}
    knobs |= {name: value for name, value in given.items() if value is not None}
    fields: dict[str, Any] = {field.name: getattr(args, field.name, None) for field in fields_of(request)}
    fields["knobs"] = knobs
    wanted = request(**{name: value for name, value in fields.items() if value is not None})
    if args.steps is None:  # one for each mask that there may be
        wanted = replace(wanted, steps=min(MAX_STEPS, sum(gap.length or LONGEST for gap in wanted.gaps)))
    policy_of(wanted)
    check_output(args)
    return wanted


def _infill(args: argparse.Namespace, load: Load, request: type[InfillRequest]) -> int:
    wanted = _requested(args, request)
    denoiser = load(args.model, **model_settings(args))
    if (found := unfamiliar(wanted.parts, denoiser.tokenizer)) and found.warning:
        print(found.warning, file=sys.stderr)
    return show(infill(wanted, denoiser, time_limit=args.time_limit), args)


def show(traces: Iterator[Trace], args: argparse.Namespace) -> int:
    """Run to the end and print the text or the trace; return the exit code. Ctrl-C ends the run with what is there.

    `args` are the flags of `add_output_flags`.
    """
    trace = start = next(traces)
    painter = None if args.watch is None else Painter(sys.stdout, args.watch)
    try:
        with painter or nullcontext():
            for trace in itertools.chain([start], traces):
                if trace.begun and not trace.steps:
                    lines = (*trace.notices, *(choice.describe(number) for number, choice in trace.choices.items()))
                    print(*lines, sep="\n", end="\n" * bool(lines), file=sys.stderr)
                elif trace.begun and not painter and sys.stderr.isatty():
                    print(state_line(trace, len(trace.steps)), file=sys.stderr)
                if painter:
                    painter.paint(trace)
    except KeyboardInterrupt:
        trace = replace(trace, ended="stopped")
    if not trace.begun:
        print(*trace.notices, sep="\n", file=sys.stderr)
    print(verdict(trace), file=sys.stderr)
    print(recording.dump(trace) if args.json else trace.text)
    return 130 if trace.ended == "stopped" else 0


def _replay(args: argparse.Namespace, load: Load) -> int:
    to_files = write.is_wanted(args)
    _check_watch(args)
    trace = recording.load(read(args.file))
    if to_files:
        write.write(trace, args)
        return 0
    last = len(trace.steps)
    if args.watch is not None:
        with Painter(sys.stdout, args.watch) as painter:
            for number in range(last):
                painter.paint(replace(trace, steps=trace.steps[:number], ended="running"))
            painter.paint(trace)
        return 0
    if args.step is not None and not 0 <= args.step <= last:
        raise InfillError(f"--step must be from 0 to {last} for this trace, not {args.step}")
    print(one_line(f"{trace.request.strategy} on {trace.model}, T = {trace.request.steps}, ended: {trace.ended}"))
    if trace.origin:
        print(one_line(f"branched from step {trace.origin.step} of {trace.origin.run}"))
    for number in range(last + 1) if args.step is None else [args.step]:
        print(state_line(trace, number))
    if args.step:
        step, places = trace.steps[args.step - 1], trace.start.places
        pieces = trace.pieces(args.step)
        for position, place in zip(step.selection.commit, places(step.selection.commit), strict=True):
            sure, spread = step.prediction.confidence[position], step.prediction.entropy[position]
            piece = one_line(pieces[place] or "")
            print(f"  commit {place + 1:>3}  {piece!r}  confidence {sure:.2f}  entropy {spread:.2f}")
        for place in places(step.selection.remask):
            print(f"  remask {place + 1:>3}")
    return 0


def read(file: str) -> str:
    """Return a file's text, or standard input's for -. Raises InfillError if it cannot be read."""
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode()
    except OSError as error:
        raise InfillError(f"cannot read '{file}': {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InfillError(f"cannot read '{file}': it is not UTF-8 text, see byte {error.start}") from None


def _strategies(args: argparse.Namespace, load: Load) -> int:
    if args.json:
        print(json.dumps([_as_data(strategy) for strategy in strategies().values()], ensure_ascii=False, indent=1))
    elif args.markdown:
        print(markdown())
    else:
        for group, members in by_group().items():
            print(f"{group}: {GROUPS[group]}\n")
            for strategy in members:
                print(_in_full(strategy))
    return 0


def _in_full(strategy: Strategy) -> str:
    """Return all that a strategy declares, in lines."""
    lines = [f"{strategy.title} · {strategy.name}", f"    {strategy.summary}"]
    lines.append(f"    The step budget is {BUDGETS[strategy.budget]}.")
    lines += [f"    {knob.flag} {knob.default}  ({knob.domain.help}; {knob.range})" for knob in strategy.knobs]
    lines += [f"    https://arxiv.org/abs/{paper}" for paper in strategy.papers]
    return "\n".join([*lines, ""])


def markdown() -> str:
    """Return the docs' tables of strategies, one for each group."""
    rows = []
    for group, members in by_group().items():
        rows += [f"## {group}", "", f"{GROUPS[group]}.".capitalize(), ""]
        rows += [
            "| title | name | what it does | T | knobs (default) | paper |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for strategy in members:
            knobs = ", ".join(f"`{knob.name}` ({knob.default})" for knob in strategy.knobs)
            papers = ", ".join(f"[{paper}](https://arxiv.org/abs/{paper})" for paper in strategy.papers)
            cells = (strategy.title, f"`{strategy.name}`", strategy.summary, strategy.budget, knobs, papers)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") or "–" for cell in cells) + " |")
        rows.append("")
    return "\n".join(rows[:-1])


def _as_data(strategy: Strategy) -> dict[str, Any]:
    return {
        "name": strategy.name,
        "title": strategy.title,
        "group": strategy.group,
        "summary": strategy.summary,
        "budget": strategy.budget,
        "steps_mean": BUDGETS[strategy.budget],
        "papers": list(strategy.papers),
        "knobs": [
            {
                "name": knob.name,
                "flag": knob.flag,
                "kind": knob.kind.__name__,
                "default": knob.default,
                "range": knob.range,
                "help": knob.domain.help,
            }
            for knob in strategy.knobs
        ],
    }
