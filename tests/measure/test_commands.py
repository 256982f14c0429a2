"""The tree of commands: help, version, mistakes, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app import __main__ as command_line
from app.__main__ import main, version

COMMANDS = [
    ["page"],
    ["infill"],
    ["strategies"],
    ["replay"],
    ["bench"],
    ["calibrate"],
    ["length"],
    ["length", "fit"],
    ["length", "measure"],
    ["evaluate"],
    ["evaluate-quantized"],
    ["quantize"],
    ["frequencies"],
    ["classes"],
    ["analyse"],
    ["examples"],
    ["space"],
    ["space", "check"],
    ["space", "render"],
    ["space", "diff"],
    ["space", "push"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m app {' '.join(command)}")


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")}
    assert {command[0] for command in COMMANDS} <= listed


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_flag_is_one_line_and_exit_code_2(command, capsys):
    assert main([*command, "--bogus"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert printed.err.startswith("error: ")


def test_a_page_of_a_model_that_does_not_exist_is_refused(capsys):
    assert main(["page", "--model", "nowhere"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "no model 'nowhere'" in printed.err


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == version() + "\n"


def test_the_version_is_that_of_the_installed_package_or_else_of_the_checkout(monkeypatch):
    monkeypatch.setattr(command_line.metadata, "version", lambda name: f"version of {name}")
    assert version() == "version of infilling-playground"

    def missing(name):
        raise command_line.metadata.PackageNotFoundError

    monkeypatch.setattr(command_line.metadata, "version", missing)
    monkeypatch.setattr(command_line.tomllib, "loads", lambda text: {"project": {"version": "1.2.3"}})
    assert version() == "1.2.3"


def test_the_console_script_names_itself_in_its_usage(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/infilling"])
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    assert capsys.readouterr().out.startswith("usage: infilling bench")


def test_importing_the_commands_loads_neither_torch_nor_transformers_nor_gradio():
    code = "import app.__main__, sys; print(sorted({'torch', 'transformers', 'gradio', 'plotly'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
