"""The word classes that ship with a checkpoint, and how they are made."""

from __future__ import annotations

import json
import re

import pytest

import models
from models.adapt.classes import classified, make, textblob
from models.checkpoints.classes import NAME, read_classes, write_classes
from models.checkpoints.convert import quantize
from models.checkpoints.tokenizer import TextTokenizer, read_tokenizer
from models.classes import CLASSES
from tests.models.checkpoints.test_formats import write

VOCABULARY = {"a": 0, "b": 1, "Ġa": 2, "c": 3}
NAMES = [each.name for each in CLASSES]
WORDS = {"the": "DT", "cat": "NN", "sat": "VBD", ".": ".", "Tom": "NNP-PERS", "two": "CD", "quickly": "RB", "oh": "UH"}


def tag(text: str) -> list[tuple[str, str]]:
    return [(word, WORDS.get(word, "NN")) for word in re.findall(r"\w+|\S", text)]


def test_tokens_that_the_file_lacks_are_of_the_last_class(tmp_path):
    write_classes(tmp_path / NAME, {"noun": ["a", "Ġa"], "verb": ["b"]})
    found = read_classes(tmp_path, VOCABULARY)
    assert found is not None
    assert [found.classes[place].name for place in found.of] == ["noun", "verb", "noun", "other"]


def test_a_folder_without_classes_has_none(tmp_path):
    assert read_classes(tmp_path, VOCABULARY) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"noun": ["d"]}', "another tokenizer, which knows 'd'"),
        ('{"noun": ["a"', "cannot be read"),
        ("[1, 2]", "cannot be read"),
        ('{"nown": ["a"]}', "'nown' is not a class"),
        ('{"noun": "a"}', "'noun' is not a class with a list"),
        ('{"noun": [["a"]]}', "cannot be read"),
    ],
)
def test_classes_that_make_no_sense_are_refused_with_the_way_out(tmp_path, content, said):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ValueError, match=f"{said}.*make it again, or delete it"):
        read_classes(tmp_path, VOCABULARY)


def test_each_token_has_the_class_of_the_word_that_it_lies_in():
    tokenizer = read_tokenizer(models.BUNDLED)
    reader = TextTokenizer(tokenizer)
    text = "Tom the unfathomable cat sat “quickly”.\n oh two"
    found = [
        (reader.token_bytes(token).decode(errors="replace"), name) for token, name in classified(text, reader, tag)
    ]
    assert "".join(piece for piece, _ in found[:2]).strip() == "Tom the"
    by_piece = dict(found)
    assert (by_piece[" the"], by_piece[" cat"], by_piece[" sat"]) == ("determiner", "noun", "verb")
    word = [name for piece, name in found[2 : [piece for piece, _ in found].index(" cat")]]
    assert len(word) > 1, "a word of several tokens"
    assert set(word) == {"noun"}
    assert (by_piece[" two"], by_piece["."]) == ("number", "punctuation")
    assert [name for piece, name in found if piece.startswith("Tom")] == ["name"]
    assert {name for piece, name in found if not piece.strip()} == {"other"}


def test_the_class_that_a_token_has_most_often_is_its_class(tmp_path):
    folder, text = write(tmp_path / "model"), tmp_path / "text.txt"
    text.write_text("the cat sat\n<|endoftext|>\nthe cat\n<|endoftext|>\nthe cat\n", encoding="utf-8")
    tags = iter(["NN", "VB", "VB"])  # of the cat in each record

    def tagger(text: str) -> list[tuple[str, str]]:
        cat = next(tags)
        return [(word, cat if word == "cat" else WORDS[word]) for word in text.split()]

    made = make(text, folder, tagger)
    reader = TextTokenizer(read_tokenizer(folder))
    cat = [reader.encode("the cat")[len(reader.encode("the")) :], reader.encode("the cat sat")]
    assert made.tokens == sum(len(reader.encode(each)) for each in ("the cat sat", "the cat", "the cat"))
    assert made.agreeing < 1.0
    write_classes(folder / NAME, made.pieces)
    classes = models.load(str(folder)).tokenizer.classes
    assert classes is not None
    assert NAMES[classes.of[cat[0][-1]]] in ("verb", "other")


def test_the_tagger_knows_a_sentence():
    tagger = textblob()
    assert list(tagger("The dog ran home."))[:3] == [("The", "DT"), ("dog", "NN"), ("ran", "VBD")]


def test_the_bundled_model_has_classes_of_its_commonest_words():
    tokenizer = models.load("bundled").tokenizer
    assert tokenizer.classes is not None
    assert len(tokenizer.classes.of) == tokenizer.size == 4096
    expected = {" dog": "noun", " Lily": "name", " ran": "verb", " happy": "adjective", " very": "adverb"}
    expected |= {" she": "pronoun", " the": "determiner", " with": "preposition", " and": "conjunction"}
    for word, name in (expected | {" two": "number", ".": "punctuation"}).items():
        (token,) = tokenizer.encode(word)
        assert tokenizer.classes.classes[tokenizer.classes.of[token]].name == name, word


def test_classes_go_along_when_a_checkpoint_is_quantised(tmp_path):
    folder = write(tmp_path / "model")
    (folder / NAME).write_text(json.dumps({"noun": []}))
    quantize(str(folder), tmp_path / "small", "int8")
    assert (tmp_path / "small" / NAME).read_text() == (folder / NAME).read_text()


def test_an_empty_text_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ValueError, match="there is no text"):
        make(tmp_path / "empty.txt", models.BUNDLED, tag)
