"""A checkpoint's own tokenizer behind the `Tokenizer` interface: byte-level BPE (GPT-2) and SentencePiece (LLaMA)."""

from __future__ import annotations

import importlib.util
import json
import re
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from models.checkpoints.json_files import check_encoding, read_json
from models.classes import TokenClasses
from models.quoting import shortened

_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_STATED = ("tokenizer_config.json", "special_tokens_map.json")


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Read the tokenizer of a folder: its tokenizer.json, or else tokenizer.model (SentencePiece).

    Without a file that states them, the tokens that begin and end a text are those of config.json.
    Raises ValueError if there is no tokenizer, or if it cannot be read.
    """
    for name in _FILES:
        try:
            check_encoding(folder / name)
        except ValueError as error:
            raise ValueError(f"the {name} in {folder} cannot be read: {error}") from None
    model_alone = (folder / "tokenizer.model").is_file() and not (folder / "tokenizer.json").is_file()
    getLogger("transformers.tokenization_utils_tokenizers").setLevel(ERROR)  # what it tries before it gives up
    try:
        # As the file says, whatever the architecture: Qwen2's own class would read it as byte-level BPE.
        kind = PreTrainedTokenizerFast if model_alone else AutoTokenizer
        tokenizer = kind.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the library does not limit what it raises
        raise ValueError(
            f"{folder} is not a whole checkpoint: no tokenizer can be read from it {_cure(error, model_alone)}"
        ) from error
    if not any((folder / name).is_file() for name in _STATED):
        _set_ends(tokenizer, folder / "config.json")
    return tokenizer


def _cure(error: Exception, model_alone: bool) -> str:
    """Return why a tokenizer cannot be read, and what helps."""
    if not model_alone:
        return f"({one_line(error)}); it needs a tokenizer.json or tokenizer.model"
    if not (_installed("sentencepiece") and _installed("google.protobuf")):
        return "(tokenizer.model needs two packages): pip install sentencepiece protobuf"
    return "(its tokenizer.model is not of SentencePiece); add the tokenizer.json that was published with it"


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False


def _set_ends(tokenizer: PreTrainedTokenizerBase, config: Path) -> None:
    """Give a tokenizer the begin- and end-of-text tokens of a config.json, if it says which and the tokenizer has them.

    The config may name several ends; the first is the one.
    """
    stated = read_json(config) if config.is_file() else {}
    for end in ("bos", "eos"):
        ids = stated.get(f"{end}_token_id")
        id_ = ids[0] if isinstance(ids, list) and ids else ids
        if type(id_) is int and 0 <= id_ < len(tokenizer):
            setattr(tokenizer, f"{end}_token", tokenizer.convert_ids_to_tokens(id_))


def _byte_alphabet() -> dict[str, int]:
    """Map characters of byte-level BPE (GPT-2) to bytes: printable bytes are themselves, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


def _without_opening_space(rules: dict[str, Any]) -> tuple[Tokenizer, bool]:
    """Return the tokenizer of a tokenizer.json without its space before every text, and whether it had that rule.

    SentencePiece has the rule as `Metaspace` or `Prepend`, byte-level BPE as `add_prefix_space`.
    """
    spaced, prepended = False, ""

    def without(rule: Any) -> Any:
        nonlocal spaced, prepended
        if not isinstance(rule, dict):
            return rule
        if rule.get("type") == "Metaspace":
            spaced |= rule.get("prepend_scheme") != "never"
            return {**rule, "prepend_scheme": "never"}
        if rule.get("type") == "ByteLevel":
            spaced |= bool(rule.get("add_prefix_space"))
            return {**rule, "add_prefix_space": False}
        if rule.get("type") == "Prepend" and rule.get("prepend") in ("▁", " "):
            spaced, prepended = True, rule["prepend"]
            return None
        if rule.get("type") == "Replace" and rule.get("pattern") == {"Regex": r"\A▁"} and rule.get("content") == "▁▁":
            spaced = True  # the space before a text that begins with one, as tokenizer.model is read
            return None
        for parts in ("normalizers", "pretokenizers"):
            if parts in rule:
                return {**rule, parts: [kept for part in rule[parts] if (kept := without(part)) is not None]}
        return rule

    rules = {**rules, "normalizer": without(rules["normalizer"]), "pre_tokenizer": without(rules["pre_tokenizer"])}
    if prepended:  # also before added tokens, which thus contain their space
        known = rules["model"]["vocab"]
        for token in rules["added_tokens"]:
            if token["normalized"] and not {token["content"], prepended + token["content"]} & known.keys():
                token["content"] = prepended + token["content"]
    backend = Tokenizer.from_str(json.dumps(rules | {"truncation": None, "padding": None}))
    backend.encode_special_tokens = True  # if a user types their names, these are text
    return backend, spaced


