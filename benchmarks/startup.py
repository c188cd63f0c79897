"""Start-up: seconds until `import paceline` and `paceline --help` are done, as whole processes.

python -m benchmarks.startup
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.figure import AT_MOST, announce, digits, median, seconds_of

BAR_S = 0.5

IMPORT = "import paceline"
# What the console script does.
HELP = (
    "import sys; sys.argv = ['paceline', '--help']; from paceline.cli import main; sys.exit(main())"
)


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    code = {"bare_python": "pass", "import": IMPORT, "help": HELP}
    took: dict[str, list[float]] = {name: [] for name in code}
    for name in code:
        _process(code[name])  # writes the byte code
    for _ in range(runs):
        for name, source in code.items():
            took[name].append(seconds_of(lambda source=source: _process(source)))
    slowest = max(median(took["import"]), median(took["help"]))
    return announce(
        "startup",
        slowest,
        "s",
        BAR_S,
        AT_MOST,
        runs=runs,
        median_s={name: digits(median(seconds), 3) for name, seconds in took.items()},
        worst_s={name: digits(max(seconds), 3) for name, seconds in took.items()},
    )


def _process(source: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"startup: {source!r} failed\n{done.stderr}")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
