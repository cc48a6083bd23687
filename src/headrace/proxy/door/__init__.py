"""The gRPC door: the socket, what all calls have in common, and refusals of what is not served."""
