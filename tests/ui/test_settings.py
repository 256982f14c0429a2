"""The settings that were calibrated for the page's model, beside the knobs of a strategy."""

from __future__ import annotations

import pytest

from app.strategies.registry import find
from app.ui.controls import PAPER, preset_values

PRESETS = {
    "klass": {
        "safe": {"tau": 0.85, "epsilon": 0.004},
        "balanced": {"tau": 0.55, "epsilon": 0.02},
        "fast": {"tau": 0.35, "epsilon": 0.25},
    },
    "threshold": {"safe": {"tau": 0.85}, "balanced": {"tau": 0.55}, "fast": {"tau": 0.35}},
}


def test_a_setting_gives_the_values_of_the_calibrated_knobs_and_leaves_the_others():
    assert preset_values(find("klass"), PRESETS["klass"], "fast") == {"tau": 0.35, "epsilon": 0.25}


@pytest.mark.parametrize("setting", [PAPER, None])
def test_the_papers_setting_gives_the_defaults(setting):
    assert preset_values(find("klass"), PRESETS["klass"], setting) == {"tau": 0.6, "epsilon": 0.01}


def config(**settings):
    from app.ui.page import build
    from app.ui.pool import ModelPool
    from models.serve.lazy import LazyDenoiser
    from models.toy import toy

    return build(ModelPool(LazyDenoiser(toy)), **settings).config["components"]


def dropdowns(components):
    return [c["props"] for c in components if c["type"] == "dropdown" and c["props"]["label"] == "Setting"]


def test_only_strategies_with_presets_have_a_setting_and_it_starts_with_the_papers():
    shown = dropdowns(config(presets=PRESETS))
    assert len(shown) == len(PRESETS)
    assert all(each["value"] == PAPER for each in shown)
    assert [label for label, _ in shown[0]["choices"]] == [PAPER, "safe", "balanced", "fast"]
    assert not dropdowns(config())


@pytest.mark.browser
def test_choosing_a_setting_moves_the_sliders_and_moving_one_leaves_it(browser, serve) -> None:
    from playwright.sync_api import expect

    from tests.ui.test_page import fill, opened, type_in

    for page in opened(browser, serve(presets=PRESETS)):
        tau = page.get_by_role("spinbutton", name="number input for tau").locator("visible=true")
        setting = page.get_by_label("Setting").locator("visible=true")
        expect(setting).to_have_count(0)  # low_confidence has no presets
        strategy = page.get_by_label("Strategy")
        strategy.fill("threshold")
        strategy.press("Enter")
        expect(setting).to_have_value(PAPER)
        expect(tau).to_have_value("0.9")
        setting.click()
        page.get_by_role("option", name="fast").click()
        expect(tau).to_have_value("0.35")
        type_in(page, "Once", "the end.", masks=8)
        fill(page)
        tau.fill("0.4")
        tau.press("Tab")
        expect(setting).to_have_value("")
        expect(tau).to_have_value("0.4")
        setting.click()
        page.get_by_role("option", name=PAPER).click()
        expect(tau).to_have_value("0.9")


@pytest.mark.browser
def test_another_model_has_no_setting_and_gets_the_papers_values(browser, serve) -> None:
    from playwright.sync_api import expect

    from models.checkpoints.placement import Offer
    from models.toy import toy
    from tests.ui.test_page import opened

    offers = [Offer(name=name, settings={}, about="a test", gigabytes=0.5) for name in ("bundled", "large")]
    pool = {"offers": lambda: offers, "load": lambda name, **settings: toy()}
    for page in opened(browser, serve(pool=pool, presets=PRESETS)):
        tau = page.get_by_role("spinbutton", name="number input for tau").locator("visible=true")
        setting = page.get_by_label("Setting").locator("visible=true")
        strategy = page.get_by_label("Strategy")
        strategy.fill("threshold")
        strategy.press("Enter")
        setting.click()
        page.get_by_role("option", name="safe").click()
        expect(tau).to_have_value("0.85")
        page.locator("#model input").click()
        page.get_by_role("option", name="large: a test").click()
        expect(tau).to_have_value("0.9")
        expect(setting).to_have_count(0)
