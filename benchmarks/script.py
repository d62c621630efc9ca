"""What a customer says in the benchmarks: questions, a lead over several turns, a case, its status."""

SCRIPT = (
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
