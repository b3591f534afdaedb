"""Loads a running server, and sends it what it has to refuse: load_test.py ADDRESS [KEY] [--clients 32] [--seconds 120]

Needs nothing beyond Python. Four parts, each with its numbers; the first thing that is not right ends the test: conversations
at once, requests that are wrong, clients that vanish, and the time to the first sound of a spoken question's answer.
Start the server with the standard limits (8 replies at once, 64 waiting).
"""

import argparse
import array
import asyncio
import base64
import collections
import json
import os
import pathlib
import random
import sys
import time
import urllib.parse
import wave

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("address")
arguments.add_argument("key", nargs="?", default="none")
arguments.add_argument("--clients", type=int, default=32, help="conversations at once")
arguments.add_argument("--seconds", type=float, default=120, help="how long they go on")
arguments.add_argument("--requests", type=int, default=1000, help="wrong requests")
OPTIONS = arguments.parse_args()
SERVER = urllib.parse.urlsplit(OPTIONS.address)
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
PICTURE = "data:image/png;base64," + base64.b64encode((EXAMPLES / "picture.png").read_bytes()).decode()
LATEST = 30.0  # seconds for what is answered without the model


def check(name: str, is_right: bool, detail: object = "") -> None:
    if not is_right:
        sys.exit(f"FAILED  {name}: {detail}")
    print(f"ok      {name}", flush=True)


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99)]
    return "median {:.3f} s, 95 % {:.3f} s, 99 % {:.3f} s, longest {:.3f} s".format(*at, ordered[-1])


def question(seconds: float, seed: int) -> str:
    """The spoken question, cut to a length, with noise of its own, so that no cache knows it. As base64 of a wav."""
    with wave.open(str(EXAMPLES / "question.wav")) as sound:
        rate, samples = sound.getframerate(), array.array("h", sound.readframes(int(sound.getframerate() * seconds)))
    noise = random.Random(seed)
    samples = array.array("h", (max(-32768, min(32767, sample + noise.randint(-3, 3))) for sample in samples))
    data = samples.tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0"
    head += rate.to_bytes(4, "little") + (rate * 2).to_bytes(4, "little") + b"\2\0\x10\0data" + len(data).to_bytes(4, "little")
    return base64.b64encode(head + data).decode()


# ---------------------------------------------------------------- HTTP, with bytes in our hands


async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(SERVER.hostname, SERVER.port, limit=1 << 26)


def head(method: str, path: str, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {SERVER.netloc}", f"Authorization: Bearer {OPTIONS.key}", "Connection: close", *more]
    return "".join(line + "\r\n" for line in (*lines, "")).encode()


def post(path: str, body: bytes, kind: str = "application/json") -> bytes:
    return head("POST", path, f"Content-Type: {kind}", f"Content-Length: {len(body)}") + body


def chat(content: object, **more: object) -> bytes:
    body = {"model": "lyra", "messages": [{"role": "user", "content": content}], "max_completion_tokens": 24, **more}
    return post("/v1/chat/completions", json.dumps(body).encode())


async def answer(request: bytes, frame: bytes = b"") -> tuple[int, bytes]:
    """Status and body; 0 for a connection that is closed without a word. A frame is sent once the socket is open, and
    what comes until the server closes it is the body."""
    reader, writer = await connect()
    try:
        async with asyncio.timeout(LATEST):
            writer.write(request)
            heading = await reader.readuntil(b"\r\n\r\n")
            writer.write(frame)
            lengths = [line.split(b":")[1] for line in heading.splitlines() if line.lower().startswith(b"content-length:")]
            body = await reader.readexactly(int(lengths[0])) if lengths else await reader.read(-1)
            return int(heading.split()[1]), body
    except (ConnectionError, asyncio.IncompleteReadError):
        return 0, b""
    except TimeoutError:
        return -1, b"no answer, or the connection stays open"
    finally:
        writer.close()


async def metric(name: str) -> float:
    _, body = await answer(head("GET", "/metrics"))
    return next(float(line.split()[-1]) for line in body.decode().splitlines() if line.startswith(name + " "))


async def stream(request: bytes):
    """The events of a streamed reply, with the time since it was asked for."""
    reader, writer = await connect()
    began = time.perf_counter()
    try:
        writer.write(request)
        status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
        if status != 200:
            raise RuntimeError(f"status {status}: {(await reader.read())[:300]!r}")
        async for line in reader:
            if line.startswith(b"data: "):
                yield time.perf_counter() - began, line[6:].strip()
    finally:
        writer.close()


async def reply(request: bytes) -> tuple[str, float, float, float | None]:
    """Text, time to the first of it, time to the end, time to the first sound."""
    text, first, sound, end = "", None, None, None
    async for passed, data in stream(request):
        if data == b"[DONE]":
            if end is None:
                raise RuntimeError("the stream has no finish_reason")
            return text, first if first is not None else end, end, sound
        event = json.loads(data)
        if "error" in event:
            raise RuntimeError(event["error"]["message"])
        delta = event["choices"][0]["delta"]
        if delta.get("content"):
            text, first = text + delta["content"], passed if first is None else first
        if (delta.get("audio") or {}).get("data") and sound is None:
            sound = passed
        end = passed if event["choices"][0].get("finish_reason") else end
    raise RuntimeError("the stream broke off")


# ---------------------------------------------------------------- the parts


async def load() -> None:
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "lyra", "format": "pcm16"}}
    sound = {"type": "input_audio", "input_audio": {"data": question(3, 0), "format": "wav"}}
    picture = {"type": "image_url", "image_url": {"url": PICTURE}}
    kinds = {
        "writing": chat("What is a lyre?", stream=True),
        "picture": chat([picture, {"type": "text", "text": "What is it?"}], stream=True),
        "speech, answered in speech": chat([sound], stream=True, **spoken),
    }
    alone = {name: (await reply(request))[0] for name, request in kinds.items()}
    before = await metric("lyra_resident_bytes")
    times = collections.defaultdict(list)
    different, end = 0, time.perf_counter() + OPTIONS.seconds

    async def converse(number: int) -> None:
        nonlocal different
        while time.perf_counter() < end:
            name = list(kinds)[number % len(kinds)]
            text, first, whole, _ = await reply(kinds[name])
            times[name, "first text"].append(first)
            times[name, "whole reply"].append(whole)
            different += text != alone[name]
            number += 1

    results = await asyncio.gather(*(converse(number) for number in range(OPTIONS.clients)), return_exceptions=True)
    count = sum(len(seconds) for (_, what), seconds in times.items() if what == "whole reply")
    for (name, what), seconds in sorted(times.items()):
        print(f"        {name}, {what}: {spread(seconds)}")
    lost = [repr(result) for result in results if result is not None]
    print(f"        {count} replies in {OPTIONS.seconds:.0f} s, {different} differ from the reply given alone")
    check(f"{OPTIONS.clients} conversations at once: none lost", not lost, lost[:3])
    check("each has its own reply", different == 0, f"{different} of {count}")
    after = await metric("lyra_resident_bytes")
    print(f"        memory {before / 2**20:.0f} MB before, {after / 2**20:.0f} MB after")


