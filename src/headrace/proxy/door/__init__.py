"""The gRPC door: connections, methods, and refusals of what is not served."""
