"""What users see when a bucket cannot or will not serve: bounded in time, without secrets, with a next step."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import pickle
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from helpers.answering_server import Answer, answering
from helpers.s3_server import S3Server, environment, free_port

from afray.errors import AfrayError, Retryable, StorageError
from afray.storage.settings import VARIABLES, connect
from afray.storage.store import AccessDenied, ObjectMissing, Store, StoreFull, StoreRefused, StoreUnreachable

USES: Mapping[str, Callable[[Store], object]] = {
    "read": lambda store: store.read("key"),
    "read a range": lambda store: store.read_range("key", 0, 10),
    "look": lambda store: store.head("key"),
    "create": lambda store: store.create("key", b"1"),
    "overwrite": lambda store: store.overwrite("key", b"1"),
    "list": lambda store: list(store.list()),
    "delete": lambda store: store.delete("key"),
}
IMPATIENT = {"AFRAY_STORE_RETRY_SECONDS": "0.3", "AFRAY_STORE_SILENCE_SECONDS": "0.3"}
SECRET = "only-for-tests"


def store_at(endpoint: str, **more: str) -> Store:
    return Store.open("s3://plant/out", environment=environment(endpoint) | IMPATIENT | more)


def answer_of(status: int, code: str | None = None) -> Answer:
    """An S3 error as real servers write it: the access key and what was signed included."""
    quoted = f"<AWSAccessKeyId>loopback</AWSAccessKeyId><StringToSign>{SECRET}</StringToSign>"
    body = f"<Error><Code>{code}</Code>{quoted}</Error>"
    return Answer(status, body.encode() if code else b"", {"Content-Type": "application/xml"})


def outcome_of(use: Callable[[Store], object], store: Store) -> AfrayError:
    with pytest.raises(AfrayError) as raised:
        use(store)
    assert SECRET not in str(raised.value)
    assert "loopback" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "s3://plant/out" in str(raised.value)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    return raised.value


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize(("status", "code"), [(403, "SignatureDoesNotMatch"), (401, "Unauthorized"), (403, None)])
def test_wrong_credentials_fail_at_once_and_for_good(use: Callable[[Store], object], status: int, code: str) -> None:
    answer = answer_of(status, code)
    with answering(answer) as endpoint:
        error = outcome_of(use, store_at(endpoint))
    assert type(error) is AccessDenied
    assert isinstance(error, StorageError)
    assert len(answer.requests) == 1
    assert "Check the access keys" in str(error)


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_overloaded_store_is_tried_again_for_a_while_and_then_worth_another_run(
    use: Callable[[Store], object],
) -> None:
    answer = answer_of(503, "SlowDown")
    with answering(answer) as endpoint:
        error = outcome_of(use, store_at(endpoint))
    assert type(error) is StoreUnreachable
    assert isinstance(error, Retryable)
    assert 2 <= len(answer.requests) <= 20


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_an_endpoint_where_nobody_listens_fails_in_bounded_time(use: Callable[[Store], object]) -> None:
    start = time.monotonic()
    error = outcome_of(use, store_at(f"http://127.0.0.1:{free_port()}"))
    assert time.monotonic() - start < 10
    assert type(error) is StoreUnreachable
    assert "AWS_ENDPOINT_URL" in str(error)


def test_patience_can_be_set() -> None:
    start = time.monotonic()
    outcome_of(USES["read"], store_at(f"http://127.0.0.1:{free_port()}", AFRAY_STORE_RETRY_SECONDS="1.5"))
    assert 1.5 <= time.monotonic() - start < 10


def test_a_store_that_comes_back_in_time_is_no_failure() -> None:
    answer = Answer(503, headers={"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    with answering(answer) as endpoint:
        recovery = threading.Timer(0.5, lambda: setattr(answer, "status", 200))
        recovery.start()
        assert store_at(endpoint, AFRAY_STORE_RETRY_SECONDS="20").read("key") == b""
        recovery.join()


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_store_that_never_answers_fails_in_bounded_time(use: Callable[[Store], object]) -> None:
    start = time.monotonic()
    with answering(Answer(200, delay=threading.Event())) as endpoint:
        error = outcome_of(use, store_at(endpoint))
        assert time.monotonic() - start < 10
    assert type(error) is StoreUnreachable
    assert "no answer in time" in str(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (507, "XMinioStorageFull", StoreFull),
        (501, "NotImplemented", StoreRefused),
        (400, "ExpiredToken", AccessDenied),
        (400, "AuthorizationHeaderMalformed", StoreRefused),
        (301, "PermanentRedirect", StoreRefused),
        (500, "InternalError", StoreUnreachable),
        (429, "TooManyRequests", StoreUnreachable),
    ],
)
def test_every_other_no_says_whether_trying_again_helps(status: int, code: str, kind: type[AfrayError]) -> None:
    with answering(answer_of(status, code)) as endpoint:
        assert type(outcome_of(USES["create"], store_at(endpoint))) is kind


@pytest.mark.s3
@pytest.mark.parametrize("name", ["read", "create", "overwrite", "list"])
def test_a_bucket_that_does_not_exist_is_named_as_such(s3_server: S3Server, name: str) -> None:
    store = Store.open("s3://nobody-made-it/out", environment=s3_server.environment)
    with pytest.raises(StoreRefused, match=r"s3://nobody-made-it/out.*no such bucket"):
        USES[name](store)


@pytest.mark.parametrize("name", ["create", "overwrite", "list"])
def test_a_404_for_what_needs_no_object_means_the_bucket(name: str) -> None:
    with answering(answer_of(404)) as endpoint, pytest.raises(StoreRefused, match="no such bucket"):
        USES[name](store_at(endpoint))


def test_a_404_for_a_read_means_the_object() -> None:
    with answering(answer_of(404, "NoSuchKey")) as endpoint, pytest.raises(ObjectMissing):
        store_at(endpoint).read("key")


def test_a_conflict_with_a_writer_that_vanishes_is_no_creation_and_no_object() -> None:
    answer = Answer(409, other_statuses={"HEAD": 404})
    with answering(answer) as endpoint:
        error = outcome_of(USES["create"], store_at(endpoint))
    assert type(error) is StoreUnreachable
    assert sum(request.startswith("PUT") for request in answer.requests) == 3


def test_a_conflict_with_a_writer_that_succeeds_is_an_object_that_exists() -> None:
    answer = Answer(409, headers={"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}, other_statuses={"HEAD": 200})
    with answering(answer) as endpoint:
        assert store_at(endpoint).create("key", b"1") is False


def test_without_credentials_the_error_names_them_and_not_a_service_of_the_cloud() -> None:
    with answering(Answer(404)) as endpoint:
        variables = environment(endpoint) | IMPATIENT | {"AWS_METADATA_ENDPOINT": endpoint}
        del variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
        with pytest.raises(AccessDenied, match="AWS_ACCESS_KEY_ID"):
            Store.open("s3://plant/out", environment=variables).read("key")


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": ""}, "AWS_ALLOW_HTTP=true"),
        ({"AWS_ENDPOINT_URL": "minio.internal:9000"}, "Write https://<host>"),
        ({"AWS_ENDPOINT_URL": f"https://me:{SECRET}@minio"}, "Write https://<host>"),
        ({"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": SECRET}, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Missing SecretAccessKey"),
        ({"AFRAY_STORE_RETRY_SECONDS": "ten"}, "AFRAY_STORE_RETRY_SECONDS: 'ten' is no number"),
        ({"AFRAY_STORE_SILENCE_SECONDS": "-1"}, "above 0"),
        ({"AWS_CA_BUNDLE": "/no/such/file.pem"}, "AWS_CA_BUNDLE: No such file"),
    ],
)
def test_a_setting_that_cannot_work_is_named_before_anything_is_sent(
    variables: Mapping[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    store = Store.open("s3://plant/out", environment=environment("http://127.0.0.1:1") | dict(variables))
    with pytest.raises(StoreRefused) as refusal:
        store.read("key")
    assert problem in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_a_store_with_a_private_authority_is_trusted_through_the_ca_bundle(tmp_path: Path) -> None:
    authority, server = write_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(server)
    answer = Answer(200, b"content", {"ETag": '"1"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    with answering(answer, tls) as endpoint:
        assert type(outcome_of(USES["read"], store_at(endpoint, AWS_CA_BUNDLE=""))) is StoreUnreachable
        assert store_at(endpoint, AWS_CA_BUNDLE=str(authority)).read("key") == b"content"


def write_certificates(folder: Path) -> tuple[Path, Path]:
    """Write an authority's certificate, and the key and the certificate of a server on loopback."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    authority = certificate_of("authority", authority_key, authority_key, constraints)
    loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = certificate_of("server", server_key, authority_key, loopback)
    (folder / "authority.pem").write_bytes(authority)
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + server)
    return folder / "authority.pem", folder / "server.pem"


