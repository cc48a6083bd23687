"""What a proxy knows of the others: collections, leaders, and who sequences a pchannel."""
