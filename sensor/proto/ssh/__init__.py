"""SSH up to the key exchange: banners, algorithms, fingerprints."""
