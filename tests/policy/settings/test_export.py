"""Settings as an output, and read back."""

import pytest

from policy.settings import Settings
from policy.settings.export import exported, unpacked
from tests.examples import LARGE, SMALL, settings_of


@pytest.mark.parametrize("raw", [SMALL, LARGE, SMALL | {"domains": []}])
def test_what_is_exported_is_read_back(raw: dict[str, object]) -> None:
    settings = settings_of(raw)
    assert Settings.model_validate(unpacked(exported(settings))) == settings


def test_unpublished_domains_are_exported_in_the_same_order_each_time() -> None:
    names = [f"d{number}.example" for number in range(200)]
    domains = [{"name": name} for name in names]
    settings = settings_of(SMALL, domains=domains, unpublished=names)
    again = settings_of(SMALL, domains=domains, unpublished=names[::-1])
    assert exported(settings) == exported(again)
    assert Settings.model_validate(unpacked(exported(settings))).unpublished == frozenset(names)


def test_a_hundred_thousand_domains_are_few_bytes_each() -> None:
    names = [f"shop-{number * 7919 % 100_003}.example" for number in range(5000)]
    domains = [{"name": name, "dkim": {"keys": "brand"}} for name in names]
    assert len(exported(settings_of(SMALL, domains=domains))["domains"]) < 40 * len(domains)


@pytest.mark.parametrize("domains", ["", "no Base64", "QUJD", 7, None])
def test_what_is_no_export_is_refused(domains: object) -> None:
    with pytest.raises(ValueError):
        unpacked({**exported(settings_of(SMALL)), "domains": domains})