def certificate_of(
    subject: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
) -> bytes:
    name, issuer = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (subject, "authority"))
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    signed = builder.add_extension(extension, critical=True).sign(signer, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def test_the_environment_of_the_process_is_used_where_none_is_given(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    store = Store.open(s3_server.new_bucket())
    assert store.create("a", b"1")
    assert store.read("a") == b"1"


@pytest.mark.parametrize("uri", ["gs://plant/out", "az://plant/out"])
def test_other_clouds_go_through_the_same_seam(uri: str) -> None:
    """Only that a client is made of their settings: no server of theirs runs here."""
    account = {"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": True}
    variables = {
        "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account),
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"not a key").decode(),
    }
    store = Store.open(uri, environment=variables)
    assert store.child("x").address("y") == f"{uri}/x/y"
    assert store.local_path("y") is None


@pytest.mark.parametrize("scheme", VARIABLES)
def test_every_variable_that_is_read_is_one_that_the_client_knows(scheme: str) -> None:
    # Many need a partner or a better value; none may be unknown.
    problems = {name: problem_with(scheme, name) for name in VARIABLES[scheme]}
    assert not {name: problem for name, problem in problems.items() if "is not valid for store" in problem}


def problem_with(scheme: str, name: str) -> str:
    try:
        connect(scheme, "plant", {name: "https://loopback" if "URL" in name else "true"})
    except StoreRefused as refusal:
        return str(refusal)
    return ""


@pytest.mark.s3
@pytest.mark.parametrize(("name", "end"), [("AWS_ENDPOINT_URL", "/"), ("AWS_ENDPOINT_URL_S3", "")])
def test_an_endpoint_may_be_given_in_each_usual_way(s3_server: S3Server, name: str, end: str) -> None:
    variables = dict(s3_server.environment)
    variables[name] = variables.pop("AWS_ENDPOINT_URL") + end
    store = Store.open(s3_server.new_bucket(), environment=variables)
    assert store.create("a/b", b"1")
    assert store.read("a/b") == b"1"
    assert [entry.key for entry in store.list()] == ["a/b"]
