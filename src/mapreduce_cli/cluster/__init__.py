"""The commands that talk to a Kubernetes cluster.

Reading order: `commands` (options of all, and how a command ends), `connection` and `api` (requests; with
`session` they alone import the Kubernetes client), `refs` and `problems` (what is asked for, what goes wrong),
`jobs` (a resource, read for people). Then the commands: `submit` with `request`, `manifests`, `refusals`,
`creation` and `following`; `get`, `describe`, `explain` with `waiting`, `logs`, `lifecycle`, `rerun`; `validate` with
`loading`; `cp` (`copy`) and `cat` with `volumes`, `helper_pod`, `transfer`, `streams`, `meter`, `decompress` and
`local_output`.
"""
