"""What only a running sensor has: the packet loop, its threads, what it denies itself, and what it tells of itself."""
