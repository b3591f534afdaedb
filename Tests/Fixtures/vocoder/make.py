"""Writes the files beside this one: losses and gradients of a tiny vocoder in training, as PyTorch computes them in float64.

    python Tests/Fixtures/vocoder/make.py      (needs torch, transformers and safetensors)

The network is HiFi-GAN's generator over discrete units with a duration predictor, written from its definition; spectra come
from torch.stft, mel filters from transformers. VocoderGradientTests compares with the result.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers.audio_utils import mel_filter_bank

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
FLOOR, LENGTHS, MEL_LENGTH, MEL_BINS = 1e-4, [64, 128], 128, 10
CONFIG = {
    "resblock": "1", "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "upsample_initial_channel": 12,
    "resblock_kernel_sizes": [3, 5], "resblock_dilation_sizes": [[1, 3], [1, 2]], "num_embeddings": 9, "embedding_dim": 6,
    "sampling_rate": 16000,
    "dur_predictor_params": {"encoder_embed_dim": 6, "var_pred_hidden_dim": 5, "var_pred_kernel_size": 3},
}
weights = {}


def parameter(name, *shape, scale=1.0):
    fan = max(1, torch.Size(shape[1:]).numel())
    weights[name] = (torch.randn(shape) * scale / fan**0.5).float().double().requires_grad_()


def convolution(name, out, inp, kernel, transposed=False):
    parameter(f"{name}.weight", *((inp, out, kernel) if transposed else (out, inp, kernel)))
    parameter(f"{name}.bias", out, scale=0.1)


channels, embedding, hidden = CONFIG["upsample_initial_channel"], CONFIG["embedding_dim"], 5
parameter("dict.weight", CONFIG["num_embeddings"], embedding, scale=2)
convolution("conv_pre", channels, embedding, 7)
for i, (rate, kernel) in enumerate(zip(CONFIG["upsample_rates"], CONFIG["upsample_kernel_sizes"])):
    convolution(f"ups.{i}", channels >> (i + 1), channels >> i, kernel, transposed=True)
    for j, (size, dilations) in enumerate(zip(CONFIG["resblock_kernel_sizes"], CONFIG["resblock_dilation_sizes"])):
        for k in range(len(dilations)):
            for part in ("convs1", "convs2"):
                convolution(f"resblocks.{i * 2 + j}.{part}.{k}", channels >> (i + 1), channels >> (i + 1), size)
convolution("conv_post", 1, channels >> 2, 7)
for i, inp in ((1, embedding), (2, hidden)):
    convolution(f"dur_predictor.conv{i}.0", hidden, inp, 3)
    weights[f"dur_predictor.ln{i}.weight"] = (1 + 0.1 * torch.randn(hidden)).float().double().requires_grad_()
    parameter(f"dur_predictor.ln{i}.bias", hidden, scale=0.1)
parameter("dur_predictor.proj.weight", 1, hidden)
parameter("dur_predictor.proj.bias", 1, scale=0.1)


def conv(x, name, **options):
    return F.conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)


def waves(frames):
    x = conv(F.embedding(frames, weights["dict.weight"]).transpose(1, 2), "conv_pre", padding=3)
    for i, (rate, kernel) in enumerate(zip(CONFIG["upsample_rates"], CONFIG["upsample_kernel_sizes"])):
        x = F.conv_transpose1d(
            F.leaky_relu(x, 0.1), weights[f"ups.{i}.weight"], weights[f"ups.{i}.bias"], stride=rate, padding=(kernel - rate) // 2)
        blocks = []
        for j, (size, dilations) in enumerate(zip(CONFIG["resblock_kernel_sizes"], CONFIG["resblock_dilation_sizes"])):
            y = x
            for k, dilation in enumerate(dilations):
                name = f"resblocks.{i * 2 + j}"
                z = conv(F.leaky_relu(y, 0.1), f"{name}.convs1.{k}", padding=(size - 1) * dilation // 2, dilation=dilation)
                y = y + conv(F.leaky_relu(z, 0.1), f"{name}.convs2.{k}", padding=(size - 1) // 2)
            blocks.append(y)
        x = sum(blocks) / len(blocks)
    return torch.tanh(conv(F.leaky_relu(x, 0.01), "conv_post", padding=3))[:, 0]


def magnitudes(wave, length):
    spectrum = torch.stft(
        wave, length, length // 4, window=torch.hann_window(length), center=False, return_complex=True) * (4 / length)
    return torch.sqrt(spectrum.real**2 + spectrum.imag**2 + FLOOR**2)


def spectral(wave, target, lengths, mel_length, mel_bins):
    filters = torch.tensor(
        mel_filter_bank(mel_length // 2 + 1, mel_bins, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney"))
    convergence = magnitude = 0
    for length in lengths:
        ours, theirs = magnitudes(wave, length), magnitudes(target, length)
        convergence = convergence + (theirs - ours).norm() / theirs.norm() / len(lengths)
        magnitude = magnitude + F.l1_loss(theirs.log(), ours.log()) / len(lengths)
        if length == mel_length:
            bands = [torch.log(torch.einsum("bft,fm->bmt", x, filters) + FLOOR) for x in (ours, theirs)]
            mel = F.l1_loss(*bands)
    return convergence, magnitude, mel


def log_durations(units):
    x = F.embedding(units, weights["dict.weight"]).T[None]
    for i in (1, 2):
        x = F.relu(conv(x, f"dur_predictor.conv{i}.0", padding=1)).transpose(1, 2)
        x = F.layer_norm(x, (hidden,), weights[f"dur_predictor.ln{i}.weight"], weights[f"dur_predictor.ln{i}.bias"], 1e-5)
        x = x.transpose(1, 2)
    return F.linear(x.transpose(1, 2), weights["dur_predictor.proj.weight"], weights["dur_predictor.proj.bias"]).flatten()


frames = torch.randint(0, 9, (2, 40))
target = (torch.randn(2, 40 * 8) * 0.3).float().double()
runs = [([3, 1, 4, 1, 5], [2, 1, 7, 3, 1]), ([8, 0, 2], [4, 4, 1])]
convergence, magnitude, mel = spectral(waves(frames), target, LENGTHS, MEL_LENGTH, MEL_BINS)
duration = sum(
    ((log_durations(torch.tensor(u)) - torch.log(torch.tensor(d, dtype=torch.float64) + 1)) ** 2).sum() for u, d in runs) / 8
total = convergence * 1.0 + magnitude * 0.7 + mel * 2.0 + duration * 0.5
total.backward()

tensors = {name: value.detach().float() for name, value in weights.items()}
tensors |= {f"grad/{name}": value.grad.float() for name, value in weights.items()}
tensors |= {"wave": waves(frames).detach().float(), "target": target.float(), "frames": frames.int()}

# The losses alone, at the lengths that training uses.
ours = (torch.randn(2, 8192) * 0.2).float().double().requires_grad_()
theirs = (torch.randn(2, 8192) * 0.1).float().double()
losses = spectral(ours, theirs, [256, 512, 1024, 2048], 1024, 80)
sum(losses).backward()
tensors |= {"spectral/ours": ours.detach().half(), "spectral/theirs": theirs.half()}
ours = tensors["spectral/ours"].double().requires_grad_()
losses = spectral(ours, tensors["spectral/theirs"].double(), [256, 512, 1024, 2048], 1024, 80)
sum(losses).backward()
tensors["spectral/grad"] = ours.grad[:, ::8].float().contiguous()

folder = Path(__file__).parent
save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "training.safetensors")
(folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
(folder / "expected.json").write_text(json.dumps({
    "lengths": LENGTHS, "melLength": MEL_LENGTH, "melBins": MEL_BINS, "runs": [list(run) for run in runs],
    "convergence": convergence.item(), "magnitude": magnitude.item(), "mel": mel.item(), "duration": duration.item(),
    "spectral": [loss.item() for loss in losses],
}, indent=1) + "\n")
