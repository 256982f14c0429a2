"""The commands about one run: infill, strategies, replay."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from app import presets
from app.errors import InfillError
from app.flags import add_model_flags, model_settings
from app.infill import infill
from app.length.choose import LONGEST
from app.sampler import strategy_of
from app.sampling.request import GUIDES, MAX_STEPS, InfillRequest
from app.sampling.template import AUTO
from app.strategies.registry import BUDGETS, Choice, Parameter, Strategy, find, strategies
from app.trace import recording
from app.trace.trace import Trace
from models.denoiser import Denoiser

Load = Callable[..., Denoiser]
"""`models.load`, its mistakes as InfillError."""
DEFAULT = InfillRequest()
MASK = "░"
_CONTEXT = 32  # characters of the given text shown on either side of the span


class Parser(argparse.ArgumentParser):
    """Tells a mistake in one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise InfillError(f"{message}; see {self.prog} --help")


def chosen_strategy(arguments: Sequence[str]) -> Strategy:
    """The strategy named in the arguments: its knobs become flags, so it must be known before they are read."""
    finder = Parser(prog="python -m app", add_help=False, allow_abbrev=False)
    finder.add_argument("--strategy", default=DEFAULT.strategy)
    return find(finder.parse_known_args(arguments)[0].strategy)


def not_understood(command: str, left: Sequence[str], strategy: Strategy) -> InfillError:
    """What to say about arguments that no flag took, with the strategies that do have such a knob."""
    flag = left[0].partition("=")[0]
    owners = [s.name for s in strategies().values() if any(_flag(p) == flag for p in s.parameters)]
    if command == "infill" and owners:
        return InfillError(
            f"{flag} is no knob of strategy '{strategy.name}', but of {', '.join(owners)}; see --strategy"
        )
    return InfillError(f"'{left[0]}' is not understood; see python -m app {command} --help")


def add_commands(commands: Any, strategy: Strategy) -> None:
    """`commands` is what `add_subparsers` gave; `strategy` the one whose knobs `infill` takes as flags."""
    command = commands.add_parser("infill", help="fill a gap between two texts", allow_abbrev=False)
    command.add_argument("--prefix", help="the text before the gap; may be empty, as by default")
    command.add_argument("--suffix", help="the text after the gap; may be empty, as by default")
    command.add_argument("--length", type=_length, help=f"masked tokens, or auto (default: {DEFAULT.length})")
    command.add_argument(
        "--text", help="instead of these a text with gaps: 'Tom went to the [[3]] and saw a [[auto]] dog.'"
    )
    command.add_argument("--ban", default="", metavar="WORDS", help="words never to write, as in dog,cat")
    command.add_argument("--one-line", action="store_true", help="never write a line break")
    command.add_argument("--steps", type=int, help=f"the step budget T (default: the length; {LONGEST} for auto)")
    command.add_argument("--strategy", default=DEFAULT.strategy, help="see `strategies` (default: %(default)s)")
    command.add_argument("--seed", type=int, default=DEFAULT.seed, help="(default: %(default)s)")
    command.add_argument(
        "--temperature", type=float, default=DEFAULT.temperature, help="0 takes the likeliest token (the default)"
    )
    command.add_argument("--top-p", type=float, default=DEFAULT.top_p, help="nucleus; 1 switches it off (the default)")
    command.add_argument(
        "--guidance",
        type=float,
        default=DEFAULT.guidance,
        help="how much more one side counts than the model believes by itself, at two passes for one (default: 0, off)",
    )
    command.add_argument("--guided-by", choices=GUIDES, default=DEFAULT.guided_by, help="(default: %(default)s)")
    command.add_argument(
        "--no-space", action="store_true", help="put no space before a suffix that starts with a letter"
    )
    command.add_argument(
        "--preset", metavar="LEVEL", help=f"{', '.join(presets.LEVELS)}: calibrated knobs; those given as flags win"
    )
    add_model_flags(command, default="bundled")
    command.add_argument("--time-limit", type=float, default=float("inf"), help="seconds of decoding")
    command.add_argument("--json", action="store_true", help="print the trace of the run instead of its text")
    knobs = command.add_argument_group(f"knobs of strategy {strategy.name}", strategy.summary)
    for parameter in strategy.parameters:
        kind: dict[str, Any] = {"type": parameter.kind, "metavar": parameter.name.upper()}
        if parameter.kind is bool:
            kind = {"action": argparse.BooleanOptionalAction}
        about = f"{parameter.domain.help}; {_range(parameter)} (default: {parameter.default})".replace("%", "%%")
        knobs.add_argument(_flag(parameter), dest=f"knob {parameter.name}", help=about, **kind)
    command.set_defaults(run=_infill)

    command = commands.add_parser("strategies", help="list all strategies", allow_abbrev=False)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--markdown", action="store_true", help="as the README's table")
    command.set_defaults(run=_strategies)

    command = commands.add_parser("replay", help="show a recorded run, without a model", allow_abbrev=False)
    command.add_argument("file", metavar="FILE", help="what `infill --json` printed, or - for standard input")
    command.add_argument("--step", type=int, metavar="K", help="only the state after step K, and what that step did")
    command.set_defaults(run=_replay)


