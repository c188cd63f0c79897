"""Markets by name: settings that were calibrated to recorded days and are shipped as YAML files.

    settings = load_market("yhoo-2003")
    settings = load_market("my/market.yaml")

A shipped file holds parameters of a fit, no recorded data; its head says what it was fitted on.
"""

from __future__ import annotations

from pathlib import Path

from paceline.config import load_yaml
from paceline.engine.market_settings import MarketSettings
from paceline.engine.worlds import walk
from paceline.errors import ConfigError

_FOLDER = Path(__file__).with_name("shipped_markets")


def shipped_markets() -> tuple[str, ...]:
    """Names of the markets that are shipped."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_market(market: str | Path) -> MarketSettings:
    """The settings of a shipped market, by its name, or those of a YAML file, by its path;
    `default` is a plain Poisson flow, and `walk` a martingale (`worlds`).

    Raises `ConfigError` for what is neither, and for a file that holds no settings of a market.
    """
    if str(market) == "default":
        return MarketSettings()
    if str(market) == "walk":
        return walk()
    if str(market) in shipped_markets():
        return load_yaml(_FOLDER / f"{market}.yaml", MarketSettings)
    path = Path(market)
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"market: {str(market)!r} is neither a file nor a market that is shipped; give a YAML "
            f"file, or one of {', '.join(shipped_markets())}, default, walk"
        )
    return load_yaml(path, MarketSettings)
