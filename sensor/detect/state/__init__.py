"""What rules remember from packet to packet: variables, sets, thresholds, and what they have cost."""
