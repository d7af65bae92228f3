"""LoRA and LyCORIS files: read, matched to a model's parts, and run beside them."""
