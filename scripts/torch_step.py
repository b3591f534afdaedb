# One training step as `lyra bench --train` measures it, written in PyTorch: the same networks, sizes, sequences, precision and
# optimiser, on random weights and inputs. Reads one line of JSON as the bench prints it; prints {size: seconds a step}.
#
#   lyra bench --train --preset nano | tail -1 | python scripts/torch_step.py --threads 2 --steps 5
import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, 1e-6)


class Adapted(nn.Module):
    """A linear map with a low-rank adapter beside it, as PEFT does it."""

    def __init__(self, inputs, outputs, bias, rank, scale, dropout):
        super().__init__()
        self.base = nn.Linear(inputs, outputs, bias=bias)
        self.a = nn.Linear(inputs, rank, bias=False)
        self.b = nn.Linear(rank, outputs, bias=False)
        self.scale, self.dropout = scale, nn.Dropout(dropout)

    def forward(self, x):
        return self.base(x) + self.b(self.a(self.dropout(x))) * self.scale


def rotate(x, cosine, sine):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1).to(x.dtype)


class DecoderLayer(nn.Module):
    def __init__(self, s, linear):
        super().__init__()
        d, f, self.heads, self.kv_heads = s["hidden"], s["intermediate"], s["heads"], s["kv_heads"]
        self.dim = d // self.heads
        self.q, self.o = linear(d, d, True), linear(d, d, False)
        self.k, self.v = (linear(d, self.kv_heads * self.dim, True) for _ in range(2))
        self.gate, self.up, self.down = linear(d, f, False), linear(d, f, False), linear(f, d, False)
        self.norm1, self.norm2 = RMSNorm(d), RMSNorm(d)

    def forward(self, x, cosine, sine):
        b, n, d = x.shape
        h = self.norm1(x)
        q = self.q(h).view(b, n, self.heads, self.dim).transpose(1, 2)
        k = self.k(h).view(b, n, self.kv_heads, self.dim).transpose(1, 2)
        v = self.v(h).view(b, n, self.kv_heads, self.dim).transpose(1, 2)
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, n, d))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class EncoderLayer(nn.Module):
    """Of Whisper and of the vision tower: pre-norm, full attention, plain feed-forward."""

    def __init__(self, width, heads, inner, activation):
        super().__init__()
        self.heads, self.activation = heads, activation
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x, rotation=None):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if rotation is not None:
            q, k = rotate(q, *rotation), rotate(k, *rotation)
        a = F.scaled_dot_product_attention(q, k, v)
        x = x + self.o(a.transpose(1, 2).reshape(b, n, d))
        return x + self.fc2(self.activation(self.fc1(self.norm2(x))))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Whisper(nn.Module):
    def __init__(self, s):
        super().__init__()
        w = s["width"]
        self.conv1 = nn.Conv1d(s["mel_bins"], w, 3, padding=1)
        self.conv2 = nn.Conv1d(w, w, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.randn(s["positions"], w))
        self.layers = nn.ModuleList(EncoderLayer(w, s["heads"], s["intermediate"], F.gelu) for _ in range(s["layers"]))
        self.norm = nn.LayerNorm(w)

    def forward(self, mel):
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2).float() + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)


class Vision(nn.Module):
    def __init__(self, s, out):
        super().__init__()
        w = s["width"]
        self.embed = nn.Linear(s["patch_values"], w, bias=False)
        self.layers = nn.ModuleList(EncoderLayer(w, s["heads"], s["intermediate"], quick_gelu) for _ in range(s["layers"]))
        self.norm, self.merge = nn.LayerNorm(w), 4 * w
        self.fc1, self.fc2 = nn.Linear(4 * w, 4 * w), nn.Linear(4 * w, out)
        self.pairs = w // s["heads"] // 2

    def forward(self, patches):  # [pictures, patches, values]
        x = self.embed(patches).float()
        angles = torch.outer(torch.arange(patches.shape[1], dtype=torch.float32), torch.ones(self.pairs))
        rotation = (angles.cos(), angles.sin())
        for layer in self.layers:
            x = layer(x, rotation)
        x = self.norm(x).reshape(x.shape[0], -1, self.merge)
        return self.fc2(F.gelu(self.fc1(x)))


