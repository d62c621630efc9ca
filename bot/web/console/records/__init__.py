"""Records in the console: lists, record pages and forms of every kind, from one definition."""
