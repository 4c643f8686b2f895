"""What was recorded, for people: turns → lines for a terminal, tables, pages. No I/O, and no click.

`ink` is the only way to a terminal: it makes every character of a line visible.
"""
