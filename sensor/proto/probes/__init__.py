"""How protocols that share their beginnings are told apart."""
