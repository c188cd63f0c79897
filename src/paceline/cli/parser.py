"""The shape of all verbs: one parser each, errors in one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")


def add_verb(verbs: Any, name: str, run: Callable[..., None], help: str, epilog: str = "") -> Any:
    """A verb with its help; `run` is called with what was asked for."""
    parser = verbs.add_parser(
        name,
        help=help,
        description=help,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser
