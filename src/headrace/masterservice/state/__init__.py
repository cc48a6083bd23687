"""What a new leader of the master service reads from etcd before it acts."""
