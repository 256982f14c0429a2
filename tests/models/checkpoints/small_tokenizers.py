"""Small checkpoints of random weights with every kind of tokenizer: each changes a text in its own way."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

import models
from tests.models.random_weights import tiny_llama

ADDED = ("café", "đem", "naïve")
SPECIAL = "<|im_start|>"
CONTEXT = 128


def byte_level(*, add_prefix_space: bool = False, split: bool = False) -> Tokenizer:
    """GPT-2's rules, with words added later, and a special token that only tokenizer.json knows."""
    backend = Tokenizer(BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=not split)
    lines = pre_tokenizers.Split(Regex("[\r\n]"), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([lines, level]) if split else level
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=290, special_tokens=["<s>", "</s>", "<mask>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(["the cat sat on the mat and the dog ran"] * 4, trainer)
    return with_added(backend)


def sentencepiece(*, legacy: bool, byte_fallback: bool, lower: bool = False, nfkc: bool = False) -> Tokenizer:
    """LLaMA's rules: ▁ for spaces, one before every text; what is unknown becomes bytes, or <unk>."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    pieces = ["<unk>", "<s>", "</s>", "<mask>", *bytes_, *"▁abcdefghijklmnopqrstuvwxyz.,!?é你好"]
    merges = [("▁", "c"), ("▁c", "a"), ("▁ca", "t"), ("c", "a"), ("ca", "t"), ("▁", "▁"), ("你", "好")]
    vocabulary = [*pieces, *(left + right for left, right in merges)]
    backend = Tokenizer(
        BPE(
            {piece: number for number, piece in enumerate(vocabulary)},
            merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=byte_fallback,
        )
    )
    rules: list[Any] = [normalizers.Lowercase()] * lower + [normalizers.NFKC()] * nfkc
    if legacy:
        rules += [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    if rules:
        backend.normalizer = normalizers.Sequence(rules)
    parts = [decoders.Replace("▁", " "), *[decoders.ByteFallback()] * byte_fallback, decoders.Fuse()]
    backend.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)])
    backend.add_special_tokens(["<unk>", "<s>", "</s>", "<mask>"])
    return with_added(backend)


def with_added(backend: Tokenizer) -> Tokenizer:
    """Add words, one of which swallows the space before it, and a special token."""
    backend.add_tokens([*ADDED, AddedToken("hélas", lstrip=True)])
    backend.add_special_tokens([SPECIAL])
    return backend


TOKENIZERS = {
    "byte-level": lambda: (byte_level(), "PreTrainedTokenizerFast"),
    "byte-level with a space in front": lambda: (byte_level(add_prefix_space=True), "PreTrainedTokenizerFast"),
    "byte-level under LLaMA's name": lambda: (byte_level(split=True), "LlamaTokenizerFast"),
    **{
        f"{rule}, {unknown}": functools.partial(
            lambda legacy, fallback: (sentencepiece(legacy=legacy, byte_fallback=fallback), "PreTrainedTokenizerFast"),
            rule == "prepend",
            unknown == "bytes",
        )
        for rule in ("metaspace", "prepend")
        for unknown in ("bytes", "unknown")
    },
    "lower case": lambda: (sentencepiece(legacy=False, byte_fallback=True, lower=True), "PreTrainedTokenizerFast"),
    "NFKC": lambda: (sentencepiece(legacy=True, byte_fallback=True, nfkc=True), "PreTrainedTokenizerFast"),
}
"""Backends and the class that tokenizer_config.json names, by what is special about them."""


@functools.cache
def load(name: str) -> Any:
    """Write the checkpoint with one of `TOKENIZERS` and load it as users do."""
    backend, named = TOKENIZERS[name]()
    with tempfile.TemporaryDirectory() as folder:
        tiny_llama(backend.get_vocab_size(), context=CONTEXT).save_pretrained(folder)
        backend.save(str(Path(folder) / "tokenizer.json"))
        config: dict[str, str] = {"tokenizer_class": named, "bos_token": "<s>", "eos_token": "</s>"}
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps({**config, "mask_token": "<mask>"}))
        return models.load(folder)
