"""What ComfyUI's nodes say: links, values, LoRAs and texts."""
