"""The second half of docs/tutorial.md does what it shows, on the cluster that the other tests use."""

import yaml

from tests.support import cluster, documents, tutorial

MADE_ALREADY = "make -C ../mapreduce kind-up images kind-load deploy\n"
"""What `hack/test` and the fixture `operator` did, with the images of this tree."""


def test_the_tutorial_does_what_it_shows_on_a_cluster(tmp_path, namespace):
    state = tmp_path / "cluster"
    state.mkdir()
    (state / "bin").symlink_to(cluster.STATE / "bin")
    config = yaml.safe_load(cluster.KUBECONFIG.read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace.name
    (state / "kubeconfig").write_text(yaml.safe_dump(config))
    # Where the document reads the cluster's address, it finds this test's namespace.
    environment = tutorial.environment(tmp_path, REPOSITORY=str(documents.ROOT), CLUSTER_STATE=str(state))

    cloning, demo, *steps = tutorial.read()
    assert demo.commands == "make demo\n"
    assert [step.commands for step in steps].count(MADE_ALREADY) == 1
    tutorial.run([cloning], tmp_path, environment)
    tutorial.stand_in_for_setup(tmp_path / "mapreduce")
    tutorial.run(
        [step for step in steps if step.commands != MADE_ALREADY], tmp_path / "mapreduce", environment, patience=300
    )
