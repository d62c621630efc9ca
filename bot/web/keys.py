"""Keys under which the web application holds what handlers need."""

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from bot.app import App

APP: web.AppKey["App"] = web.AppKey("app")
"""The opened application: settings, store, bus, words, profile, media, channels."""

VISITOR_TYPES, AGENT_TYPES = "visitor_types", "agent_types"
"""Topics of notices that somebody is writing in a web chat just now; no record knows of it."""
