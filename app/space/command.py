"""`python -m app space`: check the Spacefile, render its files, compare them with the Space, push them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.errors import InfillError, quoted
from app.space import render, spacefile
from app.space.check import contradictions
from app.space.contents import contents
from app.space.hub import Hub
from app.space.plan import Plan, push
from app.space.spacefile import Spacefile


def add_command(commands: Any) -> None:
    """Add `space` and its actions to `commands`, the object that `add_subparsers` returned."""
    command = commands.add_parser("space", help="deploy the page to a Hugging Face Space", allow_abbrev=False)
    actions = command.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    for name, run, about in (
        ("check", _check, "list the mistakes in the Spacefile and everything that contradicts it"),
        ("render", _render, "print or write the files exactly as they would be uploaded"),
        ("diff", _diff, "compare with the live Space; exit code 1 if anything differs"),
        ("push", _push, "print the plan and the price, then create or update the Space"),
    ):
        action = actions.add_parser(name, help=about, description=about, allow_abbrev=False)
        action.add_argument(
            "--folder", type=Path, default=spacefile.ROOT, help="folder of the Spacefile (default: this project)"
        )
        action.set_defaults(run=run)
        if name != "check":
            action.add_argument("--profile", help="one of the Spacefile's profiles (default: its deploy.profile)")
        if name in ("diff", "push"):
            action.add_argument("--repo", metavar="OWNER/NAME", help="the Space (default: the Spacefile's deploy.repo)")
        if name == "render":
            action.add_argument("--out", type=Path, metavar="FOLDER", help="write the files to this new folder")
            action.add_argument("--readme", action="store_true", help="only update the header of README.md")
        if name == "push":
            action.add_argument("--dry-run", action="store_true", help="only print the plan; send nothing")


def _check(args: argparse.Namespace, load: object) -> int:
    try:
        mistakes = contradictions(spacefile.read(args.folder))
    except spacefile.MalformedError as error:
        mistakes = error.mistakes
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        raise InfillError(f"{len(mistakes)} {'mistakes' if len(mistakes) > 1 else 'mistake'} to fix")
    print("the Spacefile, the README's header, the requirements and the code agree")
    return 0


def _read_checked(folder: Path) -> Spacefile:
    """Read the Spacefile. Raises InfillError if `check` finds anything."""
    file = spacefile.read(folder)
    mistakes = contradictions(file)
    if mistakes:
        more = f" (and {len(mistakes) - 1} more; run `space check`)" if len(mistakes) > 1 else ""
        raise InfillError(mistakes[0] + more)
    return file


def _render(args: argparse.Namespace, load: object) -> int:
    file = spacefile.read(args.folder)
    if args.readme:
        _update_header(args.folder / "README.md", file)
        return 0
    deployment = file.deployment(args.profile)
    chosen = contents(args.folder, deployment)
    files = render.files(args.folder, chosen, deployment)
    print(*chosen.notices, sep="\n", end="\n" * bool(chosen.notices), file=sys.stderr)
    if args.out is None:
        for name, content in files.items():
            print(f"{len(content):>10}  {name}")
        for name in ("README.md", "requirements.txt"):
            shown = render.decode(files, name) if name in files else ""
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


def _update_header(readme: Path, file: Spacefile) -> None:
    try:
        text = readme.read_text(encoding="utf-8")
        readme.write_text(render.with_header(text, file.header), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InfillError(f"cannot update '{readme}': {error.strerror}") from None


def _plan(args: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Spacefile, Plan, str | None]:
    file = _read_checked(args.folder)
    deployment = file.deployment(args.profile)
    chosen = contents(args.folder, deployment)
    others = {name for profile in file.profiles for name in file.deployment(profile).variables}
    plan = Plan(
        deployment=deployment,
        files=render.files(args.folder, chosen, deployment),
        notices=tuple(chosen.notices),
        secrets={name: environment[name] for name in deployment.secrets if environment.get(name)},
        retired=frozenset(others - set(deployment.variables)),
    )
    return file, plan, _repo(args.repo or deployment.repo, environment)


def _repo(given: str, environment: Mapping[str, str]) -> str | None:
    """Return owner/name, reading ${NAME} from the environment; None if that is not set."""
    variable = re.fullmatch(r"\$\{(\w+)\}", given)
    repo = environment.get(variable[1]) if variable else given
    if repo and not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repo):
        raise InfillError(f"{quoted(repo)} is not the name of a Space; write owner/name")
    return repo or None


def _hub(repo: str | None, plan: Plan, environment: Mapping[str, str]) -> Hub:
    if repo is None:
        raise InfillError(f"no Space is named; set {plan.deployment.repo.strip('${}')} or use --repo owner/name")
    return Hub(repo, environment.get("HF_ENDPOINT") or None, hidden=list(plan.secrets.values()))


def _diff(args: argparse.Namespace, load: object) -> int:
    _, plan, repo = _plan(args, os.environ)
    print(*plan.notices, sep="\n", end="\n" * bool(plan.notices), file=sys.stderr)
    hub = _hub(repo, plan, os.environ)
    live = hub.live()
    if live is None:
        raise InfillError(f"there is no Space {repo} that the token can see; `space push` creates it")
    changes = [change for change in plan.changes(live, hub) if change.certain]
    for change in changes:
        print(change.text)
    others = sorted(set(live.variables) - set(plan.deployment.variables) - plan.retired)
    if others:
        print(f"only on the Space, left unchanged: variables {', '.join(others)}")
    if not changes:
        print("nothing differs")
    return 1 if changes else 0


def _push(args: argparse.Namespace, load: object) -> int:
    file, plan, repo = _plan(args, os.environ)
    print(plan.describe(file, repo))
    if args.dry_run:
        print("dry run: nothing was sent")
        return 0
    missing = [name for name in plan.deployment.secrets if name not in plan.secrets]
    if missing:
        raise InfillError(f"the Spacefile lists the secrets {', '.join(missing)}; set them in the environment")
    for name, content in plan.files.items():
        if any(secret.encode() in content for secret in plan.secrets.values()):
            raise InfillError(f"{name} contains the value of a secret; nothing was sent")
    hub = _hub(repo, plan, os.environ)
    push(plan, hub, lambda text: print(text, flush=True))
    print(f"{hub.address} is being built; follow it with `hf spaces logs {repo}`")
    return 0
