"""What is typed stands in the result to the letter, whatever the tokenizer makes of it; so do pinned words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from app.errors import InfillError
from app.export.gif_layout import items_of
from app.infill import infill
from app.sampling import template
from app.sampling.constraints import forbidden_tokens
from app.sampling.request import InfillRequest
from app.sampling.scripts import takes_space, whole_word
from app.trace import recording
from app.trace.messages import build_closing, build_replay
from app.trace.trace import Trace
from app.watching import one_line, state_line
from models.toy import toy
from tests.models.checkpoints import small_tokenizers
from tests.models.checkpoints.small_tokenizers import ADDED, SPECIAL, TOKENIZERS

every_model = pytest.mark.parametrize("name", ["toy", "bundled", *TOKENIZERS])
few = settings(
    derandomize=True, deadline=None, max_examples=12, database=None, suppress_health_check=[HealthCheck.too_slow]
)

_SIGNS = st.one_of(
    st.sampled_from("   ,.[]\\▁\n\té☃你好ไทยAÅﬁ①e\u0301\u00a0\u200d\u3000\ufeff\ufffd🙂"),
    st.characters(exclude_categories=("Cs", "Cc")),
)
_WORDS = st.sampled_from(
    [
        "the cat",
        "Dog",
        "hélas",
        *ADDED,
        SPECIAL,
        "<s>",
        "<unk>",
        "<0x41>",
        "[[",
        "\\[[",
        "x = [",
        "你好",
        "  ",
        "\n    ",
    ]
)
_TYPED = st.lists(st.one_of(_SIGNS, _WORDS), max_size=6).map("".join)
_PINNED = st.lists(st.one_of(_SIGNS, _WORDS), min_size=1, max_size=3).map("".join)


def load(name: str) -> Any:
    """Load a model; those of `TOKENIZERS` have random weights."""
    return small_tokenizers.load(name) if name in TOKENIZERS else models.load(name)


def run(denoiser: Any, **fields: Any) -> Trace:
    *_, trace = infill(InfillRequest(**{"steps": 1, **fields}), denoiser)
    return trace


def attempt(denoiser: Any, **fields: Any) -> tuple[Trace | None, str]:
    """Return the trace, or None and the reason why the request was refused."""
    try:
        return run(denoiser, **fields), ""
    except InfillError as error:
        return None, str(error)


def escape(part: str) -> str:
    """Write given text so that a template has it before a gap."""
    part = re.sub(r"(\\*)\[\[", lambda found: found[1] * 2 + "\\[[", part)
    return re.sub(r"\\+$", lambda found: found[0] * 2, part)


def joined(parts: list[str], fills: list[str], *, space: bool) -> str:
    """Return typed parts and fills, where a fill's first space may be the last one typed before it."""
    text = parts[0]
    for before, fill, part in zip(parts[:-1], fills, parts[1:], strict=True):
        shared = before.endswith(" ") and fill.startswith(" ")
        text += fill[1:] if shared else fill
        text += " " if space and takes_space(part) else ""
        text += part
    return text


def read_fills(trace: Trace, denoiser: Any) -> list[str]:
    """Return what the tokens in the gaps read."""
    canvas, name = trace.canvas, denoiser.tokenizer.token_bytes
    return [b"".join(name(int(canvas.ids[place])) for place in gap).decode("utf-8", "replace") for gap in canvas.gaps]


def read_message(trace: Trace) -> str:
    """Return the text that the page puts together from the closing message."""
    message = build_closing(trace, "run")
    pieces: dict[str, str] = {}
    for state in message["states"]:
        pieces |= state["changes"]
    opening, text, at = message["opening"], "", 0
    for number, length in enumerate(opening["gaps"]):
        own = [pieces[str(place)] for place in range(at, at + length)]
        spaces = opening["spaces"][number]
        text += opening["given"][number] + (spaces[1:] if own[0].startswith(" ") else spaces) + "".join(own)
        at += length
    return text + opening["given"][-1]


