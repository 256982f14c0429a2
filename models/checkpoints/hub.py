"""Repositories on the Hugging Face hub: their weights' headers, and their download to a local folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, get_safetensors_metadata, snapshot_download
from huggingface_hub.errors import (  # its HTTPError is that of the library by which it reaches the hub
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # pyright: ignore[reportPrivateImportUsage]
    LocalEntryNotFoundError,
    NotASafetensorsRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name
from tqdm.auto import tqdm

from models import disk
from models.catalogue import Source
from models.checkpoints.tokenizer import one_line
from models.checkpoints.weights import Weights, read_weights

_FILES = ["*.json", "*.safetensors", "*.model", "*.txt"]
"""Tokenizer, config and weights; never pickles or code."""

_LEAST_BYTES = 2
"""A parameter's, in the files of a published model: they are in fp16, bf16 or fp32."""
_ROOM = "make room there, or set HF_HOME to a folder on another disk"
_PATIENCE = 10.0
"""Seconds after which the hub need not say how large a download is."""
_SPARE = 200_000_000
"""Bytes that a download leaves free on the disk, since other programs and temporary files need some."""

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in total during a download."""


def remote_weights(repo: str) -> Weights | None:
    """Return the headers of a repository's safetensors; None if the hub cannot be reached.

    Raises ValueError if the repository does not exist, may not be read, or has no safetensors.
    """
    try:
        metadata = get_safetensors_metadata(repo)
    except NotASafetensorsRepoError:
        pickles = _pickles(repo)
        found = f"only pickled weights ({pickles[0]}), which can run code as they are read" if pickles else "no weights"
        raise ValueError(f"{repo} on the hub has {found}; a checkpoint in safetensors is needed") from None
    except (RepositoryNotFoundError, GatedRepoError) as error:
        raise _refused(repo, error) from error
    except Exception:  # noqa: BLE001 - no network, reported by any HTTP library; the download will say so
        return None
    files = metadata.files_metadata.values()
    return Weights(
        shapes={name: tuple(tensor.shape) for file in files for name, tensor in file.tensors.items()},
        bytes=sum(
            tensor.data_offsets[1] - tensor.data_offsets[0] for file in files for tensor in file.tensors.values()
        ),
    )


def _pickles(repo: str) -> list[str]:
    """Return the names of pickled weights in a repository; none if the hub cannot be reached."""
    with suppress(HTTPError, HfHubHTTPError, OSError):
        return [name for name in HfApi().list_repo_files(repo) if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
    return []


def fetch(source: Source, *, progress: Progress | None = None) -> Path:
    """Return the folder of a source, downloaded first if it is on the hub; see `download`."""
    least = _LEAST_BYTES * source.parameters
    return source.folder or download(source.repo or "", mask_id=source.mask_id, least=least, progress=progress)


def download(repo: str, *, mask_id: int | None = None, least: int = 0, progress: Progress | None = None) -> Path:
    """Return the folder of a repository, downloaded first if necessary; an interrupted download continues.

    Shows its progress on the terminal, and reports it to `progress`. `least` bytes are expected if the hub states no
    sizes. If the disk has no room for a newer version, returns the one that is here.
    Raises ValueError if the download fails, and before it if the disk has too little room; the message includes
    `mask_id`, since a folder downloaded elsewhere may not state it.
    """
    missing, free = _missing_bytes(repo, least), _free_bytes()
    if missing and missing + _SPARE > free:
        if here := downloaded_whole(repo):
            return here
        raise ValueError(
            f"{repo} is a download of {missing / 1e9:.1f} GB, and the disk with the cache of Hugging Face has "
            f"{free / 1e9:.1f} GB free: {_ROOM}"
        )
    bar: Any = _reporting(progress) if progress else None
    try:
        return Path(snapshot_download(repo, allow_patterns=_FILES, tqdm_class=bar))
    except (RepositoryNotFoundError, GatedRepoError) as error:
        raise _refused(repo, error) from error
    except (HfHubHTTPError, HTTPError, OfflineModeIsEnabled, LocalEntryNotFoundError, OSError) as error:
        # Without a network the hub's library also falls back to this, but not after every error.
        if here := downloaded(repo):
            return here
        if isinstance(error, OSError) and disk.is_full(error):
            raise ValueError(f"{repo} cannot be downloaded ({one_line(error)}): {_ROOM}, then try again") from error
        mask = "" if mask_id is None else f" and --mask-token-id {mask_id}"
        raise ValueError(
            f"{repo} cannot be downloaded ({one_line(error)}): connect to the network and try again, "
            "the download continues where it stopped; or run "
            f"`hf download {repo}` elsewhere and give the folder as --model{mask}"
        ) from error


def downloaded(repo: str) -> Path | None:
    """Return the folder of a repository that was downloaded before, perhaps partly, without asking the hub."""
    with suppress(LocalEntryNotFoundError):
        return Path(snapshot_download(repo, allow_patterns=_FILES, local_files_only=True))
    return None


def downloaded_whole(repo: str) -> Path | None:
    """Return the folder of a repository if all of its weights are here, without asking the hub."""
    folder = downloaded(repo)
    if folder is None or not (folder / "config.json").is_file():
        return None
    try:
        read_weights(folder)
    except ValueError:
        return None
    return folder


def _missing_bytes(repo: str, least: int) -> int:
    """Return the bytes of a repository that are not on this machine; 0 if the hub cannot be asked.

    `least` replaces a sum that is not known, because the hub states no sizes.
    """
    try:
        info = HfApi().model_info(repo, files_metadata=True, timeout=_PATIENCE)
    except (HfHubHTTPError, HTTPError, OfflineModeIsEnabled, OSError):  # the download will say so
        return 0
    blobs = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="model"), "blobs")
    files = [each for each in info.siblings or () if any(fnmatch(each.rfilename, pattern) for pattern in _FILES)]
    missing = 0
    for file in files:
        if file.size is None:
            return least
        name = file.lfs.sha256 if file.lfs else file.blob_id
        missing += 0 if name and (blobs / name).exists() else file.size  # a file that broke off begins again
    return missing


def _free_bytes() -> int:
    """Return the free bytes of the disk that downloads go to."""
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def _refused(repo: str, error: Exception) -> ValueError:
    if isinstance(error, GatedRepoError):
        return ValueError(
            f"{repo} requires an account that has accepted its terms: accept them on its page, then `hf auth login`"
        )
    return ValueError(
        f"there is no {repo} on the hub, or it is private: check the name, or log in with `hf auth login`"
    )


def _reporting(progress: Progress) -> type[tqdm]:
    furthest = 0

    class Reporting(tqdm):
        """Reports only bars that count bytes (there are two: received, and written); others count files."""

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal furthest
            shown = super().update(n)
            if self.unit == "B" and self.total:
                furthest = max(furthest, int(self.n))
                progress(furthest, int(self.total))
            return shown

    return Reporting
