"""Inference: the face (jobs, events, config, errors, wire, service) and the body (torch)."""
