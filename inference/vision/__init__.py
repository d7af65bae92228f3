"""Networks that look at images: describe them, mark parts of them, score them."""
