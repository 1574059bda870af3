"""The sandbox's AWS account: clients of its moto server, and what follows from changes in it."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from standins.pulumi.aws import strict
from standins.pulumi.aws.conditions import CONDITIONS, Pace
from standins.pulumi.errors import ProviderError
from standins.pulumi.properties import Properties

ACCOUNT_ID = "123456789012"
DEFAULT_REGION = "us-east-1"
_TRIES = 25
"""The provider's own (`maxRetries`)."""

_CONFIG = Config(
    max_pool_connections=64,
    retries={"total_max_attempts": 1},
    # A bucket's name is no host name of this machine.
    s3={"addressing_style": "path"},
)

# boto3's clients are made at run time; their stubs are not part of the project.
Client = Any


class Account:
    """Clients by service and region; thread-safe."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.Session(
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",  # noqa: S106 - moto takes any
        )
        self._clients: dict[tuple[str, str, bool], Client] = {}
        self._lock = threading.Lock()
        self.conditions = CONDITIONS
        self._route53_pace = Pace()

    def client(self, service: str, region: str, *, paced: bool = True) -> Client:
        """The client of a service; making one is slow, so it is kept.

        `paced` False is for what AWS does inside, which uses up nobody's requests.
        """
        with self._lock:
            key = (service, region, paced)
            if key not in self._clients:
                client = self._session.client(
                    service,  # type: ignore[call-overload]
                    region_name=region,
                    endpoint_url=self.endpoint,
                    config=_CONFIG,
                )
                client.meta.events.register_last("before-parameter-build", strict.check)
                if paced:
                    client.meta.events.register_last("before-parameter-build", self._hold_back)
                self._clients[key] = client
            return self._clients[key]

    def _hold_back(self, model: OperationModel, **_more: Any) -> None:
        """Retries throttled calls, as the provider does."""
        for _ in range(_TRIES):
            if model.service_model.service_name == "route53":
                self._route53_pace(self.conditions.route53_rate)
            if not self.conditions.is_throttled():
                return
        raise strict.refusal(model.name, "Throttling", "Rate exceeded")

    def regions(self, service: str) -> list[str]:
        """The regions in which the service has been used."""
        with self._lock:
            return sorted({region for name, region, _ in self._clients if name == service})


def region_of(config: Properties, inputs: Properties) -> str:
    """The resource's own region, else the provider's."""
    return str(inputs.get("region") or config.get("region") or DEFAULT_REGION)


@contextmanager
def api_errors() -> Iterator[None]:
    """Errors of the API, in the words of the real provider."""
    try:
        yield
    except ClientError as error:
        details = error.response["Error"]
        raise ProviderError(
            f"operation error {error.operation_name}: api error {details.get('Code')}:"
            f" {details.get('Message')}"
        ) from error
    except ParamValidationError as error:
        # The message shows values, and a value may be secret.
        raise ProviderError(re.sub(r"value: .*?, type: ", "type: ", str(error))) from error
    except ResponseParserError as error:
        raise ProviderError("the sandbox's AWS failed inside: see the providers' log") from error


def absent(error: ClientError) -> bool:
    """Whether the API says that it does not exist."""
    code = str(error.response["Error"].get("Code", ""))
    return (
        "NotFound" in code  # also ServerSideEncryptionConfigurationNotFoundError
        or "NotAttached" in code
        or code.startswith("NoSuch")
        or code in ("404", "ResourceNotFound")
    )


class Coalesced:
    """Runs an effect on whole states: callers that come while it runs share the next run.

    A caller returns when a run that began after its call has ended, so that what it changed is in
    force; a thousand records then cost a few runs, not a thousand.
    """

    def __init__(self, effect: Callable[[], None]) -> None:
        self._effect = effect
        self._turn = threading.Lock()
        self._asked = itertools.count(1)
        self._newest = 0
        self._done = 0
        self._failure: Exception | None = None

    def __call__(self) -> None:
        mine = self._newest = next(self._asked)
        with self._turn:
            if self._done < mine:
                upto, self._failure = self._newest, None
                try:
                    self._effect()
                except Exception as error:
                    self._failure = error
                self._done = upto
            if self._failure is not None:
                raise self._failure
