"""DINO's augmentation with torchvision on PIL pictures, for augmentation.ts: makes `count` batches of views from square
pictures of noise in one process and prints the seconds of the fastest.

    python3 bench/augmentation.py BATCH SOURCE_SIZE GLOBAL_SIZE LOCAL_SIZE LOCAL_COUNT COUNT
"""

import random
import sys
import time

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms
from torchvision.transforms.functional import InterpolationMode

batch, source, global_size, local_size, local_count, count = map(int, sys.argv[1:])


class Blur:
    def __init__(self, chance):
        self.chance = chance

    def __call__(self, picture):
        if random.random() >= self.chance:
            return picture
        return picture.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2)))


def views(size, scale, blur, solarize):
    jitter = transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size, scale=scale, interpolation=InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([jitter], p=0.8),
            transforms.RandomGrayscale(0.2),
            Blur(blur),
            transforms.Lambda(lambda p: ImageOps.solarize(p) if random.random() < solarize else p),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )


first, second = views(global_size, (0.4, 1), 1, 0), views(global_size, (0.4, 1), 0.1, 0.2)
local = views(local_size, (0.05, 0.4), 0.5, 0)
noise = np.random.default_rng(1)
pictures = [Image.fromarray(noise.integers(0, 256, (source, source, 3), dtype=np.uint8)) for _ in range(batch)]
best = float("inf")
for _ in range(count):
    started = time.perf_counter()
    torch.stack([make(picture) for make in (first, second) for picture in pictures])
    if local_count:
        torch.stack([local(picture) for _ in range(local_count) for picture in pictures])
    best = min(best, time.perf_counter() - started)
print(best)
