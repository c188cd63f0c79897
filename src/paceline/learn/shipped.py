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
from paceline.errors import ConfigError
from paceline.learn.recipe import Recipe

_FOLDER = Path(__file__).with_name("shipped_recipes")


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that are shipped."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_recipe(recipe: str | Path, data: Mapping[str, Any] | None = None, **more: Any) -> Recipe:
    """A shipped recipe, by its name, or that of a YAML file; `data` goes over its own data, and
    `more` over the rest.

    Raises `ConfigError` for what is neither, and for a file that holds no recipe.
    """
    path = _path(recipe)
    raw = read_yaml(path) or {}
    if isinstance(raw, Mapping):
        raw = {**raw, **more}
        if data:
            raw["data"] = {**(raw.get("data") or {}), **data}
    try:
        return from_dict(raw, Recipe)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def recipe_text(recipe: str | Path) -> str:
    """A recipe as it is written. Raises `ConfigError` as `load_recipe` does."""
    try:
        return _path(recipe).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{recipe}: {error.strerror}; give a readable YAML file") from None


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