def _infill(args: argparse.Namespace, load: Load) -> int:
    strategy = find(args.strategy)
    parts = {name: getattr(args, name) for name in ("prefix", "suffix", "length") if getattr(args, name) is not None}
    if args.text is not None and parts:
        raise InfillError(f"--text takes the place of --prefix, --suffix and --length; leave out --{next(iter(parts))}")
    if args.text == "":
        raise InfillError("--text is empty; write a text with a gap, as in 'She saw a [[3]].'")
    knobs = {parameter.name: parameter.default for parameter in strategy.parameters}
    if args.preset is not None:
        knobs |= presets.preset(args.model, strategy.name, args.preset)
    given = {name: getattr(args, f"knob {name}") for name in knobs}
    request = InfillRequest(
        **parts if args.text is None else {"text": args.text},
        steps=DEFAULT.steps if args.steps is None else args.steps,
        banned=args.ban,
        one_line=args.one_line,
        strategy=strategy.name,
        knobs=knobs | {name: value for name, value in given.items() if value is not None},
        temperature=args.temperature,
        top_p=args.top_p,
        seed=args.seed,
        guidance=args.guidance,
        guided_by=args.guided_by,
        space=not args.no_space,
    )
    if args.steps is None:  # one for each mask that there may be
        request = replace(request, steps=min(MAX_STEPS, sum(gap.length or LONGEST for gap in request.gaps)))
    strategy_of(request)  # a mistake is told before a model is loaded
    if not args.time_limit > 0:
        raise InfillError(f"the time limit must be a number of seconds above 0, not {args.time_limit}")
    denoiser = load(args.model, **model_settings(args))
    traces = infill(request, denoiser, time_limit=args.time_limit)
    trace = start = next(traces)
    try:
        for trace in itertools.chain([start], traces):
            if trace.begun and not trace.steps:
                told = (*trace.notices, *(choice.describe(number) for number, choice in trace.choices.items()))
                print(*told, sep="\n", end="\n" * bool(told), file=sys.stderr)
            elif trace.begun and sys.stderr.isatty():
                print(state_line(trace, len(trace.steps)), file=sys.stderr)
    except KeyboardInterrupt:
        trace = replace(trace, ended="stopped")
    if not trace.begun:
        print(*trace.notices, sep="\n", file=sys.stderr)
    if trace.ended != "complete":
        print(f"ended by {trace.ended}: {trace.masks_left[-1]} masks are left", file=sys.stderr)
    print(recording.dump(trace) if args.json else trace.text)
    return 130 if trace.ended == "stopped" else 0


