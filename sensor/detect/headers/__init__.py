"""Rule headers: addresses, ports, protocol, direction and flags, tested in columns before anything else."""
