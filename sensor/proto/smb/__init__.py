"""SMB 1, 2 and 3 (MS-CIFS, MS-SMB, MS-SMB2): log-ons, shares, files, and the DCE/RPC calls in named pipes."""
