"""What Python's transformers and peft make of a checkpoint's language model and an adapter folder, for PeftTests.
Needs torch, transformers (4.45 was used), peft (0.12) and safetensors.
Usage: peft_logits.py MODEL ADAPTER ID...    Prints JSON: logits of every token, and what is in non_lora_trainables."""

import json
import os
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import Qwen2Config, Qwen2ForCausalLM


def main(model_folder, adapter, ids):
    with open(f"{model_folder}/config.json") as file:
        config = json.load(file)
    # Without pictures the language model is a plain Qwen2: all three position axes agree.
    names = ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
             "vocab_size", "rms_norm_eps", "rope_theta", "tie_word_embeddings"]
    model = Qwen2ForCausalLM(Qwen2Config(**{name: config[name] for name in names}, attn_implementation="eager")).float()
    weights = {name: value.float() for name, value in load_file(f"{model_folder}/model.safetensors").items()}
    missing, _ = model.load_state_dict(weights, strict=False)
    assert set(missing) <= {"lm_head.weight"}, missing
    model.tie_weights()
    with torch.no_grad():
        base = model(torch.tensor([ids])).logits[0]
        adapted = PeftModel.from_pretrained(model, adapter)(torch.tensor([ids])).logits[0]
    extra = {}
    if os.path.exists(f"{adapter}/non_lora_trainables.bin"):
        extra = torch.load(f"{adapter}/non_lora_trainables.bin", weights_only=True)
    elif os.path.exists(f"{adapter}/non_lora_trainables.safetensors"):
        extra = load_file(f"{adapter}/non_lora_trainables.safetensors")
    print(json.dumps({
        "base": base.flatten().tolist(), "adapted": adapted.flatten().tolist(),
        "trainables": {name: {"shape": list(value.shape), "sum": value.double().sum().item()} for name, value in extra.items()},
    }))


main(sys.argv[1], sys.argv[2], [int(value) for value in sys.argv[3:]])
