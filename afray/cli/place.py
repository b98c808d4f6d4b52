"""Which cluster and namespace a command speaks to: the options that all of them share, spelled as kubectl's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afray.cli.requirements import require_cluster_extra

if TYPE_CHECKING:
    from afray.client.jobs import Jobs

NameArgument = Annotated[str, typer.Argument(help="Name of the SelectionJob.")]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace. Default: the context's.", show_default=False)
]
ContextOption = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig. Default: its current one.")
]
KubeconfigOption = Annotated[
    Path | None, typer.Option("--kubeconfig", help="Default: KUBECONFIG, else ~/.kube/config, else the pod's account.")
]


@contextmanager
def jobs_of(command: str, namespace: str | None, context: str | None, kubeconfig: Path | None) -> Iterator[Jobs]:
    """The SelectionJobs that the options name; raises EnvironmentFault where there is no way to a cluster."""
    require_cluster_extra(f"afray {command}")
    from afray.client.connecting import connect
    from afray.client.jobs import Jobs

    cluster = connect(kubeconfig, context, namespace)
    with closing(cluster.client):
        yield Jobs(cluster)
