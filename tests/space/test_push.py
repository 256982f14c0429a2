"""Pushing to a fake hub: the requests, their order, and the messages when one fails."""

from __future__ import annotations

import socket

import pytest

from tests.space.conftest import WEIGHTS
from tests.space.fake_hub import TOKEN, Space

UPLOADED = {
    *("LICENSE", "README.md", "Spacefile", "requirements.txt", "app.py", "app/one.py"),
    *("CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "docs/one.md"),
    *("assets/page.png", "models/weights.safetensors", "notebooks/one.ipynb"),
}
SECRET = "the-words-that-nobody-may-see"


@pytest.fixture
def with_secret(edit, monkeypatch):
    edit("deploy.secrets", ["SOME_KEY"])
    monkeypatch.setenv("SOME_KEY", SECRET)


def error_of(outcome: tuple[int, str, str]) -> str:
    """Return the one-line error message of a failed command."""
    code, _, err = outcome
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_a_dry_run_prints_the_plan_and_the_price_and_sends_nothing(hub, space, edit, with_secret):
    code, out, err = space("push", "--dry-run", "--profile", "l4")
    assert code == 0, err
    assert hub.requests == []
    assert "me/play" in out
    assert "l4x1: 0.80 USD an hour while it starts and runs" in out
    assert "sleeps after 900 s" in out
    assert "GRADIO_ANALYTICS_ENABLED=False" in out
    assert "offered    here: published models that are on its disk; nothing is downloaded\n" in out
    assert "SOME_KEY" in out
    assert SECRET not in out
    assert f"files      {len(UPLOADED)}" in out
    assert out.endswith("dry run: nothing was sent\n")


def test_a_dry_run_needs_no_name_no_token_and_no_network(space, monkeypatch):
    for name in ("SPACE_REPO", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code, out, _ = space("push", "--dry-run")
    assert code == 0
    assert "set SPACE_REPO or use --repo" in out
    assert "0.00 USD an hour" in out


def test_the_plan_shows_the_pins_of_a_profile_and_its_model(space):
    _, out, _ = space("push", "--dry-run", "--profile", "zero")
    assert "torch==2.11.0" in out
    assert "Python     3.12.12" in out
    assert "HF_DEACTIVATE_ASYNC_LOAD=1" in out
    assert "model      diffullama in nf4\n" in out


@pytest.mark.parametrize(
    ("profile", "named", "shown"),
    [("zero", "me/diffullama-nf4", "me/diffullama-nf4"), ("l4", "diffullama", "diffullama in nf4"), ("l4", "", None)],
)
def test_the_plan_shows_the_model_that_the_spaces_variable_asks_for(space, edit, monkeypatch, profile, named, shown):
    monkeypatch.setenv("INFILL_MODEL", "diffugpt-m")  # the local variable does not affect the Space
    edit("deploy.variables", {"INFILL_MODEL": named})
    assert f"model      {shown or 'diffullama in nf4'}\n" in space("push", "--dry-run", "--profile", profile)[1]


def test_an_unknown_model_in_the_variable_is_reported_before_anything_is_sent(hub, space, edit):
    edit("profiles.zero.variables.INFILL_MODEL", "nowhere")
    assert "INFILL_MODEL: no model 'nowhere'" in error_of(space("push", "--profile", "zero"))
    assert hub.requests == []


def test_a_new_space_is_created_with_its_settings_and_all_files_in_one_commit(hub, space, folder, with_secret):
    code, out, err = space("push", "--profile", "l4")
    assert code == 0, err
    assert out.index("0.80 USD an hour") < out.index("done: create the Space")
    assert hub.sent("POST /api/repos/create") == {
        "name": "play",
        "organization": "me",
        "type": "space",
        "sdk": "gradio",
        "visibility": "public",
        "hardware": "l4x1",
        "sleepTimeSeconds": 900,
        "variables": [{"key": "GRADIO_ANALYTICS_ENABLED", "value": "False"}],
        "secrets": [{"key": "SOME_KEY", "value": SECRET}],
    }
    made = hub.spaces["me/play"]
    assert set(made.files) == {*UPLOADED, ".gitattributes"}
    for name in UPLOADED:
        assert made.files[name] == (folder / name).read_bytes(), name
    assert made.commits == 2
    assert list(hub.large.values()) == [WEIGHTS]
    assert [change.split("/")[-1] for change in hub.changes] == ["create", "batch", next(iter(hub.large)), "main"]
    assert "hf spaces logs me/play" in out


def test_zero_gpu_gets_its_own_pins_header_and_variable(hub, space):
    assert space("push", "--profile", "zero")[0] == 0
    made = hub.spaces["me/play"]
    assert made.hardware == "zero-a10g"
    assert made.sleep_time is None
    assert made.variables["HF_DEACTIVATE_ASYNC_LOAD"] == "1"
    lines = made.files["requirements.txt"].decode().splitlines()
    assert lines[0] == "torch==2.11.0"
    assert "python_version: 3.12.12\n" in made.files["README.md"].decode()


def test_a_second_push_sends_only_the_differences(hub, space, folder):
    assert space("push")[0] == 0
    hub.requests.clear()
    code, out, _ = space("push")
    assert (code, hub.changes) == (0, [])
    assert "nothing differs" in out
    (folder / "app" / "one.py").write_text("one = 11\n")
    (folder / "app" / "two.py").write_text("two = 2\n")
    (folder / "assets" / "page.png").unlink()
    (folder / "assets" / "other.png").write_bytes(b"png")
    code, out, _ = space("push")
    assert code == 0
    assert out.index("to do: files: add app/two.py") < out.index("done: files")
    assert "done: files: add app/two.py, assets/other.png; change app/one.py; delete assets/page.png" in out
    assert hub.changes == ["POST /api/spaces/me/play/commit/main"]
    head, *operations = hub.sent("POST /api/spaces/me/play/commit/main")
    assert head["value"]["summary"] == "Deploy with profile cpu"
    assert head["value"]["parentCommit"] == f"{2:040x}"
    assert len(operations) == 4


def test_a_new_profile_changes_settings_first_then_files_and_hardware_last(hub, space):
    assert space("push", "--profile", "zero")[0] == 0
    hub.spaces["me/play"].variables["MINE"] = "by hand"
    hub.requests.clear()
    code, out, _ = space("push", "--profile", "l4")
    assert code == 0
    assert hub.changes == [
        "DELETE /api/spaces/me/play/variables",
        "POST /api/spaces/me/play/commit/main",
        "POST /api/spaces/me/play/hardware",
    ]
    assert hub.sent("DELETE /api/spaces/me/play/variables") == {"key": "HF_DEACTIVATE_ASYNC_LOAD"}
    assert hub.sent("POST /api/spaces/me/play/hardware") == {"flavor": "l4x1", "sleepTimeSeconds": 900}
    assert hub.spaces["me/play"].variables["MINE"] == "by hand"
    assert "hardware: zero-a10g -> l4x1, 0.80 USD an hour" in out


def test_sleep_visibility_variables_and_secrets_are_each_corrected(hub, space, edit, with_secret):
    assert space("push", "--profile", "l4")[0] == 0
    made = hub.spaces["me/play"]
    made.sleep_time, made.visibility, made.variables["GRADIO_ANALYTICS_ENABLED"] = 60, "private", "True"
    made.secrets["SOME_KEY"] = "old"
    hub.requests.clear()
    code, out, _ = space("push", "--profile", "l4")
    assert code == 0
    assert (made.sleep_time, made.visibility, made.secrets) == (900, "public", {"SOME_KEY": SECRET})
    assert made.variables["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert hub.changes == [
        "PUT /api/spaces/me/play/settings",
        "POST /api/spaces/me/play/variables",
        "POST /api/spaces/me/play/secrets",
        "POST /api/spaces/me/play/sleeptime",
    ]
    assert "secret SOME_KEY: set again" in out


def test_no_secret_and_no_token_is_ever_printed_even_if_the_hub_repeats_them(hub, space, with_secret):
    outcomes = [space("push"), space("push"), space("diff")]
    hub.failures["POST /api/spaces/me/play/secrets"] = (403, f"no {SECRET} for {TOKEN}")
    outcomes.append(space("push"))
    assert "no *** for ***" in error_of(outcomes[-1])
    for _, out, err in outcomes:
        assert SECRET not in out + err
        assert TOKEN not in out + err


def test_a_secret_missing_in_the_environment_is_reported_before_anything_is_sent(hub, space, edit, monkeypatch):
    edit("deploy.secrets", ["SOME_KEY", "OTHER_KEY"])
    monkeypatch.setenv("SOME_KEY", "x")
    assert "the Spacefile lists the secrets OTHER_KEY; set them in the environment" in error_of(space("push"))
    assert hub.requests == []


def test_a_file_that_contains_a_secret_is_not_uploaded(hub, space, folder, with_secret):
    (folder / "app" / "one.py").write_text(f"key = '{SECRET}'\n")
    assert "app/one.py" in error_of(space("push"))
    assert hub.requests == []


def test_a_spacefile_with_mistakes_is_not_pushed(hub, space, edit):
    edit("profiles.zero.requirements", {"torch": "==2.13.0", "spaces": "==0.51.3"})
    assert "ZeroGPU offers torch" in error_of(space("push"))
    assert hub.requests == []


@pytest.mark.parametrize("name", ["play", "me/", "a/b/c", "me/pl ay"])
def test_a_space_is_named_by_its_owner_and_its_name(hub, space, name):
    assert "owner/name" in error_of(space("push", "--repo", name))
    assert hub.requests == []


def test_without_a_name_or_a_token_push_explains_what_to_set(hub, space, monkeypatch, tmp_path):
    import huggingface_hub.constants as constants

    monkeypatch.delenv("SPACE_REPO")
    assert "set SPACE_REPO or use --repo owner/name" in error_of(space("push"))
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "set HF_TOKEN" in error_of(space("push", "--repo", "me/play"))
    assert hub.requests == []


def test_a_token_that_is_wrong_or_read_only_changes_nothing(hub, space, monkeypatch):
    hub.role = "read"
    assert "can only read" in error_of(space("push"))
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    message = error_of(space("push"))
    assert "401" in message
    assert "set HF_TOKEN" in message
    assert "nothing was changed" in message
    assert hub.changes == []


def test_a_space_that_contains_another_app_is_left_unchanged(hub, space):
    hub.spaces["me/play"] = Space(files={"README.md": b"mine\n", "main.py": b"mine\n"})
    assert "contains files but no Spacefile" in error_of(space("push"))
    assert hub.changes == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(402, "--profile zero"), (403, "may not do this"), (409, "the name already exists"), (500, "try again later")],
)
def test_a_space_that_cannot_be_created_is_reported_in_the_hubs_words(hub, space, status, words):
    hub.failures["POST /api/repos/create"] = (status, "because of the moon")
    message = error_of(space("push"))
    assert f"the hub answers {status}" in message
    assert words in message
    assert "because of the moon" in message
    assert "nothing was changed" in message
    assert "still to do: upload the files" in message


