"""`space check` reports every mistake with its place and the correct form."""

from __future__ import annotations

import pytest


def mistakes_of(outcome: tuple[int, str, str]) -> list[str]:
    """Return the lines that a failed check printed."""
    code, out, err = outcome
    assert code == 2
    lines = out.splitlines()
    assert err == f"error: {len(lines)} {'mistakes' if len(lines) > 1 else 'mistake'} to fix\n"
    return lines


def test_a_correct_folder_has_no_mistakes(space):
    code, out, err = space("check")
    assert (code, err) == (0, "")
    assert "agree" in out


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("spase", {}, "Spacefile: unknown key 'spase'; did you mean 'space'?"),
        ("v", 2, "v must be 1"),
        ("space", [], "space must be a mapping"),
        ("models", {}, "models must be a mapping with at least one entry"),
        ("limits", None, "Spacefile: limits is missing"),
        ("space.titel", "x", "space: unknown key 'titel'; did you mean 'title'?"),
        ("space.title", None, "space: title is missing"),
        ("space.title", "", "space.title must be a non-empty string"),
        (
            "space.colorTo",
            "violet",
            "space.colorTo must be red, yellow, green, blue, indigo, purple, pink or gray, not 'violet'",
        ),
        ("space.sdk", "streamlit", "space.sdk must be gradio, not 'streamlit'"),
        ("space.python_version", 3.12, "in quotes (3.10 as a number is 3.1), not 3.12"),
        ("space.short_description", "x" * 61, "at most 60 characters"),
        ("space.pinned", "no", "space.pinned must be true or false, not 'no'"),
        ("space.tags", "infilling", "space.tags must be a list of strings"),
        ("space.hf_oauth_expiration_minutes", 43201, "must be at most 43200, not 43201"),
        ("space.custom_headers", {"x-frame-options": "DENY"}, "cross-origin-embedder-policy"),
        ("space.thumbnail", {}, "space.thumbnail must be a non-empty string, not {}"),
        ("space.app_port", 0, "space.app_port must be at least 1, not 0"),
        ("space.suggested_hardware", "h100", "space.suggested_hardware must be one of cpu-basic"),
        ("deploy.hardwear", "l4x1", "deploy: unknown key 'hardwear'"),
        ("deploy.include", None, "deploy: include is missing"),
        (
            "deploy.include",
            ["app.py", "../*"],
            "deploy.include must be a list of names and patterns inside this folder",
        ),
        ("deploy.exclude", ["/etc/*"], "deploy.exclude must be a list of names and patterns inside this folder"),
        ("deploy.offer", "all", "deploy.offer must be a list of strings"),
        ("deploy.offer", ["here", "diffugpt"], "deploy.offer: no model 'diffugpt' (did you mean diffugpt-"),
        ("deploy.visibility", "secret", "deploy.visibility must be public, protected or private"),
        ("deploy.secrets", ["HF_TOKEN=hf_abc"], "without values"),
        ("deploy.variables", {"DEBUG": True}, "numbers and true in quotes"),
        ("profiles.l4.hardware", "l5x1", "profiles.l4.hardware must be one of cpu-basic"),
        ("profiles.l4.hardware", None, "profiles.l4: hardware is missing"),
        ("profiles.l4.sleep_time", "15m", "profiles.l4.sleep_time must be a whole number"),
        ("profiles", [], "profiles must be a mapping, not []"),
        ("profiles.l4", [], "profiles.l4 must be a mapping, not []"),
        ("profiles.l4.repo", "a/b", "profiles.l4: unknown key 'repo'"),
        ("profiles.zero.requirements", {"torch": "2.11.0"}, "such as torch: ==2.11.0"),
        ("models.bundled.quant", "int4", "models.bundled.quant must be none, int8 or nf4"),
        ("models.bundled.memory", None, "models.bundled: memory is missing"),
        ("limits.max_length", "128", "limits.max_length must be a whole number"),
        # The rest fits the schema but contradicts something.
        ("limits.max_length", 64, "limits.max_length is 64, but the limit in the code is 128"),
        ("deploy.profile", "cuda", "deploy.profile is 'cuda', but the profiles are cpu, zero, l4"),
        (
            "space.title",
            "Other",
            "README.md: the header's title is 'Infilling Playground', but the Spacefile has 'Other'",
        ),
        ("space.disable_embedding", True, "README.md: the header lacks disable_embedding; the Spacefile has True"),
        ("space.header", None, "README.md: the header has header, but the Spacefile does not"),
        ("space.sdk_version", "6.30.0", "space.sdk_version is 6.30.0, but requirements.txt starts at gradio 6.31.0"),
        ("space.app_file", "main.py", "main.py is not among the files"),
        ("deploy.include", ["app.py", "README.md", "Spacefile"], "requirements.txt is not among the files"),
        ("deploy.include", ["*.*", "Spacefile", "nowhere/**"], "no file matches nowhere/**"),
        ("profiles.l4.sleep_time", None, "profiles.l4: sleep_time is missing; paid hardware never sleeps by itself"),
        ("profiles.cpu.sleep_time", 60, "profiles.cpu: sleep_time has no effect on cpu-basic"),
        ("profiles.zero.sleep_time", 60, "profiles.zero: sleep_time has no effect on zero-a10g"),
        ("profiles.cpu.variables", {"HF_TOKEN": "x"}, "HF_TOKEN is a variable, which everybody can read"),
        ("profiles.cpu.variables", {"SOME": "hf_abc"}, "SOME is a variable, which everybody can read"),
        ("deploy.secrets", ["GRADIO_ANALYTICS_ENABLED"], "both a variable and a secret"),
        ("profiles.l4.python_version", "3.13", "profiles.l4: the code needs Python 3.11 or 3.12, not 3.13"),
        ("profiles.zero.python_version", "3.12", "ZeroGPU offers Python 3.10.13, 3.12.12, not 3.12"),
        ("profiles.zero.python_version", "3.11", "ZeroGPU offers Python"),
        ("profiles.zero.python_version", "3.10.13", "the code needs Python 3.11 or 3.12"),
        ("profiles.zero.requirements", {"spaces": "==0.51.3"}, "2.11.0; pin one of them, not ==2.13.0"),
        ("profiles.zero.requirements.torch", "==2.11.1", "ZeroGPU offers torch 2.8.0, 2.9.1, 2.10.0, 2.11.0"),
        ("profiles.zero.requirements.torch", ">=2.8,<2.12", "pin one of them"),
        ("profiles.zero.requirements", {"torch": "==2.11.0"}, "needs the package spaces"),
        ("profiles.zero.variables", {"HF_DEACTIVATE_ASYNC_LOAD": "0"}, 'HF_DEACTIVATE_ASYNC_LOAD: "1"'),
        ("profiles.zero.variables", None, 'HF_DEACTIVATE_ASYNC_LOAD: "1"'),
        ("models.bundled.memory", 4, ""),
    ],
)
def test_a_mistake_is_reported_with_its_place(space, edit, place, value, words):
    edit(place, value)
    if place == "models.bundled.memory" and value is not None:
        for name in ("diffugpt-m", "diffugpt-s"):
            edit(f"models.{name}.memory", 4)
        words = "models: at least one needs memory: 0"
    assert any(words in line for line in mistakes_of(space("check"))), words


