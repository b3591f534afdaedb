"""Writes the data files of examples/training, and prints what is to be spoken: file, voice and text in columns.
Usage: training_examples.py FOLDER"""

import json
import sys

PICTURES = ["red_circle", "blue_square", "green_triangle", "yellow_circle"]
VOICES = ["en-gb", "en-us+f3", "en-gb-scotland"]


def turns(*texts):
    return [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]


def spell(text):
    """Stands in for speech units, which need a speech encoder to be made: every letter has three units of its own."""
    letters = [ord(c) - ord("a") for c in text.lower() if "a" <= c <= "z"]
    return [unit for letter in letters for unit in (37 * letter % 1000, (37 * letter + 13) % 1000, (37 * letter + 29) % 1000)]


def main(folder):
    samples, spoken, units = [], [], []

    def speak(name, text):
        spoken.append((f"{name}.ogg", VOICES[len(spoken) % len(VOICES)], text))
        return f"speech/{name}.ogg"

    for picture in PICTURES:
        colour, form = picture.split("_")
        image = f"images/{picture}.png"
        samples.append({
            "id": f"{picture}_text", "image": image,
            "conversations": turns("<image>\nWhat do you see?", f"A {colour} {form}.")})
        question = f"Which colour has the {form}?"
        samples.append({
            "id": f"{picture}_speech", "image": image, "speech": speak(f"{picture}_question", question),
            "speech_asr": question,
            "conversations": turns("<image>\n<speech>", f"The {form} is {colour}.")})
    for number, (question, answer) in enumerate([
            ("How many legs does a cat have?", "Four."), ("What comes after seven?", "Eight."),
            ("Is ice colder than steam?", "Yes, it is.")]):
        recording = speak(f"question_{number}", question)
        samples.append({
            "id": f"question_{number}", "speech": recording, "speech_asr": question,
            "conversations": turns("<speech>", answer)})
        samples.append({
            "id": f"transcribe_{number}", "speech": recording, "speech_asr": question,
            "conversations": turns("<speech>\nWrite down what is said.", question)})
        units.append((f"question_{number}", spell(answer)))
    samples.append({
        "id": "compare", "image": [f"images/{PICTURES[0]}.png", f"images/{PICTURES[1]}.png"],
        "speech": speak("and_the_other", "And the other one?"), "speech_asr": "And the other one?",
        "conversations": turns(
            "Which form has <image> and which colour has <image>", "The first is a circle, the second is blue.",
            "<speech>", "The other way round: red, and a square.")})
    samples.append({
        "id": "words_only", "conversations": turns("Say hello.", "Hello!", "And in French?", "Bonjour !")})

    with open(f"{folder}/train.json", "w", encoding="utf-8") as file:
        json.dump(samples, file, ensure_ascii=False, indent=1)
        file.write("\n")
    with open(f"{folder}/units.txt", "w", encoding="utf-8") as file:
        for name, values in units:
            file.write(f"{name}|{' '.join(map(str, values))}\n")
    with open(f"{folder}/speak.jsonl", "w", encoding="utf-8") as file:
        for sample in samples:
            if sample["id"].startswith("question_"):
                file.write(json.dumps(sample, ensure_ascii=False) + "\n")
    for row in spoken:
        print("\t".join(row))


main(sys.argv[1])
