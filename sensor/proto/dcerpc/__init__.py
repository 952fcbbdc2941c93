"""DCE/RPC (C706, MS-RPCE): interfaces that are bound, calls with their stub data. SMB's named pipes use it, too."""
