"""paceline train: a policy from a recipe."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from paceline.cli.flags import check_counts
from paceline.cli.parser import add_verb
from paceline.cli.terminal import need
from paceline.errors import ConfigError
from paceline.files.alone import alone_in
from paceline.progress import progress_bar

_EXAMPLES = """\
examples:
  paceline train recorded --tape tapes/ --train 2003-01-13..2003-02-14 \\
      --validation 2003-02-18..2003-02-28
  paceline train simulated --market yhoo-2003 --seeds 5
  paceline train recipe.yaml -o out/run
  tensorboard --logdir out/run

The recipe says what is trained, on which days or simulated markets, and how; `--settings` lists all
that it may say. recorded, simulated and demo are shipped: `--show` prints one, to begin your own
with. Interrupt with Ctrl-C: the same command goes on from the last checkpoint. What is
to be used is OUT/policy, the best by validation; compare it with
  paceline compare --policies OUT/policy,ac,twap ...
"""


def add(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs, "train", run, "Train a policy: logs, cloning, learning offline and by working.",
        _EXAMPLES,
    )  # fmt: skip
    parser.add_argument("recipe", nargs="?", help="YAML, see --settings, or one that is shipped")
    parser.add_argument("--tape", nargs="+", help="tape folders, or folders of them [the recipe's]")
    parser.add_argument("--train", help="days to train on, FROM..TO")
    parser.add_argument("--validation", help="later days that say when to stop, FROM..TO")
    parser.add_argument("--market", help="names or YAML of simulated markets, comma-separated")
    parser.add_argument("-o", "--out", type=Path, help="folder of the run [out/NAME]")
    parser.add_argument("--seed", type=int, help="of everything that is drawn [the recipe's]")
    parser.add_argument("--seeds", type=int, help="runs, with this seed and those after it")
    parser.add_argument("--settings", action="store_true", help="list what a recipe may say")
    parser.add_argument("--show", action="store_true", help="print the recipe, and train nothing")


def run(args: argparse.Namespace) -> None:
    """Run it."""
    from paceline.config import describe
    from paceline.learn.recipe import Recipe
    from paceline.learn.shipped import read_recipe, recipe_text, shipped_recipes

    if args.settings:
        width = shutil.get_terminal_size().columns
        rows = list(describe(Recipe))
        for k, row in enumerate(rows):
            unit = f" ({row.unit})" if row.unit else ""
            is_listed = any(r.path.startswith(f"{row.path}.") for r in rows[k + 1 : k + 2])
            line = f"{row.path}{unit}: {row.sentence}{_default(row.default, is_listed)}"
            print(textwrap.fill(line, width, subsequent_indent="    ", break_on_hyphens=False))
        return
    if args.recipe is None:
        raise ConfigError(
            f"recipe: none is given; give a YAML (see --settings), or one of "
            f"{', '.join(shipped_recipes())}"
        )
    if args.show:
        print(recipe_text(args.recipe), end="")
        return
    markets = args.market.split(",") if args.market else None
    data = {"tapes": args.tape, "train": args.train, "validation": args.validation,
            "markets": markets}  # fmt: skip
    check_counts(seed=args.seed, seeds=args.seeds)
    more = {"seed": args.seed, "seeds": args.seeds}
    recipe, notes = read_recipe(args.recipe, _given(data), **_given(more))
    for note in notes:
        print(note, file=sys.stderr)
    folder = args.out or Path("out") / recipe.name
    need("torch", "safetensors", "onnx", "tensorboard")  # now, and not when the work is done

    from paceline.evaluate.notes import merged
    from paceline.evaluate.run_files import read_run
    from paceline.evaluate.run_page import headline, write_run
    from paceline.learn.pipeline import train

    with alone_in(folder), progress_bar(lines=True) as bar:
        found = train(recipe, folder, lambda what, at, of: bar.to(what, at, of))
        bar.say("writing")
        for one in found:
            write_run([one.folder], one.folder / "report.html")
        page = folder / "report.html"
        if len(found) > 1:
            write_run([one.folder for one in found], page)
    print(headline([read_run(one.folder) for one in found]))
    for one in found:
        best = one.best
        print(
            f"{one.folder / 'policy'}: {_told(best)}, CVaR95 {best['cvar95_bps']:.1f}, "
            f"{best['violations']:.0f} violations"
        )
        for name, teacher in one.teachers.items():
            print(f"  {name}: {_told(teacher)}")
    for note in merged(note for one in found for note in one.notes):
        print(note, file=sys.stderr)
    print(f"report: {page}")


def _default(value: object, is_listed: bool) -> str:
    """The default of a setting as a recipe says it; a group `is_listed` if its own settings
    follow, which say theirs."""
    import msgspec

    if value is msgspec.NODEFAULT or is_listed:
        return ""
    plain = msgspec.to_builtins(value)
    text = plain if isinstance(plain, str) else json.dumps(plain)
    return f" {text}" if text.startswith("[") else f" [{text}]"


def _told(validated: dict[str, float]) -> str:
    """The score first: by its mean alone one who leaves shares looks cheap."""
    return (
        f"score {validated['score']:.2f}, {validated['mean_bps']:.2f} bps in validation, "
        f"{100 * validated['fill_rate']:.1f} % filled"
    )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
