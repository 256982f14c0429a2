"""Hugging Face, as far as deploying needs it: what is there, and one request for each thing that can be changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.errors import InfillError
from app.space.spacefile import Deployment

KEPT = (".gitattributes",)
"""What Hugging Face puts there by itself, and what no push deletes."""

_TOKENS = "https://huggingface.co/settings/tokens"
_ADVICE = {
    401: f"it does not accept the token; make one that may write at {_TOKENS} and set HF_TOKEN",
    402: "it asks for a subscription or credits; an account without them can have ZeroGPU (--profile zero)",
    403: f"the token may not do this; make one that may write there at {_TOKENS} and set HF_TOKEN",
    404: "there is no such thing, or the token may not see it",
    409: "something of that name is there already, or is being changed; see `space diff`",
    412: "somebody else changed the Space in the meantime; see `space diff`",
    429: "too many requests; try again later",
}


@dataclass(frozen=True, kw_only=True)
class Live:
    """A Space as it is."""

    commit: str | None
    files: Mapping[str, str]  # path -> git's name of the content, or the SHA-256 of a large file
    variables: Mapping[str, str]
    secrets: frozenset[str]  # names; values cannot be read
    hardware: str | None  # what was asked for last
    sleep_time: int | None
    visibility: str


@dataclass
class Hub:
    """One Space on the hub. Whatever goes wrong is an InfillError of one line, in which no secret stands."""

    repo: str
    endpoint: str | None = None  # None: huggingface.co, or what $HF_ENDPOINT says
    hidden: list[str] = field(default_factory=list)  # texts that are never shown

    def __post_init__(self) -> None:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import disable_progress_bars, logging

        disable_progress_bars()
        logging.set_verbosity_error()  # it says in a log line what is said here
        token = get_token()
        if token is None:
            raise InfillError(f"no token: set HF_TOKEN to one that may write ({_TOKENS}), or run `hf auth login`")
        self.hidden.append(token)
        self.api = HfApi(endpoint=self.endpoint, token=token)
        self.address = f"{self.api.endpoint}/spaces/{self.repo}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The hub's many exceptions as one kind."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError  # pyright: ignore[reportPrivateImportUsage]

        try:
            yield
        except HfHubHTTPError as error:
            status = error.response.status_code
            advice = _ADVICE.get(status, "it is out of order; try again later" if status >= 500 else "it refuses")
            said = f" (it says: {error.server_message})" if error.server_message else ""
            raise InfillError(self._clean(f"the hub answers {status}: {advice}{said}")) from None
        except (HTTPError, OSError) as error:
            said = f"{type(error).__name__}: {error}"
            raise InfillError(self._clean(f"cannot reach the hub at {self.api.endpoint} ({said})")) from None
        except (RuntimeError, ValueError) as error:  # a large file that was not taken; a header that it does not like
            said = f"{error} {error.__cause__ or ''}".strip()
            raise InfillError(self._clean(f"the hub refuses it, or its answer cannot be read: {said}")) from None

    def _clean(self, text: str) -> str:
        for secret in self.hidden:
            text = text.replace(secret, "***") if secret else text
        text = " ".join(text.split())
        return text if len(text) <= 500 else text[:500] + "…"

    def sign_in(self) -> str:
        """The name of the token's owner. Raises InfillError unless the token may write."""
        with self._told():
            owner = self.api.whoami()
        role = owner.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise InfillError(f"the token may only read; make one that may write at {_TOKENS} and set HF_TOKEN")
        return owner["name"]

    def live(self) -> Live | None:
        """None where there is no such Space."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._told():
            try:
                info: Any = self.api.space_info(self.repo, files_metadata=True)
            except RepositoryNotFoundError as error:
                if error.response.status_code == 404:
                    return None
                raise
            runtime = self.api.get_space_runtime(self.repo)
            variables = self.api.get_space_variables(self.repo)
            secrets = self.api.get_space_secrets(self.repo)
        return Live(
            commit=info.sha,
            files={each.rfilename: each.lfs.sha256 if each.lfs else each.blob_id for each in info.siblings or ()},
            variables={name: variable.value for name, variable in variables.items()},
            secrets=frozenset(secrets),
            hardware=runtime.requested_hardware or runtime.hardware,
            sleep_time=runtime.sleep_time,
            visibility=getattr(info, "visibility", None) or ("private" if info.private else "public"),
        )

    def create(self, deployment: Deployment, secrets: Mapping[str, str]) -> None:
        """An empty Space with all its settings, in one request: billing starts when there is something to start."""
        with self._told():
            self.api.create_repo(
                self.repo,
                repo_type="space",
                space_sdk="gradio",
                visibility=deployment.visibility,  # pyright: ignore[reportArgumentType]
                space_hardware=deployment.hardware,  # pyright: ignore[reportArgumentType]
                space_sleep_time=deployment.sleep_time,
                space_variables=[{"key": key, "value": value} for key, value in deployment.variables.items()],
                space_secrets=[{"key": key, "value": value} for key, value in secrets.items()],
            )

    def set_visibility(self, visibility: str) -> None:
        with self._told():
            self.api.update_repo_settings(self.repo, repo_type="space", visibility=visibility)  # pyright: ignore

    def set_variable(self, name: str, value: str) -> None:
        with self._told():
            self.api.add_space_variable(self.repo, name, value)

    def delete_variable(self, name: str) -> None:
        with self._told():
            self.api.delete_space_variable(self.repo, name)

    def set_secret(self, name: str, value: str) -> None:
        with self._told():
            self.api.add_space_secret(self.repo, name, value)

    def set_hardware(self, hardware: str, sleep_time: int | None) -> None:
        with self._told():
            self.api.request_space_hardware(self.repo, hardware, sleep_time=sleep_time)  # pyright: ignore

    def set_sleep_time(self, seconds: int) -> None:
        with self._told():
            self.api.set_space_sleep_time(self.repo, seconds)

    def commit(self, add: Mapping[str, bytes], delete: list[str], message: str, parent: str | None) -> None:
        """All of it, or nothing; refused where the Space is not at the parent commit any more."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        additions = [CommitOperationAdd(name, content) for name, content in add.items()]
        deletions = [CommitOperationDelete(name, is_folder=False) for name in delete]
        with self._told():
            self.api.create_commit(
                self.repo, [*additions, *deletions], commit_message=message, repo_type="space", parent_commit=parent
            )


def same(content: bytes, name: str) -> bool:
    """Whether content is what a Space holds under git's name, or under the SHA-256 of a large file."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return name in (blob, hashlib.sha256(content).hexdigest())
