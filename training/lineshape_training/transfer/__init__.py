"""How well transfer does on what it has not seen, beside what it must beat, and what it costs."""
