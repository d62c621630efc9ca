"""What the commands of `samvad` do, one module each; `bot.cli` only reads their arguments."""
