"""The web floor: webhooks, REST, console, widget, public pages."""
