#!/usr/bin/env python3
"""What pocketsphinx understands in a recording of an answer: for `lyra eval nano --recogniser`.

    pip install pocketsphinx soundfile
    lyra eval nano --data data/nano --recogniser 'python3 scripts/recognise_words.py data/nano/test/spoken_answer.jsonl {audio}'

It expects the words of the answers in a data file, in the pairs that occur there (a bigram model, absolute discounting) and any other. Words that
its dictionary lacks cannot be understood.
"""

import collections
import json
import math
import re
import sys
import tempfile

import soundfile
from pocketsphinx import Decoder, get_model_path

DISCOUNT = 0.5


def answers(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            for turn in json.loads(line)["conversations"]:
                if turn["from"] == "gpt":
                    yield re.findall(r"[a-z']+", turn["value"].lower())


def bigram_model(sentences):
    """In the ARPA format."""
    pairs = collections.Counter()
    for sentence in sentences:
        padded = ["<s>", *sentence, "</s>"]
        pairs.update(zip(padded, padded[1:]))
    befores = collections.Counter()
    ends = collections.Counter()
    for (first, second), count in pairs.items():
        befores[first] += count
        ends[second] += count
    total = sum(ends.values())
    followers = collections.Counter(first for first, _ in pairs)
    words = ["<s>", *sorted(ends)]
    lines = ["\\data\\", f"ngram 1={len(words)}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    for word in words:
        probability = math.log10(ends[word] / total) if ends[word] else -99
        backoff = math.log10(DISCOUNT * followers[word] / befores[word]) if befores[word] else 0
        lines.append(f"{probability:.4f} {word} {backoff:.4f}")
    lines += ["", "\\2-grams:"]
    for (first, second), count in sorted(pairs.items()):
        share = (count - DISCOUNT) / befores[first] + DISCOUNT * followers[first] / befores[first] * ends[second] / total
        lines.append(f"{math.log10(share):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: recognise_words.py ANSWERS.jsonl AUDIO")
    samples, rate = soundfile.read(sys.argv[2], dtype="int16")
    if rate != 16000 or samples.ndim != 1:
        sys.exit("the recording is not 16 kHz mono")
    with tempfile.NamedTemporaryFile("w", suffix=".arpa") as model:
        model.write(bigram_model(answers(sys.argv[1])))
        model.flush()
        decoder = Decoder(
            hmm=get_model_path("en-us/en-us"), dict=get_model_path("en-us/cmudict-en-us.dict"), lm=model.name, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    print(hypothesis.hypstr if hypothesis else "")


if __name__ == "__main__":
    main()