@every_model
def test_what_is_typed_around_gaps_stands_in_the_result(name):
    denoiser = load(name)

    @few
    @given(st.lists(_TYPED, min_size=2, max_size=3), st.integers(1, 3), st.booleans())
    def holds(parts: list[str], length: int, space: bool) -> None:
        text = f"[[{length}]]".join([*map(escape, parts[:-1]), re.sub(r"(\\*)\[\[", r"\1\1\\[[", parts[-1])])
        assert template.read(text).given == tuple(parts)
        trace = run(denoiser, text=text, space=space)
        expected = joined(parts, read_fills(trace, denoiser), space=space)
        assert trace.text == expected
        assert read_message(trace) == expected
        assert recording.load(recording.dump(trace)).text == expected

    holds()


@every_model
def test_a_pin_reads_as_typed_or_is_refused_by_name(name):
    denoiser = load(name)

    @few
    @given(_TYPED, _PINNED, st.sampled_from([1, 2]), st.booleans())
    def holds(before: str, words: str, place: int, space: bool) -> None:
        inside = f"60|{place}:{words}"
        if not words.strip() or "]]" in inside + "]" or re.search(r",\s*[0-9]+\s*:", words):
            return  # not one pin
        text = f"{escape(before)}[[{inside}]] end"
        trace, refusal = attempt(denoiser, text=text, space=space)
        if trace is None:
            assert f"'{place}:{words.strip()}' in gap 1 cannot be written as typed" in refusal
            swallowed = "hélas" in words  # with the space before it
            assert swallowed or not name.startswith("byte-level"), "its bytes spell everything"
            return
        gap, wanted = trace.start.gaps[0], words.strip(" ") if space else words
        names = (denoiser.tokenizer.token_bytes(int(trace.canvas.ids[at])) for at in gap[place - 1 :])
        read = b"".join(names)
        assert read.startswith(wanted.encode()) or (space and read.startswith(b" " + wanted.encode()))
        assert wanted in trace.text

    holds()


@pytest.mark.parametrize(
    ("name", "pin", "read"),
    [
        ("metaspace, unknown", "☃", "�"),
        ("prepend, unknown", "a☃", "a�"),
        ("lower case", "Dog", "dog"),
        ("NFKC", "ﬁn", "fin"),
        ("metaspace, bytes", "a▁b", "a b"),
        ("toy", "Cat", "aat"),
        ("byte-level", "hélas", "hélas"),
    ],
)
def test_a_pin_that_the_tokenizer_would_change_is_refused(name, pin, read):
    typed = f" {pin}" if read == pin else pin  # only the space is lost
    said = f"'2:{pin}' in gap 1 cannot be written as typed: '.*' reads '{typed}' as '{read}'; pin other words"
    with pytest.raises(InfillError, match=said):
        run(load(name), text=f"The [[4|2:{pin}]] dog")


@every_model
def test_a_pin_inside_a_word_gets_no_hidden_space(name):
    trace = run(load(name), text="un[[12|1:believ]]able", space=False)
    assert trace.text.startswith("unbeliev")
    trace = run(load(name), text="[[12|1:believ]]able", space=False)
    assert trace.text.startswith("believ")


@every_model
def test_given_text_is_whole_where_the_model_reads_only_a_part_of_it(name):
    denoiser = load(name)
    prefix, suffix = "Ça, 你好! " * 150, ".\n  Ω" * 150
    trace = run(denoiser, prefix=prefix, suffix=suffix, length=2)
    assert any("left out" in notice for notice in trace.notices)
    assert len(trace.start) == denoiser.context
    assert trace.text == joined([prefix, suffix], read_fills(trace, denoiser), space=True)
    assert read_message(trace) == trace.text


