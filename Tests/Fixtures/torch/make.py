"""Writes losses.json beside itself: what PyTorch computes for small inputs, losses in double precision from float32.
Usage: python3 make.py (needs torch)."""
import json
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(7)


def numbers(tensor):
    return [float(x) for x in tensor.detach().flatten()]


def cross_entropy():
    logits = (torch.randn(6, 37) * 3).double().requires_grad_()
    targets = torch.tensor([3, -100, 36, 0, 5, 11])
    upstream = torch.randn(6)
    losses = F.cross_entropy(logits, targets, reduction="none")
    (gradient,) = torch.autograd.grad((losses * upstream).sum(), logits)
    return dict(shape=[6, 37], logits=numbers(logits), targets=targets.tolist(), upstream=numbers(upstream),
                losses=numbers(losses), gradient=numbers(gradient))


def ctc():
    # Ragged, repeated targets, no targets, just enough frames, impossible.
    frames, lengths = [14, 9, 6, 7, 3], [5, 4, 0, 4, 3]
    targets = torch.tensor([[1, 1, 3, 6, 1], [2, 5, 2, 2, 0], [0, 0, 0, 0, 0], [4, 4, 4, 4, 0], [2, 2, 3, 0, 0]])
    logits = (torch.randn(5, 14, 8) * 2).double().requires_grad_()
    upstream = torch.randn(5)
    result = dict(shape=[5, 14, 8], blank=7, logits=numbers(logits), targets=targets.flatten().tolist(),
                  targetWidth=5, frames=frames, lengths=lengths, upstream=numbers(upstream))
    for name, zero in (("", False), ("Zeroed", True)):
        losses = F.ctc_loss(logits.log_softmax(-1).transpose(0, 1), targets, torch.tensor(frames),
                            torch.tensor(lengths), blank=7, reduction="none", zero_infinity=zero)
        if zero:
            (gradient,) = torch.autograd.grad((losses * upstream).sum(), logits)
            result["gradient"] = numbers(gradient)
        result["losses" + name] = [x if x < float("inf") else 1e39 for x in numbers(losses)]
    return result


def adamw():
    parameter = torch.randn(53).requires_grad_()
    settings = dict(lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    optimizer = torch.optim.AdamW([parameter], **settings, foreach=False)
    result = dict(start=numbers(parameter), gradients=[], parameters=[], first=[], second=[], learningRate=3e-3,
                  beta1=0.9, beta2=0.95, epsilon=1e-8, weightDecay=0.1)
    for step in range(4):
        gradient = torch.randn(53) * 10.0 ** (-step)
        parameter.grad = gradient.clone()
        optimizer.step()
        state = optimizer.state[parameter]
        result["gradients"].append(numbers(gradient))
        result["parameters"].append(numbers(parameter))
        result["first"].append(numbers(state["exp_avg"]))
        result["second"].append(numbers(state["exp_avg_sq"]))
    return result


fixtures = dict(torch=torch.__version__, crossEntropy=cross_entropy(), ctc=ctc(), adamW=adamw())
path = pathlib.Path(__file__).with_name("losses.json")
path.write_text(json.dumps(fixtures, indent=None, separators=(",", ":")) + "\n")
