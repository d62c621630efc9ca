"""The knowledge base as customers ask it: an index in memory, the best passage, an answer with its source."""
