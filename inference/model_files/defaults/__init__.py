"""How a checkpoint draws best: said by a file beside it, by the catalogue, or by its family."""
