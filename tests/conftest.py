"""What holds for every test."""

from hypothesis import settings

# A busy machine makes a right answer late, never wrong: no example is timed.
settings.register_profile("easel", deadline=None)
settings.load_profile("easel")
