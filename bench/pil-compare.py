"""The official preprocessing, for pil-compare.ts: reads picture paths from standard input, one per line, and writes the
224 x 224 RGB bytes of each to standard output, as torchvision's Resize(256, bicubic) and CenterCrop(224) make them.
Orientation and colour profiles are applied first, which the official code leaves out: they are not what is compared."""

import io
import sys

from PIL import Image, ImageCms, ImageOps

RESIZE, CROP = 256, 224
SRGB = ImageCms.createProfile("sRGB")

for line in sys.stdin:
    picture = ImageOps.exif_transpose(Image.open(line.rstrip("\n")))
    profile = picture.info.get("icc_profile")
    picture = picture.convert("RGB")
    if profile:
        picture = ImageCms.profileToProfile(picture, io.BytesIO(profile), SRGB)
    width, height = picture.size
    short = min(width, height)
    target = (int(RESIZE * width / short), int(RESIZE * height / short))
    resized = picture.resize(target, Image.BICUBIC)
    left, top = (int(round((side - CROP) / 2.0)) for side in target)
    sys.stdout.buffer.write(resized.crop((left, top, left + CROP, top + CROP)).tobytes())
