"""The endpoint `/infill` as a program uses it, through gradio_client."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.strategies.registry import strategies

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    opened = Client(address, verbose=False)
    yield opened
    opened.close()


def states(client: Client, **asked: Any) -> list[dict[str, Any]]:
    asked = {"prefix": "Once", "suffix": "the end.", "length": 8, "steps": 8} | asked
    job = client.submit(**asked, api_name="/infill")
    received: list[Any] = list(job)
    job.result()  # raises what ended the loop early
    return received


def test_every_state_arrives_once_and_in_order(client: Client) -> None:
    received = states(client)
    assert [state["step"] for state in received] == list(range(9))
    assert [state["masks_left"] for state in received] == list(range(8, -1, -1))
    assert [state["nfe"] for state in received] == list(range(9))
    assert [state["seconds"] for state in received] == sorted(state["seconds"] for state in received)
    assert [state["ended"] for state in received] == [*["running"] * 8, "complete"]
    assert received[0]["pieces"] == [None] * 8
    assert received[3]["pieces"] == [" ", "a", "b", *[None] * 5]


def test_the_last_text_is_prefix_fill_and_suffix(client: Client) -> None:
    last = states(client, prefix="Once upon ", suffix=", the end.")[-1]
    assert last["fill"] == "".join(last["pieces"]) == " abcdefg"
    assert last["text"] == "Once upon" + last["fill"] + ", the end."
    assert states(client, suffix="the end.")[-1]["text"] == "Once abcdefg the end."
    assert states(client, suffix="the end.", space=False)[-1]["text"] == "Once abcdefgthe end."


def test_the_prefix_alone_is_enough_to_ask_for(client: Client) -> None:
    assert client.predict(prefix="Once", api_name="/infill")["text"] == "Once abcdefghijklmno"


def test_the_length_may_be_left_open(client: Client) -> None:
    choosing, received = [], []
    for state in states(client, length="auto", steps=40):
        (received if state["settled"] else choosing).append(state)
    choice = received[0]["choices"]["0"]
    assert choice["chosen"] == len(received[0]["pieces"])
    assert len(choosing) >= choice["calls"]
    assert {len(state["pieces"]) for state in choosing} >= {*choice["tried"]}
    counted = [state["choosing"]["calls"] for state in choosing]
    assert counted == sorted(counted)
    assert set(counted) == set(range(choice["calls"]))
    assert received[0]["choosing"] == {name: choice[name] for name in ("rows", "calls", "seconds")}
    assert received[-1]["choosing"] == received[0]["choosing"]
    assert "not fitted to 'scripted'" in received[0]["notices"][0]
    assert set(received[0]["pieces"]) == {None}
    assert 1 <= len(received[0]["pieces"]) == len(received[-1]["pieces"]) <= 32
    assert received[-1]["ended"] == "complete"
    assert received[-1]["calls"] == received[-1]["nfe"] == len(received) - 1  # what the choice took is not the run's


def test_a_cancelled_job_stops_the_forward_passes(client: Client, denoiser) -> None:
    denoiser.delay = 0.2
    job = client.submit(prefix="Once", suffix="the end.", length=40, steps=40, api_name="/infill")
    state: Any
    for state in job:
        if state["step"] == 2:
            job.cancel()
            break
    time.sleep(0.8)
    spent = denoiser.forwards
    time.sleep(1)
    assert denoiser.forwards == spent < 40
    denoiser.delay = 0
    assert states(client)[-1]["ended"] == "complete"


def test_a_short_run_does_not_wait_for_the_end_of_a_long_one(client: Client, denoiser) -> None:
    denoiser.delay = 0.1  # in which the long run takes longer than it takes to ask for the short one
    long = client.submit(prefix="Once", suffix="the end.", length=128, steps=128, api_name="/infill")
    next(long)
    assert states(client)[-1]["text"] == "Once abcdefg the end."
    assert not long.done()
    denoiser.delay = 0
    last: Any = long.result()
    assert last["ended"] == "complete"
    assert last["nfe"] == 128
    assert last["fill"].startswith(" abcdefghijklmnopqrstuvwxyz abcdef")


def test_a_run_past_the_time_limit_says_so(serve, denoiser) -> None:
    denoiser.delay = 0.2
    last = states(Client(serve(time_limit=0.5), verbose=False), length=30, steps=30)[-1]
    assert last["ended"] == "time limit"
    assert 0 < last["masks_left"] < 30
    assert last["pieces"].count(None) == last["masks_left"]


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ({"length": 0}, "from 1 to 128"),
        ({"length": 129}, "from 1 to 128"),
        ({"length": "many"}, "must be a whole number from 1 to 128"),
        ({"steps": 257}, "from 1 to 256"),
        ({"steps": 1.5}, "must be a whole number"),
        ({"temperature": -1}, "from 0 to 5"),
        ({"top_p": 0}, "above 0 and at most 1"),
        ({"seed": -1}, "from 0 to 4294967295"),
        ({"space": "yes"}, "true or false"),
        ({"prefix": 3}, "must be text"),
        ({"prefix": None}, "must be text"),
        ({"prefix": "a\x07"}, "U+0007 at position 2; remove it"),
        ({"suffix": "a" * 20_001}, "shorten it to 20000"),
        ({"strategy": "entrpy"}, "did you mean 'entropy'?"),
        ({"strategy": "threshold", "knobs": {"tua": 0.5}}, "did you mean 'tau'?"),
        ({"strategy": "threshold", "knobs": {"tau": 2}}, "from 0 to 1"),
        ({"strategy": "left_to_right", "knobs": {"tau": 1}}, "has no knobs"),
        ({"knobs": [1]}, "names with values"),
        ({"text": "a [[1]]"}, "give either a text with gaps or a prefix and a suffix"),
        ({"prefix": "", "suffix": "", "text": "a [[x]]"}, "gap 1, '[[x]]' at character 3"),
        ({"prefix": "", "suffix": "", "text": "a"}, "the text has no gap"),
        ({"banned": [1]}, "banned must be words"),
        ({"one_line": 3}, "one_line must be true or false"),
    ],
)
def test_a_mistake_is_reported_with_its_fix_and_the_server_continues(client: Client, denoiser, asked, advice) -> None:
    with pytest.raises(AppError) as caught:
        states(client, **asked)
    assert advice in str(caught.value)
    assert denoiser.forwards == 0
    assert states(client, length=2, steps=2)[-1]["ended"] == "complete"


def test_knobs_reach_the_strategy(client: Client) -> None:
    received = {tau: states(client, strategy="threshold", knobs={"tau": tau}) for tau in (0.0, 1.0)}
    assert [len(received[0.0]), len(received[1.0])] == [2, 9]


def test_sampling_settings_reach_the_run(client: Client) -> None:
    hot = {"length": 30, "steps": 10, "temperature": 2.0}
    first, again, other = (states(client, **hot, seed=seed)[-1]["fill"] for seed in (1, 1, 2))
    assert first == again != other
    assert states(client, **hot, seed=1, top_p=0.01)[-1]["fill"] == states(client, length=30, steps=10)[-1]["fill"]


@pytest.mark.parametrize("strategy", strategies())
def test_every_strategy_can_be_asked_for(client: Client, strategy: str) -> None:
    steps = max(4, strategies()[strategy].least_steps({}))
    received = states(client, strategy=strategy, steps=steps, prefix="<b>naïve</b> שלום ")
    assert received[-1]["ended"] == "complete"
    assert received[-1]["text"].startswith("<b>naïve</b> שלום ")
    assert len(received) <= steps + 1


def test_the_page_offers_programs_only_this_endpoint(client: Client, address: str) -> None:
    received: Any = client.view_api(return_format="dict", print_info=False)
    with urlopen(f"{address.rstrip('/')}/gradio_api/info") as answer:
        served = json.load(answer)
    for listed in (received, served):
        assert set(listed["named_endpoints"]) == {"/infill"}
        assert not listed["unnamed_endpoints"]
    parameters = {each["parameter_name"]: each for each in served["named_endpoints"]["/infill"]["parameters"]}
    assert list(parameters) == [
        *("prefix", "suffix", "length", "steps", "strategy", "knobs", "temperature", "top_p", "redraw", "seed"),
        *("guidance", "guided_by", "space", "text", "banned", "one_line", "start", "model"),
    ]
    assert all(each["parameter_has_default"] for each in parameters.values())


def raw(address: str, values: list[Any]) -> tuple[str, Any]:
    """Return the last event of a plain HTTP call, and its data."""
    url = f"{address.rstrip('/')}/gradio_api/call/infill"
    body = json.dumps({"data": values}).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"})) as answer:
        event = json.load(answer)["event_id"]
    with urlopen(f"{url}/{event}") as answer:
        *_, name, data = answer.read().decode().strip().splitlines()
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.mark.parametrize("given", [[], ["Once"], ["Once", "the end."], ["Once", "the end.", 8, 8, "low_confidence"]])
def test_a_plain_call_with_fewer_values_gets_the_defaults(client: Client, address: str, given: list[Any]) -> None:
    name, data = raw(address, given)
    assert name == "complete"
    named = dict(zip(("prefix", "suffix", "length", "steps", "strategy"), given, strict=False))
    expected: Any = client.predict(**named, api_name="/infill")
    assert [data[0][part] for part in ("text", "nfe", "ended")] == [expected[part] for part in ("text", "nfe", "ended")]


def test_a_plain_call_with_a_mistake_says_what_to_do(address: str) -> None:
    for given, advice in ((["a", "b", 0], "from 1 to 128"), ([""] * 19, "has 18 parameters")):
        name, data = raw(address, given)
        assert name == "error"
        assert advice in data["error"]


def described(document: str) -> str:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(r"<!-- API.*?-->\n(.*?)<!-- API: end -->", text, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("document", ["README.md", "docs/python.md"])
def test_the_code_in_the_documents_runs_and_prints_every_state(address: str, capsys, document: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", described(document), re.DOTALL)
    assert '"http://127.0.0.1:7860"' in code
    exec(code.replace('"http://127.0.0.1:7860"', f"{address!r}, verbose=False"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [[str(n), str(n), str(8 - 2 * n)] for n in range(5)]
    assert lines[-1] == "4 4 0 The little dog was abcdefg so he ran home."


def test_the_document_names_every_setting_every_part_of_a_state_and_every_ending(client: Client, address: str) -> None:
    text = described("docs/python.md")
    with urlopen(f"{address.rstrip('/')}/gradio_api/info") as answer:
        parameters = json.load(answer)["named_endpoints"]["/infill"]["parameters"]
    for name in {each["parameter_name"] for each in parameters}:
        assert re.search(rf"`{name}\b|\b{name}=", text), name
    for name in states(client)[0]:
        assert re.search(rf'`{name}`|"{name}"', text), name
    for ending in ("running", "complete", "time limit"):
        assert f"`{ending}`" in text


def test_several_gaps_arrive_as_fills_between_the_given_text(client: Client) -> None:
    received: list[Any] = list(client.submit(text="<b>Tom</b> [[3]] saw [[4|2:x]].", steps=6, api_name="/infill"))
    assert received[0]["pieces"] == [None, None, None, None, " ", "x", None]
    last = received[-1]
    assert last["ended"] == "complete"
    assert last["nfe"] == 5
    assert last["text"] == "<b>Tom</b>" + last["fills"][0] + " saw" + last["fills"][1] + "."
    assert [len(fill) for fill in last["fills"]] == [3, 5]  # the second one's space is put back
    assert last["fill"] == " … ".join(last["fills"])


def test_banned_words_and_line_breaks_stay_out(client: Client, denoiser) -> None:
    denoiser.script = b" ab\n"
    assert states(client, length=4, steps=4)[-1]["fill"] == " ab\n"
    kept = states(client, length=4, steps=4, banned=["ab"], one_line=True)[-1]["fill"]
    assert kept == " a??"