def test_all_mistakes_are_reported_at_once(space, edit):
    edit("space.colorTo", "violet")
    edit("deploy.hardwear", "l4x1")
    edit("profiles.l4.sleep_time", "15m")
    assert len(mistakes_of(space("check"))) == 3
    for place, value in (("space.colorTo", "green"), ("deploy.hardwear", None), ("profiles.l4.sleep_time", None)):
        edit(place, value)
    edit("limits.max_steps", 1)
    edit("profiles.zero.requirements", {})
    assert len(mistakes_of(space("check"))) == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"v: 1\nspace: [", "not valid YAML: line"),
        (b"v: 1\nv: 1\n", "not valid YAML: line 2: duplicate key v"),
        (b"? [a, b]\n: 1\n", "not valid YAML: line 1: found unhashable key"),
        (b"v: \x00", "not valid YAML"),
        (b"v: \xff", "not UTF-8 at byte 3"),
    ],
)
def test_a_spacefile_that_cannot_be_parsed_is_reported_in_one_line(space, folder, content, words):
    (folder / "Spacefile").write_bytes(content)
    code, out, err = space("check")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("profiles:\n  4: {}\n", "profiles.4 must be a name (put a number in quotes), not 4"),
        ("limits:\n  4: 1\n", "limits: unknown key '4'. Known: max_characters,"),
        ("deploy:\n  exclude:\n", "deploy.exclude must be left out or have a value, not None"),
        ("models:\n  x:\n    repo:\n    memory: 0.5\n", "models.x.memory must be a whole number, not 0.5"),
    ],
)
def test_numbers_as_keys_and_empty_values_are_reported(space, folder, written, words):
    (folder / "Spacefile").write_text(written)
    lines = mistakes_of(space("check"))
    assert any(line.startswith(words) for line in lines), lines
    assert not any("repo" in line for line in lines if line.startswith("models.x")), "only models may have repo: null"


@pytest.mark.parametrize("content", ["", "- v: 1\n", "just words\n"])
def test_a_spacefile_that_is_not_a_mapping_is_reported(space, folder, content):
    (folder / "Spacefile").write_text(content)
    assert "must be a mapping" in mistakes_of(space("check"))[0]


def test_a_missing_spacefile_is_reported(space, folder):
    (folder / "Spacefile").unlink()
    assert "cannot read the Spacefile" in space("check")[2]


@pytest.mark.parametrize(
    ("readme", "words"),
    [
        ("# No header\n", "README.md: the front matter is missing"),
        ("---\ntitle: [\n---\n", "front matter is not valid YAML"),
        ("---\ntitle: x\n---\n", "README.md: the header lacks emoji"),
    ],
)
def test_a_readme_without_a_complete_header_is_reported(space, folder, readme, words):
    (folder / "README.md").write_text(readme)
    assert any(words in line for line in mistakes_of(space("check")))


def test_an_invalid_line_of_the_requirements_is_reported(space, folder):
    (folder / "requirements.txt").write_text("torch==2.13.0\ngradio ~> 6\n")
    assert "'gradio ~> 6' is not a valid requirement" in mistakes_of(space("check"))[0]


@pytest.mark.parametrize("missing", ["README.md", "requirements.txt"])
def test_a_missing_file_that_every_space_needs_is_reported(space, folder, missing):
    (folder / missing).unlink()
    assert any(missing in line for line in mistakes_of(space("check")))
