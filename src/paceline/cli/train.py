"""paceline train: a policy from a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from paceline.cli.parser import add_verb
from paceline.errors import ConfigError
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline train recipe.yaml
  paceline train recipe.yaml -o out/run --seeds 5
  tensorboard --logdir out/run

The recipe says what is trained, on which days or simulated markets, and how; `--settings` lists all
that it may say. Interrupt with Ctrl-C: the same command goes on from the last checkpoint. What is
to be used is OUT/policy, the best by validation; compare it with
  paceline compare --policies OUT/policy,ac,twap ...
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs, "train", run, "Train a policy: logs, cloning, learning offline and by working.",
        _EXAMPLES,
    )  # fmt: skip
    parser.add_argument("recipe", type=Path, nargs="?", help="YAML, see --settings")
    parser.add_argument("-o", "--out", type=Path, help="folder of the run [out/NAME]")
    parser.add_argument("--seed", type=int, help="of everything that is drawn [the recipe's]")
    parser.add_argument("--seeds", type=int, help="runs, with this seed and those after it")
    parser.add_argument("--settings", action="store_true", help="list what a recipe may say")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    import msgspec

    from paceline.config import describe, from_dict, load_yaml
    from paceline.learn.recipe import Recipe

    if args.settings:
        for row in describe(Recipe):
            unit = f" ({row.unit})" if row.unit else ""
            default = "" if row.default is msgspec.NODEFAULT else f" [{row.default}]"
            print(f"{row.path}{unit}: {row.sentence}{default}")
        return
    if args.recipe is None:
        raise ConfigError("recipe: none is given; give a YAML, and see --settings for what it says")
    recipe = load_yaml(args.recipe, Recipe)
    told = {k: v for k, v in (("seed", args.seed), ("seeds", args.seeds)) if v is not None}
    recipe = from_dict({**msgspec.to_builtins(recipe), **told}, Recipe)
    folder = args.out or Path("out") / recipe.name

    from paceline.evaluate.run_page import write_run
    from paceline.learn.pipeline import train

    with progress_bar(lines=True) as bar:
        found = train(recipe, folder, lambda what, at, of: bar.to(what, at, of))
        bar.say("writing")
        for one in found:
            write_run([one.folder], one.folder / "report.html")
        page = folder / "report.html"
        if len(found) > 1:
            write_run([one.folder for one in found], page)
    for one in found:
        best = one.best
        print(
            f"{one.folder / 'policy'}: {best['mean_bps']:.2f} bps in validation, CVaR95 "
            f"{best['cvar95_bps']:.1f}, {100 * best['fill_rate']:.1f} % filled, "
            f"{best['violations']:.0f} violations"
        )
        for name, teacher in one.teachers.items():
            print(f"  {name}: {teacher['mean_bps']:.2f} bps, {100 * teacher['fill_rate']:.1f} %")
    print(f"report: {page}")
