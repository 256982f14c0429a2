"""Comparing a Space with the Spacefile, and the requests that remove the differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import models
from app.errors import InfillError
from app.space import model_choice
from app.space.hardware import FACTS_FROM, FLAVOURS, ZERO
from app.space.hub import NEVER_DELETED, Hub, Live, is_same
from app.space.spacefile import NAME, Deployment, Spacefile
from models.terminal import table


class Change(NamedTuple):
    """One difference in words, and the request that removes it."""

    text: str
    make: Callable[[], None]
    certain: bool = True  # False: a secret, whose value the hub never shows, so it may already be equal


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A deployment with its files and the values of its secrets."""

    deployment: Deployment
    files: Mapping[str, bytes]
    notices: tuple[str, ...]  # about the choice of the files
    secrets: Mapping[str, str]  # name -> value, only those set in the environment
    retired: frozenset[str]  # variables that only other profiles set; they are deleted

    def describe(self, spacefile: Spacefile, repo: str | None) -> str:
        """Return the plan as a table of text, with the price and without the values of secrets."""
        goal, price = self.deployment, FLAVOURS[self.deployment.hardware].price
        cost = f"{price:.2f} USD an hour" + " while it starts and runs" * bool(price)
        choice = model_choice.choose(spacefile.models, goal.variables, flavour=goal.hardware)
        form = "".join(f" in {quantised}" for quantised in choice.settings.values())
        pins = [f"{name}{pin}" for name, pin in goal.requirements.items()]
        named = [name if name in self.secrets else f"{name} (not in the environment!)" for name in goal.secrets]
        rows = [
            ("Space", repo or "no name yet; set SPACE_REPO or use --repo owner/name"),
            ("profile", f"{goal.profile}, {goal.visibility}"),
            ("hardware", f"{goal.hardware}: {cost} (prices of {FACTS_FROM}; see https://huggingface.co/pricing)"),
            ("sleep", _sleep(goal.sleep_time)),
            ("model", f"{choice.model}{form}" + "".join(f"; {notice}" for notice in choice.notices)),
            ("offered", _offered(goal)),
            ("Python", f"{goal.header['python_version']}, gradio {goal.header['sdk_version']}"),
            ("pins", ", ".join(pins) or "as in requirements.txt"),
            ("index", goal.extra_index_url and f"packages also from {goal.extra_index_url}"),
            ("variables", ", ".join(f"{name}={value}" for name, value in goal.variables.items()) or "none"),
            ("secrets", ", ".join(named) or "none"),
            ("files", f"{len(self.files)}, {sum(map(len, self.files.values())) / 1e6:.1f} MB"),
            *(("", notice) for notice in self.notices),
        ]
        return table([(name, text) for name, text in rows if text], left=2)

    def changes(self, live: Live, hub: Hub) -> Iterator[Change]:
        """Yield the changes to an existing Space, hardware last: if an earlier one fails, the Space costs no more."""
        goal = self.deployment
        if live.visibility != goal.visibility:
            text = f"visibility: {live.visibility} -> {goal.visibility}"
            yield Change(text, lambda: hub.set_visibility(goal.visibility))
        for name, value in goal.variables.items():
            if name not in live.variables:
                yield Change(f"variable {name}: add {value!r}", lambda n=name, v=value: hub.set_variable(n, v))
            elif live.variables[name] != value:
                text = f"variable {name}: {live.variables[name]!r} -> {value!r}"
                yield Change(text, lambda n=name, v=value: hub.set_variable(n, v))
        for name in sorted(self.retired & set(live.variables)):
            text = f"variable {name}: delete (it belongs to another profile)"
            yield Change(text, lambda n=name: hub.delete_variable(n))
        for name in goal.secrets:
            there = name in live.secrets
            text = f"secret {name}: {'set again (its value cannot be compared)' if there else 'add'}"
            yield Change(text, lambda n=name: hub.set_secret(n, self.secrets[n]), certain=not there)
        yield from self._upload(live, hub)
        if live.hardware != goal.hardware:
            price = FLAVOURS[goal.hardware].price
            text = f"hardware: {live.hardware} -> {goal.hardware}, {price:.2f} USD an hour"
            yield Change(text, lambda: hub.set_hardware(goal.hardware, goal.sleep_time))
        elif goal.sleep_time is not None and live.sleep_time != goal.sleep_time:
            seconds = goal.sleep_time
            yield Change(f"sleep: {live.sleep_time} -> {seconds} s", lambda: hub.set_sleep_time(seconds))

    def _upload(self, live: Live, hub: Hub) -> Iterator[Change]:
        """Yield one commit with all files that differ, if any."""
        add = {name: content for name, content in self.files.items() if name not in live.files}
        alter = {
            name: content
            for name, content in self.files.items()
            if name in live.files and not is_same(content, live.files[name])
        }
        delete = sorted(set(live.files) - set(self.files) - set(NEVER_DELETED))
        parts = [
            f"{word} {', '.join(names)}"
            for word, names in (("add", add), ("change", alter), ("delete", delete))
            if names
        ]
        if parts:
            message = f"Deploy with profile {self.deployment.profile}"
            yield Change(
                f"files: {'; '.join(parts)}", lambda: hub.commit({**add, **alter}, delete, message, live.commit)
            )


