"""TLS and SSL up to the start of encryption: hellos, certificates, fingerprints."""
