"""Writing the knowledge base: the shelf of all articles, the editor, versions, pictures."""
