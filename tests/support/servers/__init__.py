"""Real servers for tests, on free loopback ports: etcd, NATS and S3."""
