"""The terminal as it is: any encoding, a reader that has gone, missing extras."""

from __future__ import annotations

import codecs
import contextlib
import importlib
import os
import sys
from typing import Any

_PLAIN = {
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u2026": "...", "\u00b1": "+-", "\u00d7": "x",
    "\u2265": ">=", "\u2264": "<=", "\u2192": "->", "\u2588": "#", "\u00b7": ".", "\u2019": "'",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u00b5": "u", "\u03bb": "lambda",
    "\u00b2": "2", "\u2500": "-", "\u2501": "-", "\u2022": "*", "\u2713": "yes",
}  # fmt: skip
"""What paceline prints beyond ASCII, in ASCII."""

_EXTRAS = {
    "torch": "learn", "safetensors": "learn", "onnx": "learn", "onnxruntime": "learn",
    "tensorboard": "learn", "databento_dbn": "databento", "stable_baselines3": "continuous",
}  # fmt: skip
"""Packages that not every installation has, and the extra that brings them."""


def prepare() -> None:
    """Let no output fail for want of a character or a display.

    What the encoding of stdout or stderr lacks is written in ASCII, as `_PLAIN` has it or as `?`.
    Figures are files, so matplotlib needs no display, whatever the shell says of one.
    """
    codecs.register_error("paceline", _written_plainly)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="paceline")  # type: ignore[union-attr]
    os.environ["MPLBACKEND"] = "agg"


def _written_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, "?") for letter in lost), error.end


def show(what: Any) -> None:
    """Print tables and texts of rich, as wide as the terminal is."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich leaves with status 1

    Ours().print(what)


def flush() -> None:
    """Write what is buffered now, so that what goes wrong is told by us, not by the interpreter."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def stop_writing() -> None:
    """The reader of our output has seen enough: what is left goes nowhere, and is no error."""
    with contextlib.suppress(AttributeError, ValueError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def need(*packages: str) -> None:
    """Raises `ModuleNotFoundError` for the first package that is not installed."""
    for package in packages:
        importlib.import_module(package)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """The line about a package that an extra brings; None where it is another one."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return None
    return f"{package}: is not installed; install it with pip install 'paceline[{extra}]'"