@pytest.mark.parametrize("large", [False, True])
def test_a_failure_lists_what_was_done_and_the_next_push_continues(hub, space, large):
    failing = f"POST {'/spaces/me/play.git/info/lfs/objects/batch' if large else '/api/spaces/me/play/commit/main'}"
    hub.failures[failing] = (403, "no room")
    message = error_of(space("push", "--profile", "l4"))
    assert "error: files: add" in message
    assert "failed: the hub answers 403" in message
    assert "already done: create the Space on l4x1" in message
    assert set(hub.spaces["me/play"].files) == {".gitattributes", "README.md"}
    hub.failures.clear()
    hub.requests.clear()
    assert space("push", "--profile", "l4")[0] == 0
    assert "POST /api/repos/create" not in hub.changes
    assert set(hub.spaces["me/play"].files) == {*UPLOADED, ".gitattributes"}


def test_a_failure_in_the_middle_lists_what_is_left(hub, space):
    hub.spaces["me/play"] = Space()
    hub.failures["POST /api/spaces/me/play/commit/main"] = (412, "A commit has happened since")
    message = error_of(space("push", "--profile", "l4"))
    assert "the Space was changed in the meantime" in message
    assert "already done: variable GRADIO_ANALYTICS_ENABLED" in message
    assert "still to do: hardware: cpu-basic -> l4x1" in message
    assert hub.spaces["me/play"].hardware == "cpu-basic"


