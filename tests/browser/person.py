"""People in front of a page: one with a mouse alone, one with a keyboard alone. Both do the same things by selector."""

import re
import time
from typing import Any

MOST_TABS = 150  # a longer way to an element is no way
FOCUS = """selector => {
  const at = document.activeElement;
  if (!at || !at.matches(selector)) return null;
  const style = getComputedStyle(at);
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const box = at.getBoundingClientRect();
  const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  return {ring: at.matches(':focus-visible') && (outlined || style.boxShadow !== 'none'), inside};
}"""


class Mouse:
    """Clicks, and counts them."""

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0

    def press(self, selector: str) -> None:
        self.page.locator(selector).first.click()
        self.count += 1

    def tick(self, selector: str) -> None:
        self.press(selector)

    def pick(self, box: str, value: str) -> None:
        """Open a picker and take one of its options."""
        self.press(box)
        self.press(f"{box}_list [data-value='{value}']")


class Keyboard:
    """Goes on with Tab until an element has the focus, which must be seen; then a key. Counts the keys."""

    def __init__(self, page: Any) -> None:
        self.page, self.count = page, 0

    def press(self, selector: str, key: str = "Enter") -> None:
        self.go_to(selector)
        self._key(key)

    def tick(self, selector: str) -> None:
        self.press(selector, "Space")

    def pick(self, box: str, value: str) -> None:
        """Open a picker with the arrow, and go down to one of its options."""
        self.press(box, "ArrowDown")
        option = self.page.locator(f"{box}_list [data-value='{value}']")
        option.wait_for()
        for _ in range(20):
            if option.get_attribute("aria-selected") == "true":
                self._key("Enter")
                return
            self._key("ArrowDown")
        raise AssertionError(f"the arrows don't reach {value}")

    def go_to(self, selector: str) -> None:
        self.page.locator(selector).first.wait_for()
        for _ in range(MOST_TABS):
            seen = self.page.evaluate(FOCUS, selector)
            if seen is not None:
                if seen != {"ring": True, "inside": True}:
                    raise AssertionError(f"nobody sees that {selector} has the focus: {seen}")
                return
            self._key("Tab")
        raise AssertionError(f"the keyboard doesn't reach {selector}")

    def _key(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.count += 1


def wait_until(page: Any, true: str, arg: Any = None, seconds: float = 60) -> None:
    """Until a script says true: playwright's own `wait_for_function` fails on our pages unless that is so at once,
    since their policy forbids what it evaluates again and again."""
    end = time.monotonic() + seconds
    while not page.evaluate(true, arg):
        assert time.monotonic() < end, f"not true after {seconds} s: {true}"
        page.wait_for_timeout(50)


def answered(page: Any) -> None:
    """A view of Explore has its answer."""
    page.wait_for_selector("#answer:not([aria-busy])")


def address(*ending: str) -> re.Pattern[str]:
    """A page whose address ends so, with or without a question."""
    return re.compile("".join(ending) + r"(\?.*)?$")
