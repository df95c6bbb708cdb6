"""Pages in a real browser: quiet, readable at every width, light and dark, with and without scripts, accessible.

Needs `pip install -e .[browser]`, and Chromium: the system's, or that of `playwright install chromium`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reprocheck.engine.console import Style
from reprocheck.report import FORMATS
from reprocheck.report.writers.html import write_html
from tests.support.audits import audit, cause, divergence, edit, explained, explanation, metric_over_seeds
from tests.support.documents import PIECES, everything
from tests.support.formats import hostile, no_verdict

pytestmark = pytest.mark.slow
AUDITS = {
    "seeds": audit(metrics=(metric_over_seeds(), metric_over_seeds("accuracy"))),
    "explained": explained(explanation=explanation(), divergence=divergence(), findings=(cause(edit=edit()),)),
    "no-verdict": no_verdict(),
    "hostile": hostile(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if found is None and not Path(running.chromium.executable_path).exists():
            pytest.skip("no Chromium is installed")
        started = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: FORMATS["html"](one, Style()) for name, one in AUDITS.items()}
    texts["everything"] = write_html(everything([f"{piece}<img src=x onerror=alert(1)>" for piece in PIECES]), Style())
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("name", [*AUDITS, "everything"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("scripts", [True, False])
def test_a_page_asks_for_nothing_and_fits(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str, scripts: bool
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
    )
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(pages[name].as_uri())
    assert asked == [pages[name].as_uri()]
    assert said == []
    assert page.locator("h1").bounding_box()["width"] <= width
    main = page.locator("main").bounding_box()
    assert main["x"] >= 0
    assert main["x"] + main["width"] <= width
    assert page.locator("button").count() == 0 or scripts
    for table in page.locator(".scroll").all():
        assert table.bounding_box()["width"] <= width
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("name", AUDITS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    context = browser.new_context(bypass_csp=True, color_scheme=scheme)  # the test's own script is none of the page's
    page = context.new_page()
    page.goto(pages[name].as_uri())
    assert [(one["id"], one["nodes"][0]["html"]) for one in axe.Axe().run(page).response["violations"]] == []
    context.close()


def test_buttons_copy(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(pages["explained"].as_uri())
    copied = "async () => await navigator.clipboard.readText()"
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate(copied) == "for name in sorted(set(names)):"
    page.get_by_role("button", name="Copy the JSON report").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('{')")
    assert json.loads(page.evaluate(copied))["verdict"] == "different"
    context.close()


def test_a_page_can_be_printed(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["explained"].as_uri())
    page.emulate_media(media="print")
    assert page.get_by_role("button", name="Copy", exact=True).is_hidden()
    assert page.pdf().startswith(b"%PDF")
    page.close()
