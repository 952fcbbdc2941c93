"""Where events go. I/O."""
