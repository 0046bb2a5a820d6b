"""Runs user code over data: map, combine, sort, merge, reduce. Synchronous, without sockets.

Reading order: `records` (bytes to records), `tables` (pairs to sorted rows), `map_task`,
`map_output` (the file between map and reduce), `merging` (sorted rows from many sources),
`reduce_task`, `map_part` (a map without a reduce), `part` (the file before the output), `merge`
(parts to text). Below them, `blocks` is the one codec of rows, `durable` the one way to make a file.

Callers: slot processes, the gateway (`ranges`, `merge`, `part`), and `--sequential`.
"""
