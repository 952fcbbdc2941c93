"""Migration streams of Xen: a guest's memory on its way to another host, in clear."""
