"""Files into a collection through the front door: each row once, however often it is killed.

What `headrace ingest` does: read a file as Arrow (`parquet`, `lines`, `texts`, `numbers`), make its
columns those of the collection (`convert`), cut them into batches (`batches`), write each batch
down (`journal`) before it is sent as a request made of the columns' buffers (`wire`), and look a
batch whose fate is unknown up in a snapshot (`lookup`). `course` puts them together.
"""
