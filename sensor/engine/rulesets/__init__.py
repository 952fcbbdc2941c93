"""What is made of rules alone and kept on disk, and the sets that they share from run to run."""
