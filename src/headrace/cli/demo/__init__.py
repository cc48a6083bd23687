"""`headrace demo`: real text in, one data node killed, every row of the files compared."""
