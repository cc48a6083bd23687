"""What is measured without a cluster: one part by itself, run by hand."""
