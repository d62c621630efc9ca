"""Samvad: an omnichannel CRM that is talked to. docs/developer.md shows the house, floor by floor."""
