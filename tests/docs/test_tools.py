"""What makes the generated parts of pages."""

from __future__ import annotations

import re

import pytest

from docs.tools import math_hook, package_graph
from docs.tools.blocks import cell, filled, names, table
from docs.tools.method_pages import overview
from kdbench.plugins.loading import installed

PAGE = "Before\n\n<!-- generated: greeting you -->\nold\n<!-- end -->\n\nAfter\n"


def test_blocks_are_made_again_and_the_rest_stays() -> None:
    made = filled(PAGE, {"greeting": lambda name: f"Hello {name}"})
    assert made == PAGE.replace("old\n", "\nHello you\n\n")
    assert filled(made, {"greeting": lambda name: f"Hello {name}"}) == made
    assert names(PAGE) == {("greeting", "you")}


def test_a_block_that_nothing_makes() -> None:
    with pytest.raises(KeyError, match="greeting"):
        filled(PAGE, {})


def test_tables() -> None:
    assert table(["a", "b"], [["1", cell("x | y\nz")]]) == "| a | b |\n| --- | --- |\n| 1 | x \\| y z |"


def test_a_circle_of_packages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in a circle: (a → b → a|b → a → b)"):
        package_graph.check_no_circle({"a": {"b"}, "b": {"a"}})


def test_only_needed_arrows_are_strong() -> None:
    assert package_graph.reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_package_without_a_layer_is_named() -> None:
    with pytest.raises(ValueError, match="no layer holds attic"):
        package_graph.svg({"attic": set(), "cli": set()}, [["cli"]])


def test_a_picture_has_a_box_for_each_package_and_an_arrow_for_each_import() -> None:
    picture = package_graph.svg({"a": {"b", "c"}, "b": {"c"}, "c": set()}, [["a"], ["b"], ["c"]])
    assert picture.count("<rect") == 3
    assert picture.count("<path") == 3
    assert picture.count('class="implied"') == 1


def test_formulas_become_mathml_while_pages_are_built() -> None:
    """As pymdownx.arithmatex leaves them, with its escapes."""
    page = r'<p>if <span class="arithmatex">\(a &lt; b_t\)</span> or <code>$PATH</code></p>'
    made = math_hook.on_page_content(page, page=None)
    assert made.startswith("<p>if <math")
    assert "<mo>&lt;</mo>" in made
    assert made.endswith(" or <code>$PATH</code></p>")
    with pytest.raises(ValueError, match="expected a formula in LaTeX"):
        math_hook.on_page_content(r'<span class="arithmatex">\(\frac{1}{\)</span>')


def test_formulas_of_pages_keep_their_backslashes_in_markdown() -> None:
    """A backslash before punctuation is an escape of Markdown, and a pipe ends a cell."""
    for line in overview("strategy", installed()).splitlines()[2:]:
        formulas = line.split(" | ")[1].split("$")[1::2]
        assert formulas
        assert not [text for text in formulas if re.search(r"\\[,;{}|]", text)]
