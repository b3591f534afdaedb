#!/usr/bin/env python3
"""Makes Tests/Fixtures/metrics: texts with the scores that the metrics' references give them.

    python3 -m venv venv && venv/bin/pip install jiwer more-itertools regex
    venv/bin/pip install --no-deps openai-whisper
    git clone https://github.com/dvlab-research/Lyra; git clone https://github.com/EvolvingLMMs-Lab/lmms-eval
    venv/bin/python scripts/make_metric_fixtures.py --lyra Lyra --lmms-eval lmms-eval Tests/Fixtures/metrics

References: jiwer (word and character errors, alignments), openai-whisper (English normaliser), the release's m4c_evaluator (VQA
accuracy, processed match), lmms-eval (ANLS, ChartQA's relaxed accuracy, MME). From the latter two, single functions are read.
"""
import argparse
import ast
import collections
import importlib.util
import json
import math
import pathlib
import random
import re
import sys
import types

import jiwer

# The normaliser alone, without the torch that the rest of whisper imports.
whisper = types.ModuleType("whisper")
whisper.__path__ = importlib.util.find_spec("whisper").submodule_search_locations
sys.modules["whisper"] = whisper
from whisper.normalizers import EnglishTextNormalizer  # noqa: E402

NUMBERS = """o oh zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion decillion
first second third fifth twelfth sixth ninth eighth ninetieth hundredth thousandth ones twos sixes tens nineties hundreds millions
minus negative plus positive pound pounds euro dollars dollar cent cents per percent and double triple point a half""".split()
FIGURES = """0 1 2 7 10 12 20 21 100 101 1,000 12,345,678 1960s 274th 32nd 1st 3.14 2.50 0.5 007 5.0 $20 $1.50 £3 €0.99 ¢7 ¢25 -5
+44 50% 7.5% 100%. 192.168.0.1 10:30 3/4 1,2,3 20million 5kg b12 $0.07 1s 2 s 3 rd 9 th 1 and 1.""".split()
CONTRACTIONS = """won't can't let's ain't y'all wanna gotta gonna i'ma imma woulda coulda shoulda ma'am mr mrs st dr prof capt gov
ald gen sen rep pres rev hon asst assoc lt col jr sr esq don't isn't they're she's he'd we'll 't've I'm he'd been she's gone it's
been he's got they'd done hmm mm mhm mmm uh um Mr. Dr. St. o'clock rock'n'roll 'tis dogs' n't""".split()
WORDS = """the a an of to in colour favourite organise theatre grey cancelled travelling aluminium catalogue defence plough jewellery
house river Ship letter quickly and not was there summer LONDON Paris question answer red blue circle don't it's naïve café Zürich
façade smørrebrød œuvre straße ÆTHER señor Łódź Þór [laughs] (pause) <unk> ... -- — “quoted” ‘single’ #5 & @home e-mail x² ½ Σίσυφος
ΟΔΟΣ ﬁne ① 日本 हिंदी ٣ ١٢ Ⅷ \u200b \u00a0 ' " % $ £. ?! , ; : . é e\u0301 İstanbul""".split(" ")
WORDS = [w for w in " ".join(WORDS).split(" ") if w]


def sentence(draw, kinds, longest=12):
    pool = {"n": NUMBERS, "f": FIGURES, "c": CONTRACTIONS, "w": WORDS}
    words = [draw.choice(pool[draw.choice(kinds)]) for _ in range(draw.randint(1, longest))]
    text = ""
    for word in words:
        text += draw.choice(["", " ", " ", " ", " ", " ", " ", "  ", ", ", ". ", "-", "\t", "\n"]) + word
    return draw.choice([text, text, text.upper(), text.capitalize()])


def normaliser(draw):
    cases = ["", " ", "Mr. and Mrs. O'Brien's colour-coded 21st century theatre.", "two and a half million dollars",
             "twenty twenty one", "nineteen eighty four", "one oh one", "double oh seven", "three point one four", "$2 and ¢7",
             "two dollars and seven cents", "fifty per cent", "fifty percent", "per cent", "minus five degrees", "plus one",
             "a hundred and one dalmatians", "a half", "and a half", "five and a half", "it and a half", "one hundred thousand",
             "six decillion and one", "zero point five million", "1 million", "2.5 million", "2.5 hundredths", "point", "point five",
             "one thousand two hundred thirty four", "the ones and the twos", "1s and 0s", "20 million euros", "I'd've been gone"]
    cases += [sentence(draw, "n", 8) for _ in range(300)] + [sentence(draw, "nf", 8) for _ in range(200)]
    cases += [sentence(draw, "cw") for _ in range(150)] + [sentence(draw, "nfcw", 16) for _ in range(250)]
    normalise = EnglishTextNormalizer()
    return [{"text": text, "expected": normalise(text)} for text in cases]


