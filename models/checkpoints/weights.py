"""Names, shapes and sizes of a checkpoint's weights, read from file headers without loading the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

from models.checkpoints.json_files import read_json

INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_TABLES = ("embed_tokens", "wte", "wpe", "lm_head", "embed_positions")
"""Parts of the names of matrices that bitsandbytes does not quantise: embeddings and the head."""

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
QUANTISED = {"int8": 1.0, "nf4": 0.516, "fp4": 0.516}
"""Bytes per weight of a linear layer; in four bits with a quantised scale for every 64 weights (arXiv:2305.14314)."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The tensors of a checkpoint."""

    shapes: Mapping[str, tuple[int, ...]]
    bytes: int  # in the files
    formats: Mapping[str, str] = field(default_factory=dict)  # safetensors' names, F32 and so on; empty: not known

    @property
    def wrapped(self) -> bool:
        """Whether the names are of DiffuGPT's wrapper module (embed_tokens, denoise_model, lm_head)."""
        return any(name.startswith("denoise_model.") for name in self.shapes)

    @property
    def quantised(self) -> bool:
        """Whether the saved weights are quantised by bitsandbytes."""
        return any(name.endswith((".absmax", ".SCB")) for name in self.shapes)

    def integers(self) -> list[str]:
        """Return the names of weights that are not floating-point numbers, except for those of bitsandbytes."""
        return [
            name
            for name, form in self.formats.items()
            if not form.startswith(("F", "BF")) and not self._of_bitsandbytes(name)
        ]

    def _of_bitsandbytes(self, name: str) -> bool:
        scales = (f"{name}.absmax", f"{name.removesuffix('.weight')}.SCB")
        return name.endswith(".weight_format") or ".weight." in name or any(scale in self.shapes for scale in scales)

    def rows(self) -> int | None:
        """Return the number of rows of the token embedding, or None if there is none."""
        found = (
            shape[0] for name, shape in self.shapes.items() if name.endswith(("embed_tokens.weight", "wte.weight"))
        )
        return next(found, None)

    def memory(self, dtype: str, quantize: str | None = None) -> int:
        """Return the bytes of the loaded weights in a dtype of BYTES, with linear layers quantised or not."""
        if self.quantised:
            return self.bytes
        linear = [shape for name, shape in self.shapes.items() if _linear(name, shape)]
        quantised = sum(math.prod(shape) for shape in linear) if quantize else 0
        plain = sum(math.prod(shape) for shape in self.shapes.values()) - quantised
        return int(plain * BYTES[dtype] + quantised * (QUANTISED[quantize] if quantize else 0))


def _linear(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and not any(table in name for table in _TABLES)


def read_weights(folder: Path) -> Weights:
    """Read the headers of a folder's safetensors. Raises ValueError if one is missing or cut off."""
    index = folder / INDEX
    names = ["model.safetensors"]
    if index.is_file():
        try:
            names = sorted(set(read_json(index)["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{folder} is not a whole checkpoint: its {INDEX} cannot be read ({error})") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        if pickles := sorted({path.name for pattern in _PICKLES for path in folder.glob(pattern)}):
            raise ValueError(
                f"{folder} has only pickled weights ({pickles[0]}), which can run code when read and are refused; "
                "load them where you trust them, and save them with `save_pretrained` as safetensors"
            )
        raise ValueError(f"{folder} is not a whole checkpoint: it has no {missing[0]}; copy or download it again")
    shapes: dict[str, tuple[int, ...]] = {}
    formats: dict[str, str] = {}
    for name in names:
        try:
            with safe_open(folder / name, framework="np") as file:
                found = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
                shapes |= {key: tuple(tensor.get_shape()) for key, tensor in found.items()}
                formats |= {key: tensor.get_dtype() for key, tensor in found.items()}
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"{folder} is not a whole checkpoint: {name} is damaged ({error}); copy or download it again"
            ) from error
    return Weights(shapes=shapes, bytes=sum((folder / name).stat().st_size for name in names), formats=formats)
