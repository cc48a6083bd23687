"""The client of the front door: Milvus's messages, and when a call is tried again."""