def pairs(draw):
    """Two texts, the second a damaged copy of the first."""
    vocabulary = "the cat sat on a mat while two dogs ran by and it rained all day long über naïve 42 don't".split()
    cases = [("", ""), ("a", ""), ("", "a b"), ("a b c", "a b c"), ("a", "b"), ("a b", "b a"), ("the the the", "the"),
             ("e\u0301", "é"), ("日本 語", "日本語"), ("a b c d e", "x a c d e y")]
    while len(cases) < 600:
        reference = [draw.choice(vocabulary) for _ in range(draw.randint(0, 14))]
        hypothesis = []
        for word in reference:
            fate = draw.random()
            if fate < 0.12:
                continue
            hypothesis.append(draw.choice(vocabulary) if fate < 0.3 else word)
            if fate > 0.88:
                hypothesis.append(draw.choice(vocabulary))
        if draw.random() < 0.1:
            draw.shuffle(hypothesis)
        cases.append((" ".join(reference), " ".join(hypothesis)))
    return cases


def errors(draw, process):
    lines = []
    for reference, hypothesis in pairs(draw):
        output = process(reference, hypothesis)
        chunks = [[c.type, c.ref_start_idx, c.ref_end_idx, c.hyp_start_idx, c.hyp_end_idx] for c in output.alignments[0]]
        lines.append({"reference": reference, "hypothesis": hypothesis, "hits": output.hits, "substitutions": output.substitutions,
                      "deletions": output.deletions, "insertions": output.insertions,
                      "rate": getattr(output, "wer", None) if hasattr(output, "wer") else output.cer, "chunks": chunks})
    return lines


def functions(path, names):
    """Functions and classes of a source file, without the imports of the rest."""
    tree = ast.parse(pathlib.Path(path).read_text())
    nodes = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name in names]
    for node in nodes:
        node.decorator_list = []
    quiet = type("Quiet", (), {"info": staticmethod(lambda *_: None)})
    scope = {"re": re, "math": math, "defaultdict": collections.defaultdict, "eval_logger": quiet, "tqdm": lambda x: x}
    exec(compile(ast.Module(nodes, []), str(path), "exec"), scope)
    return [scope[name] for name in names]


ANSWERS = """yes no red blue 2 two zero none 10 a the the red car a cat stop sign 3.5 1,000 1000 50% 0.5 $5 coca-cola coca cola Coca
Cola don't dont wont wouldn't've wouldntve he's hes theyre they're 7:30 pm 7.30 St. Mary's st marys rock 'n' roll 24/7 #1 e.g. U.S.A. usa
hello, world! what? [text] (text) a/b x=y <b> @home `code` C++ 12. .5 5. over-the-counter Straße STRASSE straße İ naïve 日本 \u00bd""".split(" ")


def answer(draw, data):
    kind = draw.random()
    if kind < 0.15:
        return draw.choice(list(data))
    if kind < 0.25:
        return draw.choice(list(data.values()))
    text = draw.choice([" ", " ", " ", "\n", ", ", "-", " - ", ". "]).join(draw.choice(ANSWERS) for _ in range(draw.randint(0, 4)))
    return draw.choice([text, text, text.upper(), " " + text, text + ".", text + "...." * 10 if kind > 0.97 else text])


def damaged(draw, text):
    letters = list(text)
    for _ in range(draw.randint(0, 3)):
        if letters:
            place = draw.randrange(len(letters))
            letters[place] = draw.choice(["", letters[place], letters[place].upper(), "x", "é", letters[place] + " "])
    return "".join(letters)


def vqa(draw, lyra):
    processor_class, evaluator = functions(lyra / "lyra/eval/m4c_evaluator.py", ["EvalAIAnswerProcessor", "GeneralVQAAccuracyEvaluator"])
    processor, evaluator = processor_class(), evaluator()
    lines = []
    for word in list(processor_class.CONTRACTIONS) + list(processor_class.NUMBER_MAP):
        lines.append({"answer": word, "processed": processor(word)})
    for _ in range(700):
        said = [answer(draw, processor_class.CONTRACTIONS) for _ in range(draw.randint(1, 4))]
        people = [draw.choice(said) for _ in range(10)]
        given = draw.choice(said + [answer(draw, processor_class.CONTRACTIONS), damaged(draw, said[0])])
        scores = evaluator._compute_answer_scores(people)
        processed = processor(given)
        lines.append({"answer": given, "processed": processed, "people": people, "accuracy": scores.get(processed, 0.0),
                      "match": 1.0 if processed in [processor(p) for p in people] else 0.0})
    return lines


