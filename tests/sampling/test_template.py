"""How a text with gaps is read, and what is said about one that is none."""

from __future__ import annotations

import pytest

from app.errors import InfillError
from app.sampling.request import InfillRequest
from app.sampling.template import MAX_GAPS, MAX_LENGTH, Gap, Pin, read, with_lengths


@pytest.mark.parametrize(
    ("text", "given", "gaps"),
    [
        ("a [[3]] b [[auto]] c", ("a ", " b ", " c"), (Gap(3), Gap(None))),
        ("[[1]]", ("", ""), (Gap(1),)),
        ("[[ 2 ]][[ auto ]]", ("", "", ""), (Gap(2), Gap(None))),
        ("a ]] b [[2]] ]", ("a ]] b ", " ]"), (Gap(2),)),
        (r"a \[[3]] b [[2]]", ("a [[3]] b ", ""), (Gap(2),)),
        (r"a \\[[2]]", ("a \\", ""), (Gap(2),)),
        (r"\\\[[x]] \ [[2]]", (r"\[[x]] \ ", ""), (Gap(2),)),
        ("x = [[[2]]]", ("x = [", "]"), (Gap(2),)),
        ("[[[[2]], [[1]]]]", ("[[", ", ", "]]"), (Gap(2), Gap(1))),
        (r"\[[[2]] [[1]]", ("[[[2]] ", ""), (Gap(1),)),
        ("[[8|3:dog]]", ("", ""), (Gap(8, (Pin(3, "dog"),)),)),
        ("[[8|1:One, 5:big red]]", ("", ""), (Gap(8, (Pin(1, "One"), Pin(5, "big red"))),)),
        ("[[9|1:One, two, 5:at 9:30]]", ("", ""), (Gap(9, (Pin(1, "One, two"), Pin(5, "at 9:30"))),)),
        ("[[auto | 2 : x]]", ("", ""), (Gap(None, (Pin(2, " x"),)),)),
    ],
)
def test_a_text_is_cut_at_its_gaps(text, given, gaps):
    template = read(text)
    assert template.given == given
    assert template.gaps == gaps


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no gap", "the text has no gap: write [[3]]"),
        (r"\[[3]]", "the text has no gap"),
        ("a [[3", "the gap that opens at character 3 is not closed"),
        ("[[1]] [[", "the gap that opens at character 7 is not closed"),
        ("a [[x]] b", "gap 1, '[[x]]' at character 3: write a number of masks"),
        ("[[1]] [[]]", "gap 2, '[[]]' at character 7"),
        ("[[²]]", "write a number of masks"),
        ("[[-1]]", "write a number of masks"),
        ("[[0]]", f"a gap must have 1 to {MAX_LENGTH} masks, not 0"),
        (f"[[{MAX_LENGTH + 1}]]", f"not {MAX_LENGTH + 1}"),
        ("[[4|]]", "write positions with words after the |"),
        ("[[4|dog]]", "not 'dog'"),
        ("[[4|2:]]", "not '2:'"),
        ("[[4|0:dog]]", "'0:dog' does not fit, because its positions are 1 to 4"),
        ("[[4|5:dog]]", "'5:dog' does not fit, because its positions are 1 to 4; move it, or make the gap longer"),
        ("[[4|2:dog, 2:cat]]", "'2:cat' does not fit, because another word is pinned to position 2"),
        ("[[1]]" * (MAX_GAPS + 1), f"at most {MAX_GAPS} are allowed"),
    ],
)
def test_a_broken_text_is_refused_with_the_place_and_the_fix(text, words):
    with pytest.raises(InfillError) as caught:
        read(text)
    assert words in str(caught.value)


def test_lengths_are_settled_without_touching_anything_else():
    text = r"a \[[1]] [[auto|2:x, y]] b [[7]]"
    assert with_lengths(text, [4, 5]) == r"a \[[1]] [[4|2:x, y]] b [[5]]"
    request = InfillRequest(text=text)
    assert request.length is None
    settled = request.with_lengths([4, 5])
    assert settled.length == 9
    assert [gap.length for gap in settled.gaps] == [4, 5]
    assert InfillRequest(prefix="a", length="auto").with_lengths([3]) == InfillRequest(prefix="a", length=3)


def test_the_parts_follow_the_rules_of_prefix_and_suffix():
    request = InfillRequest(text="Tom  [[1]]saw  [[2]] [[3]]x[[1]]")
    assert request.parts == ("Tom", " saw", "", " x", "")
    assert request.spaces == ("  ", "  ", " ", "")
    assert request.length == 7
    assert InfillRequest(text="un[[1]]able [[2]]s", space=False).parts == ("un", "able", "s")
    two = InfillRequest(prefix="a  ", suffix="b", length=3)
    assert (two.parts, two.spaces, two.length) == (("a", " b"), ("  ",), 3)
    same = InfillRequest(text="a  [[3]]b")
    assert (same.parts, same.spaces, same.gaps) == (two.parts, two.spaces, two.gaps)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"text": "a [[1]]", "prefix": "b"}, "give either a text with gaps or a prefix and a suffix"),
        ({"text": "a [[100]] [[29]]"}, "129 masks in all; at most 128 are allowed"),
        ({"text": "[[128]] [[auto]]"}, "too many masks in all"),
        ({"text": 3}, "text must be text"),
        ({"text": "a\x07 [[1]]"}, "U+0007"),
        ({"text": "[[4|2:the dog]]", "banned": "Dog"}, "'2:the dog' cannot be written, because 'dog' is banned"),
        ({"text": "[[4|2:a\nb]]", "one_line": True}, "it has a line break"),
        ({"text": "[[4]] b", "guidance": 1, "guided_by": "prefix"}, "no prefix to be guided by"),
        ({"banned": ["two words"]}, "single words, not 'two words'"),
        ({"banned": [""]}, "single words"),
        ({"banned": 3}, "banned must be words"),
        ({"banned": None}, "banned must be words"),
        ({"banned": ["a"] * 65}, "65 words; give 64 or fewer"),
        ({"one_line": 1}, "one_line must be true or false"),
    ],
)
def test_what_contradicts_itself_is_refused(asked, words):
    with pytest.raises(InfillError) as caught:
        InfillRequest(**asked)
    assert words in str(caught.value)


def test_banned_words_may_be_typed_with_commas_and_spaces():
    assert InfillRequest(banned="dog, cat  Tom,,dog").banned == ("dog", "cat", "Tom")
    assert InfillRequest(banned=["dog"]) == InfillRequest(banned=("dog",))


def test_a_pinned_word_may_contain_a_banned_one_as_a_part():
    assert InfillRequest(text="[[4|2:dogma]]", banned="dog").length == 4
