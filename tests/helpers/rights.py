"""What somebody may do, as a real API server says when it is asked in that name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config

Asked = tuple[str, str]
"""A verb, and a resource as plural[.group][/subresource]."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Those of one user, in one namespace unless another is named; no namespace: everywhere."""

    reviews: client.AuthorizationV1Api
    namespace: str

    def allow(self, verb: str, resource: str, namespace: str | None = None, name: str = "") -> bool:
        """Whether that may be done."""
        kind, _, part = resource.partition("/")
        plural, _, group = kind.partition(".")
        place = self.namespace if namespace is None else namespace
        asked = client.V1ResourceAttributes(
            verb=verb, group=group, resource=plural, subresource=part, namespace=place, name=name
        )
        spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=asked)
        answer = self.reviews.create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
        assert answer.status is not None
        return answer.status.allowed

    def allowed(self, asked: Sequence[Asked], namespace: str | None = None) -> list[Asked]:
        """Of a table what may be done."""
        return [one for one in asked if self.allow(*one, namespace=namespace)]


def reviews_of(kubeconfig: Path, user: str) -> client.AuthorizationV1Api:
    """A connection that asks in the name of a user."""
    connection = config.new_client_from_config(str(kubeconfig))
    connection.set_default_header("Impersonate-User", user)
    return client.AuthorizationV1Api(connection)
