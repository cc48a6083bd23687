"""Names for the integers that identify things.

**Owns** the aliases. **Does not own** how ids are given out (the master service leases ranges).
Plain integers, so that columns of ids stay columns; the aliases say which integer is meant.
"""

from typing import TypeAlias

CollectionId: TypeAlias = int
PartitionId: TypeAlias = int
SegmentId: TypeAlias = int
FieldId: TypeAlias = int
RowId: TypeAlias = int
ServerId: TypeAlias = int  # belongs to one process; a restarted process has another
MessageId: TypeAlias = int  # place of a message in its pchannel, 1 is the first
Term: TypeAlias = int  # message id of the TermStart that began it
Epoch: TypeAlias = int  # number of a vchannel's assignment
Version: TypeAlias = int  # of a collection: every DDL raises it by one
Revision: TypeAlias = int  # of the meta store

DEFAULT_PARTITION = "_default"  # Milvus's name of the partition that every collection has
ALL_PARTITIONS: PartitionId = 0  # where a delete names one; no partition has this id
