"""Customers who are played: conversations over the real pipe, judged by what is on record in the end.

    async with open_shop(folder) as shop:
        played = await play(shop, conversation)      # customer.py says what they type, judge.py what is wrong

The business is always the same ("Sharma Home & Health"), and it is always Monday 2026-11-23, 10:00 in India.
"""
