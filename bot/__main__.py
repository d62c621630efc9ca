"""`python -m bot`: the `samvad` command from a checkout."""

from bot.cli import main

main()
