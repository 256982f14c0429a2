"""`python -m app space`: check the Spacefile, render what it deploys, compare it with the Space, push it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import InfillError
from app.space import render, spacefile
from app.space.check import contradictions
from app.space.hub import Hub
from app.space.plan import Plan, push
from app.space.spacefile import Spacefile


def add_command(commands: Any) -> None:
    """`commands` is what `add_subparsers` gave."""
    command = commands.add_parser("space", help="deploy the page to a Hugging Face Space", allow_abbrev=False)
    actions = command.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, run, about in (
        ("check", _check, "tell every mistake in the Spacefile, and what contradicts it"),
        ("render", _render, "show or write the files exactly as they would be uploaded"),
        ("diff", _diff, "compare with the Space as it is; exit code 1 if anything differs"),
        ("push", _push, "create or update the Space, after printing the plan and the price"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        action.add_argument("--folder", type=Path, default=spacefile.ROOT, help="of the Spacefile (default: this one)")
        action.set_defaults(run=run)
        if name != "check":
            action.add_argument("--profile", help="one of the Spacefile's profiles (default: the one that it names)")
        if name in ("diff", "push"):
            action.add_argument("--repo", metavar="OWNER/NAME", help="the Space (default: what the Spacefile says)")
        if name == "render":
            action.add_argument("--out", type=Path, metavar="FOLDER", help="write the files there; it must not exist")
            action.add_argument("--readme", action="store_true", help="put the header of README.md right, and stop")
        if name == "push":
            action.add_argument("--dry-run", action="store_true", help="only print the plan; nothing is sent")


def _check(args: argparse.Namespace, load: object) -> int:
    data, mistakes = spacefile.load(args.folder)
    mistakes = mistakes or contradictions(Spacefile(args.folder, data))
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        raise InfillError(f"{len(mistakes)} {'mistakes' if len(mistakes) > 1 else 'mistake'} to put right")
    print("the Spacefile, the README's header, the requirements and the code agree")
    return 0


def _sound(folder: Path) -> Spacefile:
    """Raises InfillError unless `check` finds nothing."""
    file = spacefile.read(folder)
    mistakes = contradictions(file)
    if mistakes:
        more = f" (and {len(mistakes) - 1} more; see `space check`)" if len(mistakes) > 1 else ""
        raise InfillError(mistakes[0] + more)
    return file


def _render(args: argparse.Namespace, load: object) -> int:
    file = spacefile.read(args.folder)
    if args.readme:
        _put_right(args.folder / "README.md", file)
        return 0
    deployment = file.deployment(args.profile)
    files = render.files(args.folder, deployment)
    if args.out is None:
        for name, content in files.items():
            print(f"{len(content):>10}  {name}")
        for name in ("README.md", "requirements.txt"):
            shown = render.text(files, name) if name in files else ""
            print(f"\n== {name}\n{shown.split('---')[1].strip() if name == 'README.md' else shown.strip()}")
        return 0
    try:
        args.out.mkdir(parents=True)
        for name, content in files.items():
            (args.out / name).parent.mkdir(parents=True, exist_ok=True)
            (args.out / name).write_bytes(content)
    except OSError as error:
        raise InfillError(f"cannot write '{error.filename}': {error.strerror}") from None
    print(f"{len(files)} files in {args.out}")
    return 0


def _put_right(readme: Path, file: Spacefile) -> None:
    try:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(render.with_header(text, file.data["space"]), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InfillError(f"cannot put '{readme}' right: {error.strerror}") from None


def _plan(args: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Spacefile, Plan, str | None]:
    file = _sound(args.folder)
    deployment = file.deployment(args.profile)
    others = {name for profile in file.profiles for name in file.deployment(profile).variables}
    plan = Plan(
        deployment=deployment,
        files=render.files(args.folder, deployment),
        secrets={name: environment[name] for name in deployment.secrets if environment.get(name)},
        retired=frozenset(others - set(deployment.variables)),
    )
    return file, plan, _repo(args.repo or deployment.repo, environment)


def _repo(given: str, environment: Mapping[str, str]) -> str | None:
    """owner/name, out of the environment where ${NAME} stands; None if that is not set."""
    variable = re.fullmatch(r"\$\{(\w+)\}", given)
    repo = environment.get(variable[1]) if variable else given
    if repo and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repo):
        raise InfillError(f"a Space is named owner/name, not '{repo}'")
    return repo or None


def _hub(repo: str | None, plan: Plan, environment: Mapping[str, str]) -> Hub:
    if repo is None:
        raise InfillError(f"which Space? Set {plan.deployment.repo.strip('${}')}, or give --repo owner/name")
    return Hub(repo, environment.get("HF_ENDPOINT") or None, hidden=list(plan.secrets.values()))


def _diff(args: argparse.Namespace, load: object) -> int:
    _, plan, repo = _plan(args, os.environ)
    hub = _hub(repo, plan, os.environ)
    live = hub.live()
    if live is None:
        raise InfillError(f"there is no Space {repo}, or the token may not see it; `space push` makes it")
    changes = [change for change in plan.changes(live, hub) if change.seen]
    for change in changes:
        print(change.text)
    others = sorted(set(live.variables) - set(plan.deployment.variables) - plan.retired)
    if others:
        print(f"only there, and left alone: variables {', '.join(others)}")
    if not changes:
        print("nothing differs")
    return 1 if changes else 0


def _push(args: argparse.Namespace, load: object) -> int:
    file, plan, repo = _plan(args, os.environ)
    for line in plan.lines(file, repo):
        print(line)
    if args.dry_run:
        print("dry run: nothing was sent")
        return 0
    missing = [name for name in plan.deployment.secrets if name not in plan.secrets]
    if missing:
        raise InfillError(f"the environment lacks {', '.join(missing)}, which the Spacefile lists as secrets")
    for name, content in plan.files.items():
        if any(secret.encode() in content for secret in plan.secrets.values()):
            raise InfillError(f"a secret's value stands in {name}; nothing was sent")
    hub = _hub(repo, plan, os.environ)
    push(plan, hub, lambda text: print(text, flush=True))
    print(f"{hub.address} is being built; `hf spaces logs {repo}` shows how far it is")
    return 0