class Lyra(nn.Module):
    def __init__(self, s, adapted, dropout, checkpoints):
        super().__init__()
        language = s["language"]
        d = language["hidden"]
        linear = lambda i, o, bias: nn.Linear(i, o, bias=bias)
        if adapted:
            linear = lambda i, o, bias: Adapted(i, o, bias, s["rank"], s["alpha"] / s["rank"], dropout)
        self.checkpoints = checkpoints
        self.embed = nn.Embedding(language["vocabulary"], d)
        self.layers = nn.ModuleList(DecoderLayer(language, linear) for _ in range(language["layers"]))
        self.norm = RMSNorm(d)
        self.stack = s["speech_stack"]
        self.projector = nn.Sequential(
            nn.Linear(self.stack * s["speech"]["width"], s["projector_width"]), nn.ReLU(), nn.Linear(s["projector_width"], d))
        # What is frozen is computed once for all steps, so it is not here.
        self.whisper = None if adapted else Whisper(s["speech"])
        self.vision = None if adapted else Vision(s["vision"], d)
        self.dim = d // language["heads"]

    def forward(self, text, speech, pictures, targets):
        if self.whisper is not None:
            speech, pictures = self.whisper(speech), self.vision(pictures)
        b = text.shape[0]
        speech = self.projector(speech.reshape(b, -1, self.stack * speech.shape[-1]))
        x = torch.cat((pictures.float(), speech.float(), self.embed(text).float()), 1)
        angles = torch.outer(
            torch.arange(x.shape[1], dtype=torch.float32),
            1e6 ** (-torch.arange(0, self.dim, 2, dtype=torch.float32) / self.dim))
        cosine, sine = angles.cos(), angles.sin()
        for layer in self.layers:
            x = checkpoint(layer, x, cosine, sine, use_reentrant=False) if self.checkpoints else layer(x, cosine, sine)
        states = self.norm(x[:, -targets.shape[1] - 1:-1])
        logits = F.linear(states, self.embed.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def measure(case, steps, checkpoints):
    torch.manual_seed(0)
    s, adapted, bf16 = case["sizes"], case["trains"] == "adapter", case["precision"] == "bf16"
    model = Lyra(s, adapted, case["dropout"], checkpoints)
    if adapted:
        for name, parameter in model.named_parameters():
            trains = ".a." in name or ".b." in name or name.startswith("projector")
            parameter.requires_grad_(trains)
            if not trains and bf16:
                parameter.data = parameter.data.to(torch.bfloat16)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0, fused=True)
    n, language = case["samples"], s["language"]
    text = torch.randint(language["vocabulary"], (n, case["text_tokens"]))
    targets = text[:, -case["targets"]:]
    if adapted:
        speech = torch.randn(n, s["speech"]["positions"], s["speech"]["width"])
        pictures = torch.randn(n, case["patches"] // 4, language["hidden"])
    else:
        speech = torch.randn(n, s["speech"]["mel_bins"], 2 * s["speech"]["positions"])
        pictures = torch.randn(n, case["patches"], s["vision"]["patch_values"])
    seconds = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = model(text, speech, pictures, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


arguments = argparse.ArgumentParser()
arguments.add_argument("--threads", type=int, default=2)
arguments.add_argument("--steps", type=int, default=3)
arguments.add_argument("--checkpointing", action="store_true", help="recompute layers in the backward pass")
options = arguments.parse_args()
torch.set_num_threads(options.threads)
cases = json.loads(sys.stdin.readlines()[-1])["train"]
print(json.dumps({name: measure(case, options.steps, options.checkpointing) for name, case in cases.items()}))
