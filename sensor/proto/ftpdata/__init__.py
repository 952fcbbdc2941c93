"""Data connections of FTP: one file each, whatever its bytes look like."""
