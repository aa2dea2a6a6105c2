"""Object storage for tests: the servers of two clouds, each in a process of its own on this machine."""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest
from joblib.externals.loky import get_reusable_executor


class Cloud(NamedTuple):
    """A server of object storage.

    Attributes:
        packages: Module to what installs it; without one of them the tests are skipped.
        command: What starts it, after `python -m`.
        environment: What sends a client to it.
    """

    packages: dict[str, str]
    command: str
    environment: dict[str, str]


CLOUDS = {
    "s3": Cloud(
        {"moto": "moto[server]", "s3fs": "llama-gene[cluster]"},
        "moto.server --port {port}",
        {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
    ),
    "gs": Cloud(
        {"gcp_storage_emulator": "gcp-storage-emulator", "gcsfs": "llama-gene[cluster]"},
        "gcp_storage_emulator start --host 127.0.0.1 --port {port} --in-memory --quiet",
        {
            "STORAGE_EMULATOR_HOST": "http://127.0.0.1:{port}",
            # The kind of a bucket is asked for over gRPC, which no emulator speaks: each call would wait for a minute.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            # No credentials of whoever runs the tests, and no search for those of a machine of Google's.
            "CLOUDSDK_CONFIG": "/dev/null", "GOOGLE_APPLICATION_CREDENTIALS": "", "NO_GCE_CHECK": "true",
        },
    ),
}  # fmt: skip


@contextmanager
def serving_bucket(scheme: str) -> Iterator[str]:
    """The address of an empty bucket; this process and those that it starts meanwhile find its server."""
    cloud = CLOUDS[scheme]
    for module, package in cloud.packages.items():
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install '{package}'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", *cloud.command.format(port=port).split()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cloud.environment.items():
                patch.setenv(name, value.format(port=port))
            _wait_for(server, port)
            # Workers, and clients kept open, of an earlier test know another server.
            get_reusable_executor().shutdown(wait=True)
            fsspec.get_filesystem_class(scheme).clear_instance_cache()
            fsspec.filesystem(scheme).mkdir("genes")
            yield f"{scheme}://genes"
    finally:
        server.terminate()
        server.wait()


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    while True:
        assert server.poll() is None, "the server of the cloud ended"
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def upload(folder: Path, place: Path) -> None:
    """Every file of a folder, to a place of object storage."""
    for file in folder.rglob("*"):
        if file.is_file():
            (place / file.relative_to(folder).as_posix()).write_bytes(file.read_bytes())
