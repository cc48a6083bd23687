"""The servers that standalone and the tests start: etcd, NATS, S3, each as a child process."""
