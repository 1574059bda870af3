"""Text that Pulumi's state keeps, in few bytes.

bzip2 because its output is the same in every version: another machine's compressor would look like
a change.
"""

import base64
import bz2


def compressed(text: str) -> str:
    """Base64 of the compressed text."""
    return base64.b64encode(bz2.compress(text.encode())).decode()


def decompressed(text: str) -> str:
    """What `compressed` was given. Raises ValueError for anything else."""
    try:
        return bz2.decompress(base64.b64decode(text, validate=True)).decode()
    except OSError as error:
        raise ValueError(str(error)) from error
