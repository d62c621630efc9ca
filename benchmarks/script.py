"""What a customer says in the benchmarks: questions, a lead over several turns, a case, its status."""

_FIRST = (
    "Hello",
    "How long is the warranty on refrigerators?",
    "I want to buy a washing machine",
    "20000 rupees",
    "next week",
    "I decide myself",
    "What are your opening hours?",
    "my fridge is not cooling, I want to complain",
    "what is the status of my case?",
    "Do you deliver on Sunday?",
)
_LATER = (
    "Hello",
    "I want to buy a {product}",
    "How long is the warranty on refrigerators?",
    "my {product} is broken, I want to complain",
    "what is the status of my case?",
    "What are your opening hours?",
)
_PRODUCTS = ("television", "mixer grinder", "air conditioner", "water purifier", "microwave oven", "geyser")


def line(number: int) -> str:
    """What a customer says the `number`-th time, from 0; every line is one the bot answers."""
    if number < len(_FIRST):
        return _FIRST[number]
    cycle, place = divmod(number - len(_FIRST), len(_LATER))
    return _LATER[place].format(product=_PRODUCTS[cycle % len(_PRODUCTS)])
