"""One DINO step after another in plain PyTorch: python3 train_torch.py '{"width": 192, "heads": 3, ...}'

Reads a line for each step, takes it, and answers with a line of JSON: seconds, loss and peak memory. Written from the
paper (Caron et al. 2021) and the description of its training: vision transformer, head, cross entropy between views,
centre, clipping by tensor, torch.optim.AdamW, moving average. Needs Debian's python3-torch; bench/train.ts starts it.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

options = json.loads(sys.argv[1])
torch.set_num_threads(options["threads"])
device = torch.device(options.get("device", "cpu"))
if device.type == "cuda":
    # Float32 as it is: Dinoscope rounds nothing either.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
        x = x + self.proj((attention @ v).transpose(1, 2).reshape(batch, tokens, width))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class Network(nn.Module):
    """Backbone and head. Views of one size go through the backbone together, all of them through the head."""

    def __init__(self, width, depth, heads, patch, grid, hidden, bottleneck, prototypes):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 1 + grid * grid, width) * 0.02)
        self.grid = grid
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)
        )
        self.last = nn.utils.weight_norm(nn.Linear(bottleneck, prototypes, bias=False))
        self.last.weight_g.data.fill_(1)
        self.last.weight_g.requires_grad = False

    def features(self, pixels):
        x = self.patches(pixels)
        side = x.shape[-1]
        x = x.flatten(2).transpose(1, 2)
        positions = self.positions[:, 1:]
        if side != self.grid:
            square = positions.reshape(1, self.grid, self.grid, -1).permute(0, 3, 1, 2)
            factor = (side + 0.1) / self.grid
            square = functional.interpolate(square, scale_factor=(factor, factor), mode="bicubic")
            positions = square.permute(0, 2, 3, 1).flatten(1, 2)
        x = torch.cat([(self.cls + self.positions[:, :1]).expand(len(x), -1, -1), x + positions], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]

    def forward(self, groups):
        return self.last(functional.normalize(self.head(torch.cat([self.features(group) for group in groups]))))


shape = [options[name] for name in ("width", "depth", "heads", "patch", "grid", "hidden", "bottleneck", "prototypes")]
student, teacher = Network(*shape).to(device), Network(*shape).to(device)
teacher.load_state_dict(student.state_dict())
for parameter in teacher.parameters():
    parameter.requires_grad = False
trained = [(name, p) for name, p in student.named_parameters() if p.requires_grad]
plain = [p for name, p in trained if p.dim() == 1 or name.endswith(".bias")]
decayed = [p for name, p in trained if not (p.dim() == 1 or name.endswith(".bias"))]
optimizer = torch.optim.AdamW([{"params": decayed}, {"params": plain, "weight_decay": 0.0}], lr=1e-4, weight_decay=0.04)
centre = torch.zeros(1, options["prototypes"], device=device)

batch, local_count = options["batch"], options["localCount"]
large = torch.rand(2 * batch, 3, options["globalSize"], options["globalSize"], device=device) * 2 - 1
small = torch.rand(local_count * batch, 3, options["localSize"], options["localSize"], device=device) * 2 - 1


def step():
    global centre
    with torch.no_grad():
        targets = teacher([large])
        sharp = ((targets - centre) / 0.04).softmax(-1).chunk(2)
    views = (student([large, small]) / 0.1).chunk(2 + local_count)
    pairs = [(q, p) for i, q in enumerate(sharp) for v, p in enumerate(views) if v != i]
    loss = sum((-q * p.log_softmax(-1)).sum(-1).mean() for q, p in pairs) / len(pairs)
    with torch.no_grad():
        centre = centre * 0.9 + targets.mean(0, keepdim=True) * 0.1
    optimizer.zero_grad()
    loss.backward()
    for _, parameter in trained:
        factor = 3.0 / (parameter.grad.norm(2) + 1e-6)
        if factor < 1:
            parameter.grad.mul_(factor)
    optimizer.step()
    with torch.no_grad():
        for follower, leader in zip(teacher.parameters(), student.parameters()):
            follower.mul_(0.996).add_(leader, alpha=0.004)
    return loss.item()


def peak_bytes():
    for line in open("/proc/self/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


for _ in sys.stdin:
    start = time.perf_counter()
    loss = step()
    print(json.dumps({"seconds": time.perf_counter() - start, "loss": loss, "peak": peak_bytes()}), flush=True)
