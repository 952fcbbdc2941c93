"""RFB (VNC) up to the server's first message: versions, security, name of the desktop."""
