"""`python -m paceline` is `paceline`."""

from paceline.cli import main

raise SystemExit(main())
