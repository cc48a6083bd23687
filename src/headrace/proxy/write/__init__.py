"""Insert, upsert and delete: from a client's message to parts that stand in the log.

In order: who the request is (`identity`), its columns checked (`rows_check`, `columns`,
`vector_columns`) or its keys read (`expressions`), the shard and partition of each row (`key_hash`,
`automatic_keys`), the parts that it is cut into (`plan`, `cut`), and the sending of each
(`sending`). `writes` holds the steps together.
"""
