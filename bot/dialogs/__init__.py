"""What the bot understands and decides: understanding proposes, flows run by a pure engine decide."""
