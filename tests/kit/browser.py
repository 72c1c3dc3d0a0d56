"""A real Chromium, and what is wrong with the pages that it shows."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

ACCESSIBLE = (Path(__file__).parent / "accessible.js").read_text()
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


def chromium() -> str:
    """Where it is. Skips the test where there is none, unless tools are required."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        if os.environ.get("TEST_TOOLS") == "required":
            pytest.fail("there is no chromium: apt install chromium")
        pytest.skip("there is no chromium")
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """A browser."""
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        await browser.close()


class Site:
    """The pages of one gateway, in one tab; `wrong` is what the browser complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[str] = []
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        page.on("dialog", lambda dialog: self._note("error", f"a dialog: {dialog.message}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and "the server responded with a status of" not in text:
            self.wrong.append(text)

    async def open(self, path: str) -> int:
        """Go there; the status."""
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    async def text(self) -> str:
        """What the page says."""
        return await self.page.inner_text("body")

    async def refreshed(self, times: int) -> None:
        """Wait until its live parts were put in at least so often."""
        fewer = "".join(f":not([data-refreshed='{n}'])" for n in range(times))
        await self.page.locator(f"html[data-refreshed]{fewer}").wait_for(state="attached")

    async def faults(self) -> list[str]:
        """What keeps people from using the page."""
        found: list[str] = await self.page.evaluate(ACCESSIBLE)
        return found


@asynccontextmanager
async def visiting(browser: Browser, url: str, **how: Any) -> AsyncIterator[Site]:
    """A tab with cookies of its own; fails where the browser had anything to complain about."""
    context = await browser.new_context(**how)
    await context.add_init_script(REPORT_VIOLATIONS)
    site = Site(await context.new_page(), url)
    yield site
    await context.close()
    assert site.wrong == []
