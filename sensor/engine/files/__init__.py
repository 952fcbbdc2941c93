"""Files that transactions have carried: as alerts tell of them, in the log, and stored."""
