"""The pipe: channel → inbox → turn → outbox → channel. docs/developer.md follows one message through it."""
