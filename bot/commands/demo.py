"""`samvad demo add`."""

from bot.demo import add
from bot.knowledge.files import import_articles
from bot.records.tx import Tx
from bot.shipped import shipped


def add_demo(tx: Tx) -> str:
    """The starter articles and the demo business."""
    articles = import_articles(tx, shipped("knowledge_base"))
    made = add(tx)
    if not made.contacts:
        return "The demo business is here already."
    return (
        f"The demo business is here: {made.contacts} customers, {made.conversations} conversations,"
        f" {articles.added} new articles."
    )
