"""The front door: a Milvus gRPC service that checks rows, cuts them and hands them on."""
