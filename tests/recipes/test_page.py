from __future__ import annotations

from tests.recipes.platforms import RECIPES


def test_every_recipe_stands_on_the_page() -> None:
    page = (RECIPES / "README.md").read_text()
    files = {path.name for path in RECIPES.iterdir()} - {"README.md"}
    assert {name for name in files if f"({name})" not in page} == set()
