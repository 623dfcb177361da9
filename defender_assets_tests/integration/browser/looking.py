"""Measurements of a page in the browser: text contrast, elements beyond the right edge, and the order of Tab.

The contrast is that of WCAG 2.2 (1.4.3), between each text and the nearest background that is not transparent.
"""

from playwright.sync_api import Page

_CONTRAST = """() => {
  const parsed = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = parsed(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
      if (alpha !== 0) throw new Error(`half a background: ${at.className}`);
    }
    return [255, 255, 255];
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
    const [front, back] = [light(parsed(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    found.push([ratio, node.data.trim().slice(0, 60)]);
  }
  return found;
}"""

_STICKING_OUT = """() => [...document.body.querySelectorAll("*")]
  .filter((element) => !element.closest(".unseen, .skip") && element.getBoundingClientRect().right > innerWidth + 0.5)
  .map((element) => element.outerHTML.slice(0, 120))"""

_FOCUSED = """() => {
  const style = getComputedStyle(document.activeElement);
  return [document.activeElement.getAttribute("href"), style.outlineStyle !== "none" && parseFloat(style.outlineWidth)];
}"""


def contrasts(page: Page) -> list[tuple[float, str]]:
    """The contrast and the first characters of each visible text."""
    return [(ratio, text) for ratio, text in page.evaluate(_CONTRAST)]


def sticking_out(page: Page) -> list[str]:
    """The elements that extend beyond the window's right edge."""
    return list(page.evaluate(_STICKING_OUT))


def tabbed(page: Page, times: int) -> list[tuple[str, float]]:
    """Press Tab so many times; return the address and the outline width in pixels of each focused link."""
    found = []
    for _ in range(times):
        page.keyboard.press("Tab")
        address, outline = page.evaluate(_FOCUSED)
        found.append((address, float(outline)))
    return found
