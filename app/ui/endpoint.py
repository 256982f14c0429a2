"""The same job for programs: a named endpoint that streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from app.errors import InfillError
from app.sampling.request import InfillRequest
from app.trace.length_choice import to_json
from app.ui.runner import Run
from app.ui.shelf import FIRST


def endpoint(run: Run) -> Callable[..., Iterator[dict[str, Any]]]:
    """What `/infill` does; its runs are not kept on the server."""

    def infill_text(
        prefix: str = "",
        suffix: str = "",
        length: int | str = 16,
        steps: int = 16,
        strategy: str = InfillRequest.strategy,
        knobs: dict[str, Any] | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        guidance: float = 0.0,
        guided_by: str = "suffix",
        space: bool = True,
        model: str = FIRST,
        text: str = "",
        banned: list[str] | None = None,
        one_line: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Fill the gap between prefix and suffix, or those of a text; yields the first state and that after each step.

        While a run waits for others, or a length that is "auto" is chosen, there are states before, not settled yet.

        Args:
            prefix: the text before the gap; may be empty.
            suffix: the text after the gap; may be empty.
            length: number of masked tokens, or "auto".
            steps: the step budget.
            strategy: name of a decoding strategy.
            knobs: the strategy's own settings.
            temperature: 0 takes the most probable token.
            top_p: nucleus mass.
            seed: the same seed gives the same run.
            guidance: how much more one side counts than the model believes by itself; 0 is off.
            guided_by: which side: suffix or prefix.
            space: put a space before a suffix that starts with a letter or digit.
            model: one of those that the page offers; empty for the one that it starts with.
            text: instead of prefix, suffix and length a text with gaps: "Tom went to the [[3]] and saw a [[2]] dog."
            banned: words never to write.
            one_line: never write a line break.
        """
        try:
            request = InfillRequest(
                prefix=prefix,
                suffix=suffix,
                length=length,  # pyright: ignore[reportArgumentType]
                steps=steps,
                strategy=strategy,
                knobs=knobs or {},
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                guidance=guidance,
                guided_by=guided_by,
                space=space,
                text=text,
                banned=banned or (),
                one_line=one_line,
            )
            for trace in run(request, model):
                yield {
                    "step": len(trace.steps),
                    "nfe": trace.nfe,
                    "calls": trace.calls,
                    "masks_left": int(trace.canvas.masked.sum()),
                    "seconds": trace.seconds,
                    "pieces": trace.pieces(len(trace.steps)),
                    "fill": trace.fill,
                    "fills": list(trace.fills),
                    "text": trace.text,
                    "notices": list(trace.notices),
                    "choices": {str(gap): to_json(choice) for gap, choice in trace.choices.items()},
                    "settled": trace.begun,
                    "ended": trace.ended,
                }
        except InfillError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return infill_text
