"""The page of an automation rule: its editor with a live check and a trial, its runs, its versions."""
