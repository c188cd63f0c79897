"""People who may release what was thrown, and their secrets."""

from __future__ import annotations

from pathlib import Path

from paceline.guard.people import People, Signed

ANN = Signed("ann", "ann's secret")
BOB = Signed("bob", "bob's secret")


def people(folder: Path) -> People:
    """Ann and Bob, who may do everything, and Cal, who may only throw."""
    known = People.create(folder / "people.json")
    known.add(ANN.name, ANN.secret)
    known.add(BOB.name, BOB.secret)
    known.add("cal", "cal's secret", may=("throw",))
    return known
