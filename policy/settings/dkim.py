"""DKIM keys: their selectors, which of them signs, and their kind."""

from typing import Annotated, Literal

from pydantic import Field

from policy.contract import ED25519_SUFFIX
from policy.settings.base import Label, Model, Moment, stamp, unit

Algorithm = Literal["rsa", "ed25519"]

RSA_BITS = (2048, 3072, 4096)
"""Receivers ignore RSA under 1024 bits, distrust it under 2048, and few verify over 4096."""


ROTATION = frozenset({"selectors", "active", "made", "seen", "since"})
"""Fields that only make sense together: an owner has all of them from one place."""


class DkimKeys(Model):
    """Two selectors are published from the start: one signs, the other is the next key.

    `ping8 rotate dkim` writes `active` and the times, which are the state of a rotation.
    """

    selectors: tuple[Label, Label] = Field(
        default=("s1", "s2"), description="The two published selectors."
    )
    active: Label | None = Field(
        default=None, description="The selector that signs; by default the first.", examples=["s2"]
    )
    made: dict[Label, Moment] = Field(
        default={},
        description="When a selector got a new key, which `pulumi up` makes; another time makes "
        "another key. `ping8 rotate dkim` writes it.",
        examples=[{"s1": "2026-12-01T02:30:00Z"}],
    )
    seen: dict[Label, Moment] = Field(
        default={},
        description="When all DNS servers had a selector's key. `ping8 rotate dkim` writes it.",
        examples=[{"s1": "2026-12-01T02:40:00Z"}],
    )
    since: dict[Label, Moment] = Field(
        default={},
        description="When a selector was seen to sign. `ping8 rotate dkim` writes it.",
        examples=[{"s1": "2026-12-01T04:00:00Z"}],
    )
    bits: Annotated[int, unit("bits")] = Field(
        default=2048,
        description="Size of RSA keys, in bits: 2048, 3072 or 4096; 2048 signs fastest.",
    )
    ed25519: bool = Field(
        default=False,
        description=f"Also sign with Ed25519 (RFC 8463); its selectors end in `{ED25519_SUFFIX}`.",
    )

    @property
    def active_selector(self) -> str:
        """The selector that signs."""
        return self.active or self.selectors[0]

    @property
    def idle_selector(self) -> str:
        """The selector that does not sign."""
        first, second = self.selectors
        return first if self.active_selector == second else second

    def base(self, selector: str) -> str:
        """The selector that one of `published` is made of."""
        return selector if selector in self.selectors else selector.removesuffix(ED25519_SUFFIX)

    def generation(self, selector: str) -> tuple[str, ...]:
        """What distinguishes its key from earlier ones of the selector; nothing for the first."""
        made = self.made.get(self.base(selector))
        return (stamp(made),) if made else ()

    def published(self) -> tuple[tuple[str, Algorithm], ...]:
        """Every published selector with the algorithm of its key."""
        kinds: list[tuple[str, Algorithm]] = [(selector, "rsa") for selector in self.selectors]
        if self.ed25519:
            kinds += [(f"{selector}{ED25519_SUFFIX}", "ed25519") for selector in self.selectors]
        return tuple(kinds)

    def signing(self) -> tuple[tuple[str, Algorithm], ...]:
        """Those of `published` whose keys sign."""
        active = (self.active_selector, f"{self.active_selector}{ED25519_SUFFIX}")
        return tuple(each for each in self.published() if each[0] in active)
