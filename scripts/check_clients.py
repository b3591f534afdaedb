"""Drives every endpoint of a running server with OpenAI's own Python package: check_clients.py ADDRESS KEY

Prints a line per check, and fails at the first that is not as it should be: that the package understands the answers, that the parts
agree with each other, and that nano, the model that a server has by default, answers rightly.
"""

import asyncio
import base64
import io
import pathlib
import sys
import wave

import openai
from openai import AsyncOpenAI, OpenAI

ADDRESS, KEY = sys.argv[1] + "/v1", sys.argv[2]
EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"
# "What can you see in the picture?", of the picture that lies beside it.
SPOKEN = EXAMPLES / "nano/question.wav"
SHOWN = "big red ring in the middle"
client = OpenAI(base_url=ADDRESS, api_key=KEY, max_retries=0)
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode((EXAMPLES / "nano/picture.png").read_bytes()).decode()}}
QUESTION = {"type": "input_audio", "input_audio": {"data": base64.b64encode(SPOKEN.read_bytes()).decode(), "format": "wav"}}


def check(name: str, is_right: bool, detail: object = "") -> None:
    if not is_right:
        sys.exit(f"FAILED  {name}: {detail}")
    print(f"ok      {name}", flush=True)


def say(content, **more):
    return client.chat.completions.create(model="lyra", messages=[{"role": "user", "content": content}], **{"max_completion_tokens": 48} | more)


def models() -> None:
    names = [model.id for model in client.models.list()]
    check("models.list", "lyra" in names, names)
    check("models.retrieve", client.models.retrieve("lyra").owned_by == "lyra")


def chat() -> None:
    whole = say("Hello?")
    check("chat", whole.choices[0].message.content is not None and whole.choices[0].finish_reason in ("stop", "length"))
    check("chat: usage", whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens)
    text, usage = "", None
    for chunk in say("Hello?", stream=True, stream_options={"include_usage": True}):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    check("chat: stream", text == whole.choices[0].message.content, text)
    check("chat: stream usage", usage.completion_tokens == whole.usage.completion_tokens)
    check("chat: seed", say("Hi.", temperature=1, seed=3).choices[0].message.content == say("Hi.", temperature=1, seed=3).choices[0].message.content)
    seen = say([PICTURE, {"type": "text", "text": "What colour is the moon?"}])
    check("chat: picture in", seen.usage.prompt_tokens_details.image_tokens > 0, seen.usage)
    check("chat: what is seen", seen.choices[0].message.content == "It is pink.", seen.choices[0].message.content)
    heard = say([PICTURE, QUESTION])
    check("chat: picture and speech in", heard.usage.prompt_tokens_details.audio_tokens > 0, heard.usage)
    check("chat: what is heard", SHOWN in heard.choices[0].message.content, heard.choices[0].message.content)
    cut = say([PICTURE, QUESTION], max_completion_tokens=3).choices[0]
    check("chat: cut", cut.finish_reason == "length" and heard.choices[0].message.content.startswith(cut.message.content), cut)


