"""A demo business: a fictitious shop's customers and what they wrote, marked so that all of it goes again."""

from bot.demo.clear import remove
from bot.demo.play import add
from bot.demo.script import Counts

__all__ = ["Counts", "add", "remove"]
