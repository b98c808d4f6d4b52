"""`make cluster`, `make cluster-down`, `make cluster-demo`, `make release`: the testbed for people."""

from __future__ import annotations

import json
import sys
import time

import typer
from rich.console import Console
from testbed import demo, instances, release
from testbed.demo import EXAMPLE, NAMESPACE, furnish, put_images
from testbed.gomodules import program
from testbed.lab import Lab, running_lab
from testbed.s3 import variables
from testbed.steps import StepFailed, step

NEXT = """
The cluster stays until `make cluster-down`. In this shell:

    export KUBECONFIG={kubeconfig}
    export PATH="{programs}:$PATH"
    kubectl get nodes,pods -A
    kubectl apply -f {job}        # {example}, with this checkout's Python mounted into its pods
    kubectl get sj -n {namespace} --watch

Its S3 server, for programs on this machine:

{variables}
"""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False, soft_wrap=True)


@app.command()
def up() -> None:
    """Start a cluster with all that a SelectionJob needs; it stays."""
    if staying := _staying():
        console.print(f"A cluster is there already: export KUBECONFIG={staying[0].folder / 'admin.kubeconfig'}")
        return
    lab = Lab.up(stays=True)
    put_images(lab)
    job = lab.cluster.instance.folder / "job.json"
    job.write_text(json.dumps(furnish(lab), indent=2))
    exports = "\n".join(f"    export {name}={value}" for name, value in variables(lab.s3.endpoint).items())
    console.print(
        NEXT.format(
            kubeconfig=lab.cluster.kubeconfig,
            programs=program("kubectl").parent,
            job=job,
            example=EXAMPLE.name,
            namespace=NAMESPACE,
            variables=exports,
        )
    )


@app.command()
def down() -> None:
    """Take away what `up` started, without a trace."""
    for instance in _staying():
        with step(f"taking {instance.name} down"):
            instance.down()


@app.command("demo")
def run_demo() -> None:
    """Run the example for a cluster and compare it with a run on this machine; the cluster goes away at the end."""
    started = time.monotonic()
    with running_lab() as lab:
        demo.run_demo(lab)
    console.print(f"{time.monotonic() - started:.0f} s in all")


@app.command("release")
def make_release() -> None:
    """Pack this version's chart, wheel and requirements, and keep them for upgrade tests."""
    console.print(f"kept in {release.release()}; commit it")


def _staying() -> list[instances.Instance]:
    return [instance for instance in instances.existing() if instance.stays]


def main() -> None:
    """Run a command; a failed step is told in a few lines."""
    try:
        app()
    except StepFailed as error:
        Console(stderr=True, highlight=False).print(str(error), style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
