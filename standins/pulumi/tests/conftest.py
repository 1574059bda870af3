from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from standins.pulumi.service import Service
from standins.pulumi.tests.engine import Engine
from standins.pulumi.tests.machine import RecordingHosts


@pytest.fixture(scope="session")
def _shared() -> Iterator[tuple[Service, RecordingHosts]]:
    hosts = RecordingHosts()
    service = Service(lambda _: hosts)
    yield service, hosts
    service.stop()


@pytest.fixture
def service(_shared: tuple[Service, RecordingHosts]) -> Service:
    """All providers, with an empty AWS account."""
    running, hosts = _shared
    urlopen(Request(f"{running.endpoints.moto_url}/moto-api/reset", method="POST")).close()
    vars(hosts).update(vars(RecordingHosts()))
    running.account.conditions.reset()
    return running


@pytest.fixture
def hosts(service: Service, _shared: tuple[Service, RecordingHosts]) -> RecordingHosts:
    return _shared[1]


@pytest.fixture
def aws(service: Service) -> Iterator[Engine]:
    engine = Engine(service.endpoints.aws)
    engine.configure(region="eu-west-1")
    yield engine
    engine.close()
