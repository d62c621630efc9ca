"""The business objects, one module each: the record and its operations together.

Operations are plain functions that take a transaction `tx` first, never commit, and ask for permission
through `tx.actor`.
"""
