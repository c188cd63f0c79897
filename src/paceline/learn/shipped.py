"""Recipes by name: what experiment found to work, shipped as YAML files without data.

    recipe = load_recipe("recorded", {"tapes": ["tapes/"], "train": ..., "validation": ...})
    recipe = load_recipe("my/recipe.yaml")

`docs/experiments.md` says what was tried on the way to them, and what they came to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paceline.config import from_dict, read_yaml
from paceline.documents import MOST_YAML_BYTES, read_text, shown
from paceline.errors import ConfigError, InputError
from paceline.learn.recipe import DataRecipe, Recipe
from paceline.learn.spellings import in_our_words

_FOLDER = Path(__file__).with_name("shipped_recipes")


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that are shipped."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_recipe(recipe: str | Path, data: Mapping[str, Any] | None = None, **more: Any) -> Recipe:
    """A shipped recipe, by its name, or that of a YAML file; `data` goes over its own data, and
    `more` over the rest.

    Raises `ConfigError` for what is neither, and for a file that holds no recipe.
    """
    return read_recipe(recipe, data, **more)[0]


def read_recipe(
    recipe: str | Path, data: Mapping[str, Any] | None = None, **more: Any
) -> tuple[Recipe, list[str]]:
    """The same, and notes on what in it was taken for what (see `spellings`)."""
    path = _path(recipe)
    raw = read_yaml(path) or {}
    try:
        if not isinstance(raw, Mapping):
            return from_dict(raw, Recipe), []
        raw, notes = in_our_words({**raw, **more})
        if data:
            own = raw.get("data") or {}
            if not isinstance(own, Mapping):
                raise ConfigError(f"data: {shown(own)} is not a group; give `key: value` lines")
            raw["data"] = {k: v for k, v in own.items() if DataRecipe.also.get(k, k) not in data}
            raw["data"] |= data
        return from_dict(raw, Recipe), notes
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def recipe_text(recipe: str | Path) -> str:
    """A recipe as it is written. Raises `ConfigError` as `load_recipe` does."""
    try:
        return read_text(_path(recipe), MOST_YAML_BYTES)
    except InputError as error:
        raise ConfigError(f"recipe: {error}") from None


def _path(recipe: str | Path) -> Path:
    if str(recipe) in shipped_recipes():
        return _FOLDER / f"{recipe}.yaml"
    path = Path(recipe)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"recipe: {str(recipe)!r} is neither a file nor a recipe that is shipped; give a YAML "
            f"file, or one of {', '.join(shipped_recipes())}"
        )
    return path
