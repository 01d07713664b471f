"""Vietnamese text into the words that are spoken. Knows no voice and no order; start with ``reading``."""
