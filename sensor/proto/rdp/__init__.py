"""RDP up to the choice of security: what follows is encrypted by default."""
