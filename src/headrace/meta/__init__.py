"""The meta edge: small values under keys, with revisions, transactions, leases and watches."""
