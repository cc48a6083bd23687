"""What the master service keeps in etcd: how it is read and how it is written."""
