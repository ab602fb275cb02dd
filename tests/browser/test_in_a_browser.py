"""The status page in a browser: it moves with the study, says when nobody answers, and looks right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run.conftest import FAILED

from .conftest import Page
from .webdriver import Browser

pytestmark = pytest.mark.slow

EVIL = "</p><script>document.title='taken over'</script><img src=x onerror=\"document.title='taken over'\">"


def test_the_numbers_move_with_the_study(page: Page, browser: Browser) -> None:
    browser.open(page.url)
    assert browser.text() == "No study yet. cloudburst apply sends one."
    page.begin()
    browser.until("document.title.includes('waves: running')")
    assert "0 % 0 of 60 jobs" in browser.text("#progress")
    browser.run("document.querySelector('#nodes tbody').mark = 'the same element'")
    while page.controlled.status()["state"] != "finished":
        page.worker.work()
    browser.until("document.querySelector('.state').innerText === 'finished'")
    assert "100 % 60 of 60 jobs done 60 failed 0" in browser.text("#progress")
    assert browser.title == "100 % waves: finished"
    assert browser.run("return document.querySelector('#nodes tbody').mark") == "the same element", (
        "no flicker"
    )
    assert browser.complaints() == []


def test_without_javascript_the_numbers_are_there(page: Page, plain_browser: Browser) -> None:
    page.begin()
    plain_browser.open(page.url)
    text = plain_browser.source
    assert "of 60 jobs" in text
    assert "waves" in text
    assert "2 ready" not in text
    page.work()
    plain_browser.open(page.url)
    assert "1 ready" in plain_browser.source
    assert "Jobs end" in plain_browser.source


def test_texts_of_users_do_nothing(page: Page, browser: Browser) -> None:
    page.begin(detail=EVIL, version=EVIL)
    page.work(**{**FAILED, "error": EVIL, "worker": EVIL})
    page.controlled.client.pause()
    browser.open(page.url)
    browser.until("document.querySelector('#latest')")
    assert EVIL in browser.text("#latest")
    assert EVIL in browser.text("#nodes")
    browser.until("performance.getEntriesByType('resource').length >= 2")  # renewed by the script, too
    assert "taken over" not in browser.title
    assert not browser.run("return document.querySelectorAll('img').length")
    assert browser.complaints() == []


def test_it_says_when_the_controller_does_not_answer(page: Page, browser: Browser) -> None:
    page.begin()
    browser.open(page.url)
    assert browser.run("return document.querySelector('#silence').hidden")
    page.controlled.kill()
    browser.until("!document.querySelector('#silence').hidden")
    assert browser.text("#silence").startswith("The controller does not answer (502). What you see is ")
    assert "of 60 jobs" in browser.text("#progress")
    page.controlled.start()
    browser.until("document.querySelector('#silence').hidden")
    browser.complaints()  # of the answers it did not get


OVERFLOW = """
const wide = document.documentElement.scrollWidth;
return wide <= innerWidth ? [] : [...document.querySelectorAll('body *')]
  .filter((x) => x.getBoundingClientRect().right > innerWidth + 0.5).map((x) => x.outerHTML.slice(0, 120));
"""

CONTRAST = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((x) => x / 255)
  .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
  .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (x) => {
  for (; x; x = x.parentElement) {
    const [r, g, b, a = 1] = numbers(getComputedStyle(x).backgroundColor);
    if (a === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const poor = [];
while (texts.nextNode()) {
  const text = texts.currentNode, parent = text.parentElement;
  if (!text.nodeValue.trim() || ['SCRIPT', 'STYLE'].includes(parent.nodeName)) continue;
  const [one, other] = [light(numbers(getComputedStyle(parent).color)), light(behind(parent))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < 4.5) poor.push(`${text.nodeValue.trim()}: ${ratio.toFixed(2)}`);
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 700, 1400])
def test_it_fits_and_can_be_read(page: Page, browser: Browser, width: int, scheme: str) -> None:
    page.begin(state="broken", detail="no disk space for the environment " * 5)
    long = "EpanetError: " + "anidentifierwithoutanyspace" * 8
    page.work(**{**FAILED, "error": long})
    page.controlled.client.pause()
    browser.be(width, scheme=scheme)
    browser.open(page.url)
    browser.until("document.querySelector('#latest')")
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(246, 247, 249)", "dark": "rgb(16, 19, 25)"}[scheme]
    assert browser.run(OVERFLOW) == []
    assert browser.run(CONTRAST) == []


def test_the_keyboard_is_enough(page: Page, browser: Browser) -> None:
    page.begin()
    browser.be(1400)
    browser.open(page.url)
    reached = browser.run(
        "return [...document.querySelectorAll('a, button, input, [tabindex]')].map((x) => [x.innerText.trim(), x.tabIndex])"
    )
    assert reached == [["Skip to the progress", 0], ["metrics", 0], ["status as JSON", 0]]


def names(tree: Any, role: str) -> list[str]:
    return [x["name"]["value"] for x in tree["nodes"] if x.get("role", {}).get("value") == role]


def test_what_a_screen_reader_is_told(page: Page, browser: Browser) -> None:
    page.begin()
    page.work(**FAILED)
    browser.open(page.url)
    browser.until("document.querySelector('#latest')")
    tree = browser.devtools("Accessibility.getFullAXTree")
    assert names(tree, "progressbar") == ["jobs that ended"]
    assert [name.split(" ")[0] for name in names(tree, "table")] == ["Nodes", "Most", "Latest"]
    assert len(names(tree, "main")) == len(names(tree, "banner")) == len(names(tree, "contentinfo")) == 1
    assert "Node" in names(tree, "columnheader")