def wrong_requests() -> list[tuple]:
    """Kinds of requests that are wrong, what may be answered (0 is a closed connection), and frames for sockets."""
    sound = (EXAMPLES / "question.wav").read_bytes()
    encoded = base64.b64encode(sound).decode()

    def heard(data: str) -> bytes:
        return chat([{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}])

    def seen(url: str) -> bytes:
        return chat([{"type": "image_url", "image_url": {"url": url}}])

    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    socket = head("GET", "/v1/realtime?model=lyra", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    socket = socket.replace(b"Connection: close", b"Connection: Upgrade")
    form = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
    return [
        ("JSON that ends early", post("/v1/chat/completions", b'{"model": "lyra", "messages": [{"role"'), {400}),
        ("JSON of bytes", post("/v1/chat/completions", os.urandom(300)), {400}),
        ("JSON nested deep", post("/v1/chat/completions", b"[" * 5000), {400}),
        ("another content type", post("/v1/chat/completions", b"{}", "text/plain"), {415}),
        ("no messages", post("/v1/chat/completions", b'{"model": "lyra", "messages": []}'), {400}),
        ("wrong types", post("/v1/chat/completions", b'{"model": 5, "messages": "x"}'), {400}),
        ("numbers beyond all", chat("x", max_completion_tokens=10**30), {400}),
        ("base64 that is none", heard("%%%%"), {400}),
        ("base64 that is cut", heard(encoded[:1001]), {400}),
        ("nothing as sound", heard(""), {400}),
        ("a picture as sound", heard(PICTURE.split(",")[1]), {400}),
        ("sound as a picture", seen("data:image/png;base64," + encoded), {400}),
        ("a picture that is cut", seen(PICTURE[: 22 + 400]), {400}),
        ("a picture from elsewhere", seen("http://127.0.0.1:1/x.png"), {400}),
        ("a file of the machine", seen("file:///etc/passwd"), {400}),
        ("a playlist", heard(base64.b64encode(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n").decode()), {400}),
        ("a form that ends early", post("/v1/audio/transcriptions", form + sound[:500], "multipart/form-data; boundary=x"), {400}),
        ("a form without fields", post("/v1/audio/transcriptions", b"--x--\r\n", "multipart/form-data; boundary=x"), {400}),
        ("a form without a boundary", post("/v1/audio/transcriptions", form, "multipart/form-data"), {415}),
        ("speech of nothing", post("/v1/audio/speech", b'{"model": "lyra", "input": "", "voice": "x"}'), {400}),
        ("a file that is not there", head("GET", "/v1/files/..%2f..%2fetc%2fpasswd"), {400, 404}),
        ("a request that is too large", head("POST", "/v1/files", "Content-Type: x", "Content-Length: 99999999999"), {0, 413}),
        ("a length that is none", head("POST", "/v1/files", "Content-Length: -1"), {0, 400}),
        ("a chunk that is none", head("POST", "/v1/files", "Transfer-Encoding: chunked") + b"zz\r\n", {0, 400, 415}),
        ("a flood of headers", head("GET", "/health", *(f"X-{i}: y" for i in range(2000))), {0, 400, 431}),
        ("a header without an end", head("GET", "/health", "X: " + "y" * 200_000), {0, 400, 431}),
        ("no HTTP", os.urandom(400), {0, 400}),
        ("no such place", head("GET", "/v1/none"), {404}),
        ("no such method", head("DELETE", "/v1/chat/completions"), {404, 405}),
        ("a frame that is not masked", socket, {101}, b"\x81\x05hello"),
        ("a frame with reserved bits", socket, {101}, b"\xf1\x80\0\0\0\0"),
        ("a frame of no kind", socket, {101}, b"\x83\x80\0\0\0\0"),
        ("a frame as long as can be", socket, {101}, b"\x81\xff\x7f" + b"\xff" * 7 + b"\0\0\0\0"),
        ("a socket without a key", socket.replace(b"Sec-WebSocket-Key", b"X"), {0, 400, 404, 426}),
    ]


async def refusals() -> None:
    """Each request again and again, sixteen at a time."""
    kinds, count = wrong_requests(), 0
    before, gate = await metric("lyra_resident_bytes"), asyncio.Semaphore(16)
    health = []

    async def refused(name: str, request: bytes, allowed: set[int], frame: bytes = b"") -> str | None:
        async with gate:
            status, body = await answer(request, frame)
        if status not in allowed:
            return f"{name}: status {status}, {body[:200]!r}"
        try:
            if status >= 400 and body and not json.loads(body)["error"]["message"]:
                return f"{name}: no message"
        except (ValueError, KeyError):
            return f"{name}: status {status}, not in the shape of errors: {body[:200]!r}"
        return None

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            status, _ = await answer(head("GET", "/health"))
            health.append(time.perf_counter() - began if status == 200 else LATEST)
            await asyncio.sleep(0.2)

    watcher = asyncio.create_task(watch())
    while count < OPTIONS.requests:
        found = await asyncio.gather(*(refused(*kind) for kind in kinds))
        count += len(kinds)
        if wrong := [text for text in found if text]:
            check("wrong requests", False, wrong[:5])
    watcher.cancel()
    check(f"{count} wrong requests of {len(kinds)} kinds are refused as they should be", True)
    print(f"        /health meanwhile: {spread(health)}")
    text, *_ = await reply(chat("What is a lyre?", stream=True))
    check("the server answers as before", bool(text))
    after = await metric("lyra_resident_bytes")
    print(f"        memory {before / 2**20:.0f} MB before, {after / 2**20:.0f} MB after")


async def vanishing() -> None:
    """Clients that go while their reply is made, whole and streamed: their places are free within a second. Each asks by voice, in sound
    that is to be encoded first, so that even a model of few words is at work when they go."""
    slowest, kept = 0.0, 0
    for streams in (True, False):
        connections = [await connect() for _ in range(OPTIONS.clients)]
        for _, writer in connections:
            part = {"type": "input_audio", "input_audio": {"data": question(3, random.getrandbits(64)), "format": "wav"}}
            writer.write(chat([part], stream=streams, temperature=2, max_completion_tokens=4096))
        await asyncio.sleep(0.1)
        kept += int(await metric("lyra_replies_running"))
        for _, writer in connections:
            writer.transport.abort()
        began = time.perf_counter()
        while await metric("lyra_replies_running") + await metric("lyra_queue_length") > 0:
            if time.perf_counter() - began > LATEST:
                check("clients that vanish free their places", False, f"not within {LATEST} s")
        slowest = max(slowest, time.perf_counter() - began)
    if kept == 0:
        return print("skipped clients that vanish: this model is done before they go")
    check(f"{2 * OPTIONS.clients} clients vanish, {kept} places are free after {slowest:.3f} s", slowest < 1)


async def first_sound() -> None:
    """A spoken question of 3 s, each time another, answered in speech: until the first sound is here, over HTTP."""
    sounds, texts = [], []
    for _ in range(20):
        part = {"type": "input_audio", "input_audio": {"data": question(3, random.getrandbits(64)), "format": "wav"}}
        request = chat([part], stream=True, modalities=["text", "audio"], audio={"voice": "lyra", "format": "pcm16"})
        _, first, _, sound = await reply(request)
        texts.append(first)
        sounds += [] if sound is None else [sound]
    print(f"        first text: {spread(texts)}")
    check("a spoken question is answered in speech", len(sounds) > 0, "no reply had sound")
    print(f"        first sound: {spread(sounds)} ({len(sounds)} replies)")


async def main() -> None:
    for part in (load, refusals, vanishing, first_sound):
        await part()
    settled = [await metric(name) for name in ("lyra_replies_running", "lyra_queue_length", "lyra_realtime_sessions")]
    check("nothing is left over", settled == [0, 0, 0], settled)


asyncio.run(main())
