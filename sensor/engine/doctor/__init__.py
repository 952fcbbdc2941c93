"""What `xensor doctor` and `xensor run -T` look at: the machine, what dom0 tells, what arrives on the interfaces."""
