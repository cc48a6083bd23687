"""Insert, upsert and delete: from a client's message to parts that stand in the log.

In order: who the request is (`identity`), its columns checked (`rows_check`, `columns`) or its keys
read (`expressions`), the parts that it is cut into (`plan`, `cut`), and the sending of each
(`sending`). `writes` holds the steps together.
"""
