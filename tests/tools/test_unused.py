"""Nothing in the product waits for a test to call it."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tools.unused import KEPT, ROOT, unused

FILES = {
    "manage.py": "from shop.management import run\nrun()\n",
    "shop/__init__.py": "from shop import words\n",  # which the walk must not follow for ever
    "shop/management/__init__.py": "from shop.prices import sell\n\n\ndef run():\n    sell(1)\n",
    "shop/prices.py": """
from shop.rules import Rule as Law
from shop import words

FEE = 2
SPARE = 3


def sell(price):
    return Law().cost(price) + words.LENGTH


def refund(price):
    return _half(price)


def _half(price):
    return price / 2
""",
    "shop/rules.py": """
from shop.prices import FEE


class Rule:
    def cost(self, price):
        return price + FEE

    def waive(self):
        return 0


class Old(Rule):
    def save(self):
        return self.waive()


def refund():
    return FEE


def shown():
    return FEE
""",
    "shop/words.py": "LENGTH = 4\nREFUND = 'shop.rules.refund'\n",
    "shop/urls.py": "urlpatterns = ['shop.rules.by_address']\n",
    "templates/page.html": "<p>shown elsewhere</p>{{ price|shown }}\n",
    "tests/__init__.py": "",
    "tests/test_prices.py": "from shop.prices import SPARE, refund\n\nrefund(SPARE)\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small site: `sell` is sold by the command, `refund` by its test alone."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def names(root: Path, kept: Collection[str] = ()) -> set[str]:
    return {one.short for one in unused(root, kept=kept)}


@pytest.mark.slow
def test_product__every_definition__is_reached_without_tests() -> None:
    assert [f"{one.where}: {one.name}" for one in unused(ROOT)] == []


@pytest.mark.slow
def test_kept__every_entry__is_reached_by_nobody() -> None:
    hidden = KEPT.keys() - names(ROOT)  # methods of a class that is kept itself

    assert [entry for entry in hidden if entry not in names(ROOT, KEPT.keys() - {entry})] == []


def test_unused__what_only_a_test_calls__is_listed_with_what_it_needs(shop: Path) -> None:
    # `refund` of the rules shares its name and isn't taken for the other.
    named_alike = {"rules:refund", "words:REFUND"}
    assert (
        names(shop) == {"prices:SPARE", "prices:refund", "prices:_half", "rules:Old", "rules:Rule.waive"} | named_alike
    )


def test_unused__kept__reaches_on(shop: Path) -> None:
    assert names(shop) - names(shop, kept=("prices:refund",)) == {"prices:refund", "prices:_half"}


def test_unused__called_by_a_command_template_or_dotted_string__is_not_listed(shop: Path) -> None:
    (shop / "shop/words.py").write_text("LENGTH = len('shop.rules.refund')\n")

    assert names(shop) == {"prices:SPARE", "prices:refund", "prices:_half", "rules:Old", "rules:Rule.waive"}
