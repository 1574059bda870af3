"""Properties of a release's id."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.release import Release, ReleaseFile
from policy.render import render_mta
from policy.render.example import example_addresses
from tests.examples import LARGE, mta_of, settings_of, stand_in_secrets

PATHS = st.from_regex(r"/etc/[a-z]{1,8}", fullmatch=True)
FILES = st.lists(
    st.builds(
        ReleaseFile,
        path=PATHS,
        content=st.binary(max_size=20),
        mode=st.sampled_from([0o600, 0o644]),
        secret=st.booleans(),
    ),
    min_size=1,
    unique_by=lambda file: file.path,
)


def id_of(files: list[ReleaseFile], digest_key: str = "key", **more: object) -> str:
    return Release(
        host="mta",
        role="mta",
        files=tuple(files),
        digest_key=digest_key,
        kumomta_version="1",
        **more,  # type: ignore[arg-type]
    ).id


def test_rendering_again_gives_the_same_bytes_and_the_same_id() -> None:
    assert mta_of(LARGE) == mta_of(LARGE)


@given(FILES, st.randoms())
def test_the_order_of_files_does_not_matter(files: list[ReleaseFile], random: object) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert id_of(shuffled) == id_of(files)


@given(FILES)
def test_each_property_of_a_file_enters_the_id(files: list[ReleaseFile]) -> None:
    first, *rest = files
    changes: list[dict[str, object]] = [
        {"path": f"{first.path}-"},
        {"content": first.content + b"."},
        {"mode": 0o640},
        {"owner": "kumod"},
        {"group": "kumod"},
        {"effects": ("restart x.service",)},
    ]
    ids = {id_of([dataclasses.replace(first, **change), *rest]) for change in changes}  # type: ignore[arg-type]
    assert len(ids | {id_of(files)}) == len(changes) + 1


def test_packages_units_and_the_version_enter_the_id() -> None:
    files = [ReleaseFile(path="/a", content=b"")]
    ids = [id_of(files), id_of(files, packages=("nginx",)), id_of(files, units=("a.service",))]
    assert len(set(ids)) == len(ids)


def test_an_id_reveals_nothing_about_a_secret() -> None:
    """Whoever guesses a secret cannot check the guess without the digest key."""
    secret = ReleaseFile(path="/a", content=b"guessable", secret=True)
    assert id_of([secret], "one key") != id_of([secret], "another key")
    public = dataclasses.replace(secret, secret=False)
    assert id_of([public], "one key") == id_of([public], "another key")


def test_a_change_of_any_secret_changes_the_id_of_the_mta_host() -> None:
    settings = settings_of(LARGE)
    addresses = example_addresses(settings)

    def rendered(**changes: object) -> str:
        return render_mta(settings, "mta-1", addresses, stand_in_secrets(settings, **changes)).id

    key = dict(stand_in_secrets(settings).dkim_keys)
    key["example.com", "s1"] = "another key"
    ids = {
        rendered(),
        rendered(webhook_token="another-token-0123456789"),
        rendered(injection_token="another-token-0123456789"),
        rendered(previous_injection_token="another-token-0123456789"),
        rendered(proxy_password="another-token-0123456789"),
        rendered(certificate_key="another key"),
        rendered(dkim_keys=key),
    }
    assert len(ids) == 7


def test_two_files_of_one_path_are_refused() -> None:
    files = [ReleaseFile(path="/etc/a", content=b"1"), ReleaseFile(path="/etc/a", content=b"2")]
    with pytest.raises(ValueError, match="/etc/a"):
        id_of(files)


def test_no_secret_shows_in_the_text_of_a_release() -> None:
    assert "stand-in" not in repr(mta_of(LARGE))
