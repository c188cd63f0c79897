"""The shape of all verbs: one parser each, errors in one line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from paceline.documents import remedy_for


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and that knows what a misspelt option may have meant."""

    def error(self, message: str) -> NoReturn:
        """Leave with one line and status 2."""
        found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if found:
            names = re.findall(r"[^', ]+", found[2])
            remedy = remedy_for(found[1], names, f"give one of {', '.join(names)}")
            message = f"invalid choice: {found[1]!r}; {remedy}"
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see `{self.prog} --help`\n")

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """As usual; what no option is called is told by the parser of its verb."""
        found, left = self.parse_known_args(args, namespace)
        if left:
            verb = self._verb_of(found)
            option = next((word for word in left if word.startswith("-")), "")
            near = remedy_for(option.partition("=")[0], verb.options(), "") if option else ""
            verb.error(f"unrecognized arguments: {' '.join(left)}{'; ' if near else ''}{near}")
        return found

    def options(self) -> Iterable[str]:
        """The long options of this parser."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def _verb_of(self, found: argparse.Namespace) -> Parser:
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                chosen = action.choices.get(getattr(found, action.dest, ""))
                if isinstance(chosen, Parser):
                    return chosen._verb_of(found)
        return self


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
