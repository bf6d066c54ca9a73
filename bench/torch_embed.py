"""The same picture and weights through PyTorch and PIL: python3 torch_embed.py WEIGHTS.safetensors HEADS LIST OUT

LIST holds one path a line; OUT gets the L2-normalised CLS vectors as little-endian float32. Written from the
description of the transformer in the DINO paper (Caron et al. 2021, section 3.2) and of its evaluation (eval_knn.py:
shorter side to 256 by PIL's bicubic, centre crop 224, ImageNet statistics). Needs Debian's python3-torch and python3-pil.
"""

import json
import struct
import sys

import numpy
import torch
from PIL import Image, ImageOps


def read_safetensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + length + start : 8 + length + end], dtype="<f4").copy()
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors


def pixels_of(path):
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    size = (256, int(256 * height / width)) if width == short else (int(256 * width / height), 256)
    picture = picture.resize(size, Image.BICUBIC)
    left, top = round((size[0] - 224) / 2.0), round((size[1] - 224) / 2.0)
    picture = picture.crop((left, top, left + 224, top + 224))
    values = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32) / 255).permute(2, 0, 1)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (values - mean) / std


def norm(x, weights, name):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], 1e-6)


def linear(x, weights, name):
    return torch.nn.functional.linear(x, weights[name + ".weight"], weights[name + ".bias"])


def embed(pixels, weights, heads):
    patches = torch.nn.functional.conv2d(
        pixels, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=16
    )
    x = patches.flatten(2).transpose(1, 2)
    x = torch.cat([weights["cls_token"].expand(len(x), -1, -1), x], 1) + weights["pos_embed"]
    batch, tokens, width = x.shape
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    for i in range(depth):
        name = f"blocks.{i}."
        qkv = linear(norm(x, weights, name + "norm1"), weights, name + "attn.qkv")
        q, k, v = qkv.reshape(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-2, -1) * (width // heads) ** -0.5).softmax(-1)
        x = x + linear((attention @ v).transpose(1, 2).reshape(batch, tokens, width), weights, name + "attn.proj")
        hidden = torch.nn.functional.gelu(linear(norm(x, weights, name + "norm2"), weights, name + "mlp.fc1"))
        x = x + linear(hidden, weights, name + "mlp.fc2")
    return torch.nn.functional.normalize(norm(x, weights, "norm")[:, 0])


def main():
    weights_file, heads, list_file, out = sys.argv[1:5]
    weights = read_safetensors(weights_file)
    with torch.no_grad(), open(out, "wb") as file:
        for path in open(list_file, encoding="utf-8").read().splitlines():
            vector = embed(pixels_of(path)[None], weights, int(heads))
            file.write(vector.numpy().astype("<f4").tobytes())


main()
