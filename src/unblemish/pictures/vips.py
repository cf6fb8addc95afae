"""libvips, set up for files from strangers: quiet, without risky loaders, without a cache of old pictures.

Import this module inside functions: it loads the native library.
"""

from __future__ import annotations

import logging

# libvips reports through this logger; what matters reaches the user as a PictureError.
logging.getLogger("pyvips").propagate = False

import pyvips  # noqa: E402

pyvips.block_untrusted_set(True)
# A file may be rewritten between two reads, and huge pictures must not linger.
pyvips.cache_set_max(0)

Image, Source, Target, Error = pyvips.Image, pyvips.Source, pyvips.Target, pyvips.Error
BLOB = pyvips.GValue.blob_type


def reason(error: pyvips.Error) -> str:
    """What libvips says was wrong, as one line."""
    lines = [line.strip() for line in str(error.detail or error.message).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else "no reason given"
