"""Search: what a text is folded to, so that however a name is written or typed it is found."""
