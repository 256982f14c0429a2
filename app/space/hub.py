"""Talking to the Hugging Face hub: reading a Space's state, and one request for each kind of change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.errors import InfillError
from app.space.spacefile import Deployment

NEVER_DELETED = (".gitattributes",)
"""Files that Hugging Face creates by itself; a push leaves them."""

_TOKENS = "https://huggingface.co/settings/tokens"
_ADVICE = {
    401: f"the token is not valid; create one with write access at {_TOKENS} and set HF_TOKEN",
    402: "this needs a subscription or credits; ZeroGPU needs neither (--profile zero)",
    403: f"the token may not do this; create one with write access at {_TOKENS} and set HF_TOKEN",
    404: "it does not exist, or the token has no access to it",
    409: "the name already exists, or another change is in progress; see `space diff`",
    412: "the Space was changed in the meantime; see `space diff`",
    429: "too many requests; try again later",
}


@dataclass(frozen=True, kw_only=True)
class Live:
    """The current state of a Space."""

    commit: str | None
    files: Mapping[str, str]  # path -> git's hash of the content, or the SHA-256 of a large file
    variables: Mapping[str, str]
    secrets: frozenset[str]  # names; values cannot be read
    hardware: str | None  # the last one requested
    sleep_time: int | None
    visibility: str


@dataclass
class Hub:
    """One Space on the hub. Every failure is an InfillError with a one-line message that contains no secret."""

    repo: str
    endpoint: str | None = None  # None: $HF_ENDPOINT, or huggingface.co
    hidden: list[str] = field(default_factory=list)  # secrets to blank out in messages

    def __post_init__(self) -> None:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.utils import disable_progress_bars, logging

        disable_progress_bars()
        logging.set_verbosity_error()  # its log would repeat our messages
        token = get_token()
        if token is None:
            raise InfillError(f"no token: set HF_TOKEN to one with write access ({_TOKENS}), or run `hf auth login`")
        self.hidden.append(token)
        self.api = HfApi(endpoint=self.endpoint, token=token)
        self.address = f"{self.api.endpoint}/spaces/{self.repo}"

    @contextmanager
    def _as_infill_error(self) -> Iterator[None]:
        """Turn the many exceptions of the hub's client into InfillError."""
        from huggingface_hub.errors import HfHubHTTPError, HTTPError  # pyright: ignore[reportPrivateImportUsage]

        try:
            yield
        except HfHubHTTPError as error:
            status = error.response.status_code
            advice = _ADVICE.get(
                status, "it has a problem; try again later" if status >= 500 else "it refuses the request"
            )
            detail = f" (its message: {error.server_message})" if error.server_message else ""
            raise InfillError(self._clean(f"the hub answers {status}: {advice}{detail}")) from None
        except (HTTPError, OSError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise InfillError(self._clean(f"cannot reach the hub at {self.api.endpoint} ({detail})")) from None
        except (RuntimeError, ValueError) as error:  # a large file or a header that it rejects
            detail = f"{error} {error.__cause__ or ''}".strip()
            raise InfillError(
                self._clean(f"the hub refuses the request, or its answer cannot be read: {detail}")
            ) from None

    def _clean(self, text: str) -> str:
        for secret in self.hidden:
            text = text.replace(secret, "***") if secret else text
        text = " ".join(text.split())
        return text if len(text) <= 500 else text[:500] + "…"

    def sign_in(self) -> str:
        """Return the name of the token's owner. Raises InfillError if the token cannot write."""
        with self._as_infill_error():
            owner = self.api.whoami()
        role = owner.get("auth", {}).get("accessToken", {}).get("role")
        if role == "read":
            raise InfillError(f"the token can only read; create one with write access at {_TOKENS} and set HF_TOKEN")
        return owner["name"]

    def live(self) -> Live | None:
        """Return the Space's current state; None if it does not exist."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._as_infill_error():
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
        """Create an empty Space with all its settings in one request; billing starts only once it has files to run."""
        with self._as_infill_error():
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
        """Make the Space public, protected or private."""
        with self._as_infill_error():
            self.api.update_repo_settings(self.repo, repo_type="space", visibility=visibility)  # pyright: ignore

    def set_variable(self, name: str, value: str) -> None:
        """Add or change a variable."""
        with self._as_infill_error():
            self.api.add_space_variable(self.repo, name, value)

    def delete_variable(self, name: str) -> None:
        """Delete a variable."""
        with self._as_infill_error():
            self.api.delete_space_variable(self.repo, name)

    def set_secret(self, name: str, value: str) -> None:
        """Add or change a secret."""
        with self._as_infill_error():
            self.api.add_space_secret(self.repo, name, value)

    def set_hardware(self, hardware: str, sleep_time: int | None) -> None:
        """Request other hardware; `sleep_time` is in seconds."""
        with self._as_infill_error():
            self.api.request_space_hardware(self.repo, hardware, sleep_time=sleep_time)  # pyright: ignore

    def set_sleep_time(self, seconds: int) -> None:
        """Set the time without a visitor after which the Space sleeps; -1: never."""
        with self._as_infill_error():
            self.api.set_space_sleep_time(self.repo, seconds)

    def commit(self, add: Mapping[str, bytes], delete: list[str], message: str, parent: str | None) -> None:
        """Add and delete files in one commit. Raises InfillError if the Space is no longer at the `parent` commit."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        additions = [CommitOperationAdd(name, content) for name, content in add.items()]
        deletions = [CommitOperationDelete(name, is_folder=False) for name in delete]
        with self._as_infill_error():
            self.api.create_commit(
                self.repo, [*additions, *deletions], commit_message=message, repo_type="space", parent_commit=parent
            )


def is_same(content: bytes, digest: str) -> bool:
    """Check whether `digest` is git's hash of the content, or its SHA-256, which the hub lists for large files."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return digest in (blob, hashlib.sha256(content).hexdigest())
