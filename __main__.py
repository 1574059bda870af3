"""One environment of the mail platform: its stack file in, its addresses and records out."""

import pulumi

from components import config
from components.outputs import outputs
from components.platform import MailPlatform, MailPlatformArgs

configuration = config.read()
platform = MailPlatform(
    "mail", MailPlatformArgs(settings=configuration.settings, given=configuration.given)
)
for name, value in outputs(configuration.settings, platform).items():
    pulumi.export(name, value)
