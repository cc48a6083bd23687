"""What a proxy knows of the cluster: collections, leaders, time, and who sequences a pchannel."""
