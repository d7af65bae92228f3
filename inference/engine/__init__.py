"""The engine: schedule, run, postprocess. Imports nothing by itself."""