def anls(draw, lmms):
    (score, _) = functions(lmms / "lmms_eval/api/metrics.py", ["anls", "levenshtein_distance"])
    lines = [{"answer": a, "accepted": t, "score": float(score(t, [a])["anls"])} for a, t in
             [("", [""]), ("", ["a"]), ("a", [""]), ("ab", ["abcd"]), ("abc", ["abcd"]), ("Straße", ["STRASSE"]), ("ﬁ", ["fi"])]]
    for _ in range(600):
        accepted = [answer(draw, {"x": "y"}) for _ in range(draw.randint(1, 3))]
        given = damaged(draw, draw.choice(accepted)) if draw.random() < 0.8 else answer(draw, {"x": "y"})
        lines.append({"answer": given, "accepted": accepted, "score": float(score(accepted, [given])["anls"])})
    return lines


def relaxed(draw, lmms):
    (correct,) = functions(lmms / "lmms_eval/tasks/chartqa/utils.py", ["relaxed_correctness"])
    numbers = ["0", "0.0", "-0", "1", "100", "105", "105.1", "95", "94.9", "1_000", "1__0", "_1", "1e3", "1E+3", "1e", ".5", "5.", ".",
               "+7", "-7", "- 7", " 7 ", "7%", "7%%", "%", "0.07", "50%", "0.5", "inf", "-Infinity", "nan", "NaN", "1,000", "٣", "3",
               "0x10", "1/2", "", " ", "1 000", "12.5.3", "１２", "12", "0%", "1e400", "-1e400", "Yes", "yes", "YES ", "Straße"]
    lines = [{"answer": a, "truth": t, "score": bool(correct(a, t))} for a in numbers for t in numbers if draw.random() < 0.25]
    for _ in range(300):
        truth = draw.choice([str(draw.randint(-50, 5000)), f"{draw.uniform(0, 100):.2f}", f"{draw.randint(0, 100)}%"])
        value = float(truth.rstrip("%")) * draw.uniform(0.93, 1.07)
        given = f"{value:.3f}" + ("%" if truth.endswith("%") and draw.random() < 0.8 else "")
        lines.append({"answer": given, "truth": truth, "score": bool(correct(given, truth))})
    return lines


def mme(draw, lmms):
    names = ["parse_pred_ans", "mme_aggregate_results"]
    parse, aggregate = functions(lmms / "lmms_eval/tasks/mme/utils.py", names)
    replies = ["Yes", "no", "yes.", "No, it is not.", "Y", "n", "N.", "x", "", "Maybe", "Not at all", "Nothing", "I know", "The answer is no",
               " yes", "\nNo", "Yes, there is", "know", "noon", "..no", "YES!", "eyes", "Ja", "否"]
    lines = []
    for trial in range(60):
        answers = []
        for category in draw.sample(["existence", "count", "OCR", "code_reasoning", "text_translation", "scene"], draw.randint(1, 5)):
            for picture in range(draw.randint(1, 4)):
                for _ in range(2):
                    reply, truth = draw.choice(replies), draw.choice(["Yes", "No"])
                    answers.append({"category": category, "picture": f"{picture}.png", "reply": reply, "truth": truth,
                                    "parsed": parse(reply)})
        scored = [{"category": a["category"], "question_id": a["picture"],
                   "score": 1.0 if a["parsed"] == a["truth"].lower() else 0.0} for a in answers]
        lines.append({"answers": answers, "total": aggregate(scored)})
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lyra", type=pathlib.Path, required=True)
    parser.add_argument("--lmms-eval", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("output", type=pathlib.Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    files = {
        "normaliser": lambda draw: normaliser(draw),
        "words": lambda draw: errors(draw, jiwer.process_words),
        "characters": lambda draw: errors(draw, jiwer.process_characters),
        "vqa": lambda draw: vqa(draw, options.lyra),
        "anls": lambda draw: anls(draw, options.lmms_eval),
        "relaxed": lambda draw: relaxed(draw, options.lmms_eval),
        "mme": lambda draw: mme(draw, options.lmms_eval),
    }
    for name, make in files.items():
        lines = make(random.Random(f"{options.seed} {name}"))
        text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
        (options.output / f"{name}.jsonl").write_text(text)
        print(f"{name}: {len(lines)} lines, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
