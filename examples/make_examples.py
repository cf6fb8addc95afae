"""Makes the damaged pictures of this folder from photographs in scikit-image's wheel.

    python examples/make_examples.py [FOLDER]

Needs the extra `compare`. The same command always makes the same pictures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from skimage import data

EXAMPLES = (
    # name, photograph, box in it (left, top, right, bottom), damage
    ("old_photo.jpg", "camera", (96, 32, 416, 352), "inpainting:count=6,thickness=5"),
    ("noisy_portrait.png", "astronaut", (96, 0, 352, 256), "gaussian_noise:sigma=35"),
    ("blocky_cat.jpg", "chelsea", (60, 0, 380, 300), "jpeg:quality=12"),
    ("blurred_coffee.png", "coffee", (150, 60, 406, 316), "defocus_blur:radius=2"),
    ("speckled_rocket.png", "rocket", (190, 100, 446, 356), "salt_and_pepper:density=0.05"),
    ("grainy_portrait.png", "astronaut", (96, 0, 352, 256), "poisson_noise:exponent=1.5"),
    ("shaken_cat.png", "chelsea", (60, 0, 380, 300), "camera_shake:extent=11"),
    ("worn_coffee.png", "coffee", (230, 40, 486, 296), "mild_blend"),
)


def main(folder: Path) -> None:
    """Writes every example into `folder`, replacing older ones."""
    with tempfile.TemporaryDirectory() as clean:
        for name, photograph, box, damage in EXAMPLES:
            source = Path(clean) / f"{Path(name).stem}.png"
            Image.fromarray(getattr(data, photograph)()).crop(box).save(source)
            options = ["--quality", "95"] if name.endswith(".jpg") else []
            command = [sys.executable, "-m", "unblemish", "degrade", str(source), "-o", str(folder / name)]
            subprocess.run([*command, "--with", damage, "--seed", "1", "--overwrite", *options], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