def push(plan: Plan, hub: Hub, say: Callable[[str], None]) -> None:
    """Make the Space match the plan, and report every change with `say`.

    Raises InfillError if a request fails; the message names what was already done and what was not.
    """
    done: list[str] = []
    try:
        hub.sign_in()
        live = hub.live()
    except InfillError as error:
        raise InfillError(f"{str(error).rstrip('.')}; nothing was changed") from None

    def make(text: str, change: Callable[[], None], left: list[str]) -> None:
        try:
            change()
        except InfillError as error:
            raise InfillError(_failed(text, error, done, left)) from None
        done.append(text)
        say(f"done: {text}")

    if live is None:
        create = f"create the Space on {plan.deployment.hardware}, with its variables and secrets"
        make(create, lambda: hub.create(plan.deployment, plan.secrets), ["upload the files"])
        try:
            live = hub.live()
        except InfillError as error:
            raise InfillError(_failed("reading the new Space", error, done, ["upload the files"])) from None
        assert live is not None, "the hub does not show the Space that it has just created"
        changes = [change for change in plan.changes(live, hub) if change.certain]
    else:
        if set(live.files) - {*NEVER_DELETED, "README.md"} and NAME not in live.files:
            raise InfillError(
                f"{hub.address} contains files but no {NAME}, so it is something else; nothing was changed"
            )
        changes = list(plan.changes(live, hub))
        for change in changes:
            say(f"to do: {change.text}")
    for number, change in enumerate(changes):
        make(change.text, change.make, [later.text for later in changes[number + 1 :]])
    if not changes:
        say("nothing differs")


def _failed(text: str, error: InfillError, done: list[str], left: list[str]) -> str:
    before = f"already done: {', '.join(map(_short, done))}" if done else "nothing was changed"
    after = f"; still to do: {', '.join(map(_short, left))}" if left else ""
    return f"{_short(text)} failed: {str(error).rstrip('.')}. {before}{after}. Push again to continue"


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"


def _offered(goal: Deployment) -> str:
    """Return the models that visitors may choose besides the first, in words."""
    if goal.hardware == ZERO:
        return "no other model: ZeroGPU has the one that it starts with"
    words = {
        models.HERE: f"{models.HERE}: published models that are on its disk; nothing is downloaded",
        models.ALL: f"{models.ALL}: published models that fit into memory, each downloaded when a visitor chooses it",
    }
    return "; ".join(words.get(name, f"{name}, downloaded when a visitor chooses it") for name in goal.offer) or "none"


def _sleep(seconds: int | None) -> str:
    """Return when a Space sleeps, in words; nothing if that is not set."""
    if seconds is None:
        return ""
    return "never sleeps" if seconds < 0 else f"sleeps after {seconds} s without a visitor"
