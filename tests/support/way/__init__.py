"""One row on its way through a running cluster: the watch, and the cluster."""
