"""The page to print for a class."""

from __future__ import annotations

import re

import pytest

from app.__main__ import main
from app.lessons.handout import handout, questions
from app.lessons.lesson import read_lessons

LESSONS = read_lessons()


def test_the_handout_has_every_lesson_and_hides_the_answers():
    page = handout(LESSONS)
    assert page.count("<section>") == len(LESSONS)
    assert "class='right'" not in page
    assert not re.search(r"\{\w+\}", page.split("</style>")[1])
    marked = handout(LESSONS, answers=True)
    assert marked.count("class='right'") == marked.count("<ol>") >= 9


def test_sentences_are_translated_and_escaped():
    page = handout(LESSONS[:1], translate=lambda text: f"<{text}>", language="zh")
    assert 'lang="zh"' in page
    assert f"&lt;{LESSONS[0].title}&gt;" in page


@pytest.mark.browser
@pytest.mark.parametrize("code", ["en", "zh"])
def test_it_prints_on_one_page(browser, tmp_path, code):
    file = tmp_path / "handout.html"
    assert main(["lessons", "--handout", str(file), "--answers", "--language", code]) == 0
    page = browser.new_page()
    page.goto(file.as_uri())
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    page.close()
    assert len(re.findall(rb"/Type\s*/Page[^s]", printed)) == 1


def test_the_questions_come_with_their_answers():
    text = questions(LESSONS)
    assert "“.” at position 10" in text  # the first lesson's first question
    assert text.count("- **") == sum("ask" in step for lesson in LESSONS for step in lesson.steps)


def test_answers_without_a_handout_are_refused():
    assert main(["lessons", "--answers"]) == 2
    assert main(["lessons", "--handout", "x.html", "--language", "xx"]) == 2
