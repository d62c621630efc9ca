"""Conversations and the books of the pipe: lanes, inbox, messages, outbox, timers, and the outbound gate."""
