"""Everything paceline raises on purpose.

    PacelineError
    ├── InputError          what a caller or a file said cannot be used; names field, value, remedy
    │   ├── OrderError      a parent order, child order or instrument that breaks its own rules
    │   ├── ConfigError     a setting that is unknown or out of range
    │   ├── IngestError     a raw file that cannot become a tape
    │   ├── TapeError       a tape that is missing, damaged, or of another schema version
    │   ├── CheckpointError a checkpoint that is missing, damaged, or made for something else
    │   └── BusyError       a folder or file that another process is writing to
    ├── ExchangeError       the exchange was asked for something it cannot do
    ├── DecisionError       a policy chose what it must not
    ├── LearningError       training went astray: numbers that are none, or values that explode
    └── CapacityError       a fixed-size buffer was too small; retry with a larger one

The command line prints one of these as a single line and exits with 2. Anything else that escapes
is a fault of paceline's own.
"""

from __future__ import annotations


class PacelineError(Exception):
    """Root of the tree."""


class InputError(PacelineError, ValueError):
    """What was given cannot be used. The message names the field, the value and the remedy."""


class OrderError(InputError):
    """A parent order, child order or instrument breaks its own rules."""


class ConfigError(InputError):
    """A setting is unknown or out of range."""


class IngestError(InputError):
    """A raw file cannot become a tape."""


class TapeError(InputError):
    """A tape is missing, damaged, or written by another schema version."""


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, cannot be written, or was made for something else."""


class BusyError(InputError):
    """Another process is writing to the same folder or file."""


class ExchangeError(PacelineError):
    """The exchange was asked for something it cannot do."""


class DecisionError(PacelineError):
    """A policy chose an action that is none, or masked."""


class LearningError(PacelineError):
    """Training went astray: numbers that are none, or values that explode."""


class CapacityError(PacelineError):
    """A fixed-size buffer was too small; retry with a larger one."""