def test_an_unreachable_hub_is_reported_in_one_line(hub, space, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    for action in ("push", "diff"):
        assert f"cannot reach the hub at {address}" in error_of(space(action))


def test_a_large_file_damaged_in_transfer_ends_the_push(hub, space, monkeypatch):
    monkeypatch.setattr("tests.space.fake_hub.Handler.put_large", lambda handler, digest: (400, {"error": "damaged"}))
    message = error_of(space("push"))
    assert "models/weights.safetensors" in message
    assert "already done: create the Space" in message


def test_diff_prints_every_difference_and_changes_nothing(hub, space, with_secret):
    assert "there is no Space me/play that the token can see" in error_of(space("diff"))
    assert space("push", "--profile", "zero")[0] == 0
    code, out, _ = space("diff", "--profile", "zero")
    assert (code, out) == (0, "nothing differs\n")
    made = hub.spaces["me/play"]
    made.files["old.py"] = made.files.pop("app.py")
    made.variables |= {"GRADIO_ANALYTICS_ENABLED": "True", "MINE": "by hand"}
    made.secrets.clear()
    hub.requests.clear()
    code, out, _ = space("diff", "--profile", "l4")
    assert code == 1
    assert hub.changes == []
    assert out.splitlines() == [
        "variable GRADIO_ANALYTICS_ENABLED: 'True' -> 'False'",
        "variable HF_DEACTIVATE_ASYNC_LOAD: delete (it belongs to another profile)",
        "secret SOME_KEY: add",
        "files: add app.py; change README.md, requirements.txt; delete old.py",
        "hardware: zero-a10g -> l4x1, 0.80 USD an hour",
        "only on the Space, left unchanged: variables MINE",
    ]
