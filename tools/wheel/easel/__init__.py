"""Easel, a Discord bot that edits pictures: the one name that its wheel takes.

Bot, inference and storage lie in `app` beside this file, where no other project's packages of
those names can be met; they are importable in Easel's own processes alone.
"""
