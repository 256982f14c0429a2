"""Filling as a tool for assistants, over the Model Context Protocol."""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import InfillError
from app.ui import launch
from app.ui.page import build, launch_options
from app.ui.pool import ModelPool
from models.serve.lazy import LazyDenoiser
from tests.beside import beside
from tests.ui.conftest import ScriptedDenoiser

pytest.importorskip("mcp", reason="mcp is a development requirement")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    page = build(ModelPool(LazyDenoiser(ScriptedDenoiser), name="scripted"))
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, mcp_server=True, **launch_options())
    yield address.rstrip("/")
    page.close(verbose=False)


def asked(address: str, *calls: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The names of the tools, and what `infill_text` answers."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def ask() -> tuple[list[str], list[Any]]:
        async with (
            streamablehttp_client(f"{address}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            return tools, [await session.call_tool("infill_text", call) for call in calls]

    return beside(lambda: asyncio.run(ask()))


def test_there_is_one_tool_and_it_fills(address: str) -> None:
    tools, (answer,) = asked(address, {"prefix": "Once", "suffix": "the end.", "length": 4, "steps": 4})
    assert tools == ["infill_text"]
    state = ast.literal_eval(answer.content[0].text)
    assert (state["text"], state["ended"], state["nfe"]) == ("Once abc the end.", "complete", 4)


def test_a_mistake_is_told_to_the_assistant_with_its_fix(address: str) -> None:
    _, answers = asked(address, {"length": 999}, {"text": "a [[x]]"}, {"strategy": "entrpy"})
    told = [answer.content[0].text for answer in answers]
    assert all(answer.isError for answer in answers)
    assert "from 1 to 128" in told[0]
    assert "'[[x]]' at character 3" in told[1]
    assert "did you mean 'entropy'" in told[2]


def test_the_client_in_the_documents_runs(address: str, capsys) -> None:
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- MCP: a test runs this -->\n```python\n(.*?)```", text, re.DOTALL)
    assert '"http://127.0.0.1:7860"' in code
    beside(lambda: exec(code.replace('"http://127.0.0.1:7860"', repr(address)), {}))
    tool, answer = capsys.readouterr().out.splitlines()
    assert tool == "infill_text"
    assert "The little dog was abcdefg so he ran home." in answer


def test_without_its_package_the_flag_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    parser = argparse.ArgumentParser()
    launch.add_flags(parser)
    with pytest.raises(InfillError, match=r"pip install 'mcp>=1\.21,<2'"):
        launch.serve(parser.parse_args(["--mcp"]))
