"""The rpc edge: the roles as peers."""
