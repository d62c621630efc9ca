"""The page of the business: when customers may book, and with whom."""
