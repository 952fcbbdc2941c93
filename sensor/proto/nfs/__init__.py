"""NFS 2, 3 and 4 over ONC RPC (RFC 1094, 1813, 7530, 5531): procedures, names, files."""
