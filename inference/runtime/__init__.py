"""How networks of any kind are kept, compiled and run on a device."""
