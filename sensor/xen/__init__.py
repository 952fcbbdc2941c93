"""What the host tells the sensor about itself: the health of its mirror."""
