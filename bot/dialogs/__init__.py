"""What the bot understands and decides. Understanding proposes commands; flows, run by a pure engine, decide."""