def _special_ids(rules: dict[str, Any]) -> set[int]:
    """Return the special tokens of a tokenizer.json, of which the other files may not know, and the unknown token."""
    found = {token["id"] for token in rules["added_tokens"] if token["special"]}
    model = rules["model"]
    if isinstance(number := model.get("unk_id"), int):  # Unigram
        found.add(number)
    if isinstance(name := model.get("unk_token"), str) and name in model["vocab"]:
        found.add(model["vocab"][name])
    return found


class TextTokenizer:
    """A checkpoint's own tokenizer behind the `Vocabulary` interface, for a model without a mask."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        if begin is None:
            raise ValueError(
                "the tokenizer has neither a begin- nor an end-of-text token to start a text with; say which they are "
                "as bos_token_id and eos_token_id in config.json, or as bos_token and eos_token in "
                "tokenizer_config.json"
            )
        self.begin = (begin,)
        self.size = len(tokenizer)
        rules = json.loads(tokenizer.backend_tokenizer.to_str())  # pyright: ignore[reportAttributeAccessIssue]
        self.special_ids = frozenset(tokenizer.all_special_ids) | _special_ids(rules)
        self._backend, self._spaced = _without_opening_space(rules)
        self._byte_level = "ByteLevel" in json.dumps([rules["decoder"], rules["pre_tokenizer"]])
        self._byte_fallback = "ByteFallback" in json.dumps(rules["decoder"]) or rules["model"].get("byte_fallback")
        self._added = {token["id"] for token in rules["added_tokens"]}
        self._alphabet = _byte_alphabet()

    def encode(self, text: str, *, opening: bool = False) -> list[int]:
        space = " " if opening and self._spaced and text and not text.startswith(" ") else ""
        return self._backend.encode(space + text, add_special_tokens=False).ids

    def token_bytes(self, token: int) -> bytes:
        piece: Any = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if token in self.special_ids:
            return piece.encode()
        if self._byte_level:
            if token in self._added or any(character not in self._alphabet for character in piece):
                return piece.encode()  # stored as plain text
            return bytes(self._alphabet[character] for character in piece)
        if self._byte_fallback and re.fullmatch("<0x[0-9A-Fa-f]{2}>", piece):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("▁", " ").encode()


class CheckpointTokenizer(TextTokenizer):
    """A checkpoint's own tokenizer with a mask, behind the `Tokenizer` interface."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        mask_id: int,
        *,
        frequencies: NDArray[np.float64] | None = None,
        classes: TokenClasses | None = None,
    ) -> None:
        super().__init__(tokenizer)
        self.mask_id, self.frequencies, self.classes = mask_id, frequencies, classes


def one_line(error: Exception) -> str:
    """Return the first line of an error's message, with the next one if it only announces that; long words are cut."""
    first, _, rest = str(error).strip().partition("\n")
    if first.endswith(":"):
        first = f"{first} {rest.strip().partition(chr(10))[0]}"
    return shortened(first) or type(error).__name__
