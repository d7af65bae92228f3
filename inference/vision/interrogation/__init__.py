"""Interrogation: a picture described by a captioner, by CLIP's rankings of phrases, or by tags."""
