"""Rules at work: the consumer of the log that carries them out, their due times, their runs, and the dry run.

What a rule is stands in `bot.crm.rule`; docs/rules.md is the page for those who write them.
"""
