"""What inpainting decides before and after the network: mask, work area, start, seam."""
