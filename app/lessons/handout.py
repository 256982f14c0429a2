"""A page to print for a class: what the lessons teach, and their questions; with the answers for the lecturer."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.lessons.facts import places_of
from app.lessons.lesson import HOLE, Lesson

_STYLE = """
@page { size: A4; margin: 9mm; }
body { font: 7.9pt/1.28 "IBM Plex Sans", system-ui, "Noto Sans SC", sans-serif; color: #111; margin: 0; }
h1 { font-size: 14pt; margin: 0 0 1mm; } p { margin: 0; } .lead { margin-bottom: 2.5mm; }
main { columns: 2; column-gap: 7mm; }
section { break-inside: avoid; margin-bottom: 2.4mm; }
h2 { font-size: 9pt; margin: 0; border-bottom: 0.3mm solid #4338ca; }
.learnt { font-weight: 600; margin: 0.5mm 0; }
ol { margin: 0.5mm 0 0; padding-left: 4.5mm; list-style: lower-alpha; }
.right { font-weight: 700; } .right::after { content: " ✓"; }
footer { margin-top: 2mm; font-size: 7.6pt; }
@media screen { body { max-width: 190mm; margin: 8mm auto; padding: 0 4mm; } }
"""


def as_is(text: str) -> str:
    """Return the English text."""
    return text


def handout(
    lessons: Sequence[Lesson], *, answers: bool = False, translate: Callable[[str], str] = as_is, language: str = "en"
) -> str:
    """Return one HTML page of A4: each lesson with its time, what it teaches, and a question to answer by choice.

    `answers` marks the right ones. It loads nothing, so it prints offline. Raises InfillError if a lesson's runs or
    tables cannot be read.
    """
    shown = [lesson.to_json() for lesson in lessons]
    head = html.escape(translate("How a diffusion language model writes"))
    lead = html.escape(
        translate("Open the page, press Lessons, and make your predictions before it shows the answers. On this sheet:")
        + " "
        + translate("what each lesson teaches, and one question of each.")
    )
    sections = "\n".join(_section(lesson, answers=answers, translate=translate) for lesson in shown)
    foot = html.escape(translate("Name, and predictions that were right:")) + " ______________________ ____ / ____"
    return (
        f'<!doctype html>\n<html lang="{html.escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{head}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{head}</h1>\n<p class='lead'>{lead}</p>\n<main>\n{sections}\n"
        f"</main>\n<footer>{foot}</footer>\n</body>\n</html>\n"
    )


def _section(lesson: Mapping[str, Any], *, answers: bool, translate: Callable[[str], str]) -> str:
    minutes = translate("{minutes} minutes").replace("{minutes}", str(lesson["minutes"]))
    title = html.escape(translate(lesson["title"]))
    lines = [
        f"<h2>{lesson['number']} · {title} <small>({html.escape(minutes)})</small></h2>",
        f"<p class='learnt'>{html.escape(translate(lesson['learnt']))}</p>",
    ]
    asking = [step for step in lesson["steps"] if step.get("ask", {}).get("kind") == "choice"]
    asking.sort(key=lambda step: "show" in step)  # prefer a question that needs no screen
    if asking:
        ask = asking[0]["ask"]
        before = [_plain(translate(text), lesson["facts"]) for text in asking[0].get("text", ())[-1:]]
        lines.append(
            f"<p>{' '.join([*before, '<b>' + _plain(translate(ask['question']), lesson['facts']) + '</b>'])}</p><ol>"
        )
        for number, option in enumerate(ask["options"]):
            right = " class='right'" if answers and number == ask["answer"] else ""
            lines.append(f"<li{right}>{_plain(translate(option), lesson['facts'])}</li>")
        lines.append("</ol>")
    return f"<section>{''.join(lines)}</section>"


def _plain(text: str, facts: Mapping[str, str]) -> str:
    """Return a text of a lesson without its marks, escaped."""
    return html.escape(re.sub(r"[*`]", "", _filled(text, facts)))


def _filled(text: str, facts: Mapping[str, str]) -> str:
    return HOLE.sub(lambda hole: facts.get(hole[1], hole[0]), text)


def questions(lessons: Sequence[Lesson]) -> str:
    """Return the questions of all lessons with their answers, in Markdown, for docs/teaching.md."""
    lines = []
    for lesson in lessons:
        shown = lesson.to_json()
        lines.append(f"### {lesson.number}. {lesson.title}\n")
        for number, step in enumerate(shown["steps"], start=1):
            if "ask" not in step:
                continue
            ask, facts = step["ask"], shown["facts"]
            asked = _filled(ask["question"], facts)
            lines.append(f"- **{asked}** (`?lesson={lesson.number}.{number}`) {_answered(lesson, ask, facts)}")
        lines.append("")
    return "\n".join(lines)


def _answered(lesson: Lesson, ask: Mapping[str, Any], facts: Mapping[str, str]) -> str:
    if ask["kind"] == "choice":
        return _filled(ask["options"][ask["answer"]], facts)
    if ask["kind"] == "number":
        return f"{ask['answer']}; {ask.get('within', 0)} off still counts."
    if "run" not in ask:
        return "Depends on the reader's text; the run itself answers."
    trace = lesson.traces[ask["run"]]
    words = trace.pieces(len(trace.steps))
    found = places_of(trace, ask["answer"])
    return ", ".join(f"“{(words[place] or '').strip()}” at position {place + 1}" for place in found) + "."