def state_line(trace: Trace, number: int) -> str:
    """Step, forward passes, masks left and the text of one state, masks as ░."""
    before, *between, after = trace.given
    before = "…" + before[-_CONTEXT:] if len(before) > _CONTEXT else before
    after = after[:_CONTEXT] + "…" if len(after) > _CONTEXT else after
    text, pieces = before, iter(trace.pieces(number))
    for gap, part in zip(trace.start.gaps, [*between, after], strict=True):
        text += "".join(MASK if piece is None else piece for piece in itertools.islice(pieces, len(gap))) + part
    nfe = trace.steps[number - 1].nfe if number else 0
    return f"step {number:>3}  NFE {nfe:>3}  masks {trace.masks_left[number]:>3}  {one_line(text)}"


def one_line(text: str) -> str:
    """Line breaks as ↵; control characters, which could steer a terminal, and lone surrogates as �."""
    text = text.replace("\n", "↵")
    return "".join("�" if unicodedata.category(character) in ("Cc", "Cs") else character for character in text)


def _length(text: str) -> int | str:
    if text != AUTO and not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"a number of masks, or auto, not '{text}'")
    return text if text == AUTO else int(text)


def _replay(args: argparse.Namespace, load: Load) -> int:
    trace = recording.load(_read(args.file))
    last = len(trace.steps)
    if args.step is not None and not 0 <= args.step <= last:
        raise InfillError(f"this trace has the states 0 to {last}, not {args.step}")
    print(one_line(f"{trace.request.strategy} on {trace.model}, T = {trace.request.steps}, ended: {trace.ended}"))
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


def _read(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode()
    except OSError as error:
        raise InfillError(f"cannot read '{file}': {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InfillError(f"'{file}' is not a trace: it is not UTF-8 at byte {error.start}") from None


def _strategies(args: argparse.Namespace, load: Load) -> int:
    if args.json:
        print(json.dumps([_as_data(strategy) for strategy in strategies().values()], ensure_ascii=False, indent=1))
    elif args.markdown:
        print(markdown())
    else:
        for strategy in strategies().values():
            print(f"{strategy.name}: {strategy.summary}\n    T: {BUDGETS[strategy.budget]}")
            for parameter in strategy.parameters:
                about = f"{parameter.domain.help}; {_range(parameter)}"
                print(f"    {_flag(parameter)} {parameter.default}  ({about})")
            for paper in strategy.papers:
                print(f"    https://arxiv.org/abs/{paper}")
    return 0


def markdown() -> str:
    """The README's table of strategies."""
    rows = ["| name | what it does | T means | knobs (default) | paper |", "| --- | --- | --- | --- | --- |"]
    for strategy in strategies().values():
        knobs = ", ".join(f"`{parameter.name}` ({parameter.default})" for parameter in strategy.parameters)
        papers = ", ".join(f"[{paper}](https://arxiv.org/abs/{paper})" for paper in strategy.papers)
        cells = (f"`{strategy.name}`", strategy.summary, BUDGETS[strategy.budget], knobs, papers)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") or "–" for cell in cells) + " |")
    return "\n".join(rows)


def _as_data(strategy: Strategy) -> dict[str, Any]:
    return {
        "name": strategy.name,
        "summary": strategy.summary,
        "budget": strategy.budget,
        "steps_mean": BUDGETS[strategy.budget],
        "papers": list(strategy.papers),
        "knobs": [
            {
                "name": parameter.name,
                "flag": _flag(parameter),
                "kind": parameter.kind.__name__,
                "default": parameter.default,
                "range": _range(parameter),
                "help": parameter.domain.help,
            }
            for parameter in strategy.parameters
        ],
    }


def _flag(parameter: Parameter) -> str:
    return "--" + parameter.name.replace("_", "-")


def _range(parameter: Parameter) -> str:
    if isinstance(parameter.domain, Choice):
        return ", ".join(parameter.domain.options)
    if parameter.kind is bool:
        return "true or false"
    return f"{parameter.domain.low:g} to {parameter.domain.high:g}"