def spoken_chat() -> None:
    spoken = say([PICTURE, QUESTION], modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    audio = spoken.choices[0].message.audio
    check("chat: speech out", base64.b64decode(audio.data)[:4] == b"RIFF" and audio.transcript == spoken.choices[0].message.content)
    check("chat: what is spoken about", SHOWN in audio.transcript and len(base64.b64decode(audio.data)) > 32000, audio.transcript)
    data, transcript = b"", ""
    for chunk in say([PICTURE, QUESTION], modalities=["text", "audio"], audio={"voice": "alloy", "format": "pcm16"}, stream=True):
        if part := chunk.choices[0].delta.audio:
            data += base64.b64decode(part.data or "")
            transcript += part.transcript or ""
    check("chat: speech out, streamed", len(data) % 2 == 0 and transcript == audio.transcript)
    history = [{"role": "user", "content": [PICTURE, QUESTION]}, {"role": "assistant", "audio": {"id": audio.id}}, {"role": "user", "content": "And?"}]
    again = client.chat.completions.create(model="lyra", messages=history, max_completion_tokens=4)
    check("chat: a spoken reply named again", again.usage.prompt_tokens > spoken.usage.prompt_tokens)


def transcriptions() -> None:
    sentence = client.audio.transcriptions.create(model="lyra", file=EXAMPLES / "nano/sentence.flac").text
    check("transcriptions: what is said", sentence == "The train to London leaves at six nineteen.", sentence)
    path = SPOKEN
    plain = client.audio.transcriptions.create(model="lyra", file=path)
    verbose = client.audio.transcriptions.create(model="lyra", file=path, response_format="verbose_json")
    check("transcriptions", plain.text == verbose.text, (plain.text, verbose.text))
    with wave.open(str(path)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    check("transcriptions: verbose_json", abs(float(verbose.duration) - seconds) < 0.01 and verbose.segments[0].end > 0)
    check("transcriptions: srt", "-->" in client.audio.transcriptions.create(model="lyra", file=path, response_format="srt"))
    check("transcriptions: vtt", client.audio.transcriptions.create(model="lyra", file=path, response_format="vtt").startswith("WEBVTT"))
    events = list(client.audio.transcriptions.create(model="lyra", file=path, stream=True))
    check("transcriptions: stream", events[-1].type == "transcript.text.done" and events[-1].text == plain.text)


def speech() -> None:
    starts = {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}
    for name in ("wav", "flac", "opus", "mp3", "pcm"):
        with client.audio.speech.with_streaming_response.create(model="lyra", voice="alloy", input="One. Two.", response_format=name) as response:
            data = b"".join(response.iter_bytes())
        check(f"speech: {name}", len(data) > 0 and data.startswith(starts.get(name, b"")), data[:8])


def files() -> None:
    stored = client.files.create(file=EXAMPLES / "recording.ogg", purpose="user_data")
    check("files.create", stored.bytes == (EXAMPLES / "recording.ogg").stat().st_size)
    answer = say([{"type": "file", "file": {"file_id": stored.id}}, {"type": "text", "text": "Who speaks?"}])
    check("files: asked about", answer.usage.prompt_tokens_details.audio_tokens > 0)
    check("files.list", [file.id for file in client.files.list()] == [stored.id])
    check("files.content", client.files.content(stored.id).read() == (EXAMPLES / "recording.ogg").read_bytes())
    check("files.delete", client.files.delete(stored.id).deleted)


def errors() -> None:
    def fails(kind, code, action) -> None:
        try:
            action()
        except kind as error:
            check(f"error: {kind.__name__} {code}", error.code == code, error.code)
        else:
            check(f"error: {kind.__name__} {code}", False, "nothing was raised")

    fails(openai.NotFoundError, "model_not_found", lambda: client.chat.completions.create(model="other", messages=[{"role": "user", "content": "x"}]))
    fails(openai.BadRequestError, "invalid_value", lambda: say("x", temperature=9))
    fails(openai.BadRequestError, "unsupported_parameter", lambda: say("x", n=2))
    fails(openai.BadRequestError, "invalid_media", lambda: client.audio.transcriptions.create(model="lyra", file=("x.wav", io.BytesIO(b"no sound"))))
    fails(openai.NotFoundError, "file_not_found", lambda: client.files.retrieve("file-none"))
    stranger = OpenAI(base_url=ADDRESS, api_key="wrong", max_retries=0)
    fails(openai.AuthenticationError, "invalid_api_key", lambda: stranger.models.list())


async def realtime() -> None:
    with wave.open(str(SPOKEN)) as file:
        frames = memoryview(file.readframes(file.getnframes())).cast("h")
    last = len(frames) - 1  # from 16 to 24 kHz, on straight lines
    samples = [(frames[min(last, i * 2 // 3)] * (3 - i * 2 % 3) + frames[min(last, i * 2 // 3 + 1)] * (i * 2 % 3)) // 3 for i in range(len(frames) * 3 // 2)]
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    seen, text, sound = [], "", 0
    async with AsyncOpenAI(base_url=ADDRESS, api_key=KEY).realtime.connect(model="lyra") as connection:
        await connection.session.update(session={
            "type": "realtime", "max_output_tokens": 48,
            "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 400}}},
        })
        await connection.conversation.item.create(item={
            "type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PICTURE["image_url"]["url"]}]})
        for start in range(0, len(pcm) + 48000, 4800):
            piece = pcm[start:start + 4800].ljust(4800, b"\0")
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        async for event in connection:
            seen.append(event.type)
            if event.type == "error":
                check("realtime", False, event)
            if event.type == "response.output_audio_transcript.delta":
                text += event.delta
            if event.type == "response.output_audio.delta":
                sound += len(base64.b64decode(event.delta))
            if event.type == "response.done":
                break
        check("realtime: speech found", "input_audio_buffer.speech_started" in seen and "input_audio_buffer.speech_stopped" in seen, seen)
        check("realtime: answered", event.response.status in ("completed", "incomplete") and event.response.usage.output_tokens > 0, event.response)
        check("realtime: the right answer", SHOWN in text, text)
        check("realtime: sound", sound > 48000 and event.response.output[0].content[0].transcript == text and sound % 2 == 0)
        await connection.conversation.item.truncate(item_id=event.response.output[0].id, content_index=0, audio_end_ms=10)
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]})
        await connection.response.create(response={"output_modalities": ["text"]})
        async for event in connection:
            if event.type == "response.done":
                break
        check("realtime: in writing after a truncation", event.response.status in ("completed", "incomplete"), event.response)


for part in (models, chat, spoken_chat, transcriptions, speech, files, errors):
    part()
asyncio.run(realtime())
print(f"all right with openai {openai.__version__}")