def test_exports_show_given_text_as_typed():
    trace = run(load("toy"), text="Übung ☃ macht[[2]] den Meister!")
    items = items_of(trace, measure=len, show=str, widest=500.0)
    assert [item.text for item in items if item.text] == ["Übung", "☃", "macht", "den", "Meister!"]
    assert build_replay(trace, "run")["opening"]["given"] == ["Übung ☃ macht", " den Meister!"]
    assert state_line(trace, 1).endswith(one_line(trace.text))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_special_tokens_of_whatever_file_are_never_written(name):
    tokenizer = load(name).tokenizer
    for word in (SPECIAL, "<s>", "<unk>"):
        ids = [token for token in range(tokenizer.size) if tokenizer.token_bytes(token) == word.encode()]
        assert set(ids) <= set(forbidden_tokens(InfillRequest(), tokenizer))
        assert len(ids) == (word != "<unk>" or not name.startswith("byte-level"))


UNSPACED = ["你好", "日本", "がある", "カナ", "ไทย", "ລາວ", "ខ្មែរ", "မြန်မာ", "བོད", "3個", "２個", "𠀋"]
SPACED = ["word", "3 cats", "한국", "हिन्दी", "ёж", "שלום", "قط", "3"]


def test_a_space_follows_a_gap_only_in_scripts_that_have_spaces():
    for suffix in UNSPACED:
        assert run(load("toy"), prefix="a", suffix=suffix, length=1).text.endswith(suffix)
        assert InfillRequest(prefix="a", suffix=suffix).parts[1] == suffix
    for suffix in SPACED:
        assert InfillRequest(prefix="a", suffix=suffix).parts[1] == " " + suffix
        assert InfillRequest(prefix="a", suffix=suffix, space=False).parts[1] == suffix


CHINESE = toy("你好吗a。 ")


def test_pinned_words_get_a_space_only_in_scripts_that_have_spaces():
    assert run(CHINESE, text="你[[4|2:好]]。").pieces(1)[1] == "好"
    assert run(CHINESE, text="你[[4|1:a]]。").pieces(1)[0] == "a"
    assert run(CHINESE, text="你[[4|2:a]]。").pieces(1)[1:3] == [" ", "a"]
    assert run(CHINESE, text="a[[4|1:a]]。").pieces(1)[:2] == [" ", "a"]


@pytest.mark.parametrize(
    ("word", "found", "not_found"),
    [
        ("你好", ["你好", "我说你好吗", "a你好b", "你好。"], ["你 好", "你"]),
        ("ไทย", ["คนไทยมา"], ["ไท"]),
        ("ﾃﾚﾋﾞ", ["私のﾃﾚﾋﾞは"], ["ﾃﾚ"]),
        ("cat", ["cat", "Cat!", "a cat.", "一只cat猫"], ["cats", "concat", "cat_", "cat3"]),
        ("한국", ["한국 사람"], ["한국은"]),
        ("A型", ["血液はA型です"], ["BA型"]),
    ],
)
def test_a_whole_word_is_one_by_the_rules_of_its_script(word, found, not_found):
    ban = InfillRequest(banned=[word]).ban
    assert ban is not None
    assert [text for text in found if not ban.search(text)] == []
    assert [text for text in not_found if ban.search(text)] == []
    assert whole_word("[") != "["


def test_a_banned_word_is_kept_out_in_a_script_without_spaces():
    fields: dict[str, Any] = {"prefix": "吗你", "suffix": "好吗", "length": 4, "steps": 2, "temperature": 1.0}
    free = [run(CHINESE, **fields, seed=seed).text for seed in range(12)]
    assert any("你好" in text for text in free)
    kept = [run(CHINESE, **fields, seed=seed, banned=["你好"]).text for seed in range(12)]
    assert not any("你好" in text for text in kept)


def test_a_ban_sees_typed_letters_that_the_tokenizer_does_not_know():
    """To the toy, é is its first letter; the word of both must still be seen."""
    fields: dict[str, Any] = {"prefix": "x é", "suffix": ".", "length": 1, "steps": 1}
    word = run(load("toy"), **fields).text[2:-1]
    assert word[0] == "é"
    assert run(load("toy"), **fields, banned=[word]).text[2:-1] != word
