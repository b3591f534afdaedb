# Writes this folder with MLX's Python package (pip install "mlx[cpu]" numpy): a table and three linear layers, quantised as
# mlx-lm's convert does (mlx.nn.quantize, settings per layer in config.json, one layer left alone), with outputs to compare.
import json
import pathlib

import mlx.core as mx
import mlx.nn as nn

here = pathlib.Path(__file__).parent
mx.random.seed(7)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(24, 128)
        self.up_proj = nn.Linear(128, 64, bias=True)
        self.down_proj = nn.Linear(64, 32, bias=False)
        self.plain_proj = nn.Linear(32, 16, bias=False)


model = Model()
model.update(nn.utils.tree_map(lambda w: w.astype(mx.bfloat16), model.parameters()))
config = {"quantization": {"group_size": 64, "bits": 4, "mode": "affine"}}


def predicate(path, module):
    if path == "plain_proj":
        config["quantization"][path] = False
        return False
    if path == "down_proj":
        config["quantization"][path] = {"group_size": 32, "bits": 8}
        return config["quantization"][path]
    return hasattr(module, "to_quantized")


nn.quantize(model, group_size=64, bits=4, class_predicate=predicate)
config["quantization_config"] = config["quantization"]
weights = dict(nn.utils.tree_flatten(model.parameters()))
mx.save_safetensors(str(here / "model.safetensors"), weights, metadata={"format": "mlx"})
(here / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def matrix(name):
    setting = config["quantization"].get(name) or config["quantization"]
    if f"{name}.scales" not in weights:
        return weights[f"{name}.weight"].astype(mx.float32)
    parts = [weights[f"{name}.{part}"] for part in ("weight", "scales", "biases")]
    parts[1:] = [part.astype(mx.float32) for part in parts[1:]]
    return mx.dequantize(*parts, group_size=setting["group_size"], bits=setting["bits"])


ids = mx.array([3, 23, 0, 11, 3])
x = matrix("embed_tokens")[ids]
up = x @ matrix("up_proj").T + weights["up_proj.bias"].astype(mx.float32)
down = up @ matrix("down_proj").T
plain = down @ matrix("plain_proj").T
mx.save_safetensors(
    str(here / "expected.safetensors"),
    {"ids": ids.astype(mx.int32), "embedded": x, "up": up, "down": down, "plain": plain},
)
