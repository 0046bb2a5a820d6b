"""Runs user code over data: map, combine, sort, merge, reduce. Synchronous, without sockets.

Reading order: `formats` (which reader: `records`, `json_lines`, `decompression`; `long_lines`), `tables`,
`fold_table` and `distinct_table` with `pump` (pairs to rows), `map_task` with `map_run` and `first_pairs`,
`sorter` (rows to sorted rows in a file), `batches`, `batch_map` and `batch_reduce` (frames in place of records
and values), `map_output` (the file between map and reduce), `merging` (sorted rows from many sources),
`reduce_task`, `map_part` (a map without a reduce), `part` (the file before the output; `part_lines`), `merge` (parts to
text), `data_file` (text to a file). Below them, `columns` and `blocks` are rows, `durable` the one way to make
a file; beside them, `program` finds the job with `syntax`, `instance` is one of it.

Callers: slot processes, the agent (`map_output`), the gateway (`ranges`, `cuts`, `merge`, `part`), and `--sequential`.
"""
