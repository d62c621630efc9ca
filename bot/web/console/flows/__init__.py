"""The console's pages of flows: what the bot does, drawn, edited, tried and published."""
