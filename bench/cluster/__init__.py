"""What is measured on a cluster of real servers."""
