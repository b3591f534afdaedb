"""The server's interface through OpenAI's own package: pip install 'openai[realtime]', then python talk.py [ADDRESS].

Asks about a picture by voice, streams the spoken answer into answer.wav, and holds a short realtime conversation.
"""

import asyncio
import base64
import pathlib
import sys
import wave

from openai import AsyncOpenAI, OpenAI

ADDRESS = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080") + "/v1"
EXAMPLES = pathlib.Path(__file__).parent.parent


def base64_of(name: str) -> str:
    return base64.b64encode((EXAMPLES / name).read_bytes()).decode()


def ask_about_a_picture() -> None:
    client = OpenAI(base_url=ADDRESS, api_key="none")
    stream = client.chat.completions.create(
        model="lyra",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "pcm16"},
        max_completion_tokens=64,
        stream=True,
        messages=[{
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64_of("picture.png")}},
                {"type": "input_audio", "input_audio": {"data": base64_of("question.wav"), "format": "wav"}},
            ],
        }],
    )
    with wave.open("answer.wav", "wb") as sound:
        sound.setparams((1, 2, 24000, 0, "NONE", ""))
        for chunk in stream:
            delta = chunk.choices[0].delta
            print(delta.content or "", end="", flush=True)
            if delta.audio and delta.audio.data:
                sound.writeframes(base64.b64decode(delta.audio.data))
    print()


async def talk() -> None:
    client = AsyncOpenAI(base_url=ADDRESS, api_key="none")
    with wave.open(str(EXAMPLES / "question.wav")) as file:
        assert file.getframerate() == 16000
        frames = memoryview(file.readframes(file.getnframes())).cast("h")
    # To 24 kHz, by interpolation.
    count = len(frames) * 3 // 2
    samples = [frames[min(len(frames) - 1, i * 2 // 3)] for i in range(count)]
    pcm = b"".join(s.to_bytes(2, "little", signed=True) for s in samples) + bytes(48000)
    async with client.realtime.connect(model="lyra") as connection:
        for start in range(0, len(pcm), 4800):  # a tenth of a second each
            await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start:start + 4800]).decode())
        async for event in connection:
            if event.type == "response.output_audio_transcript.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "response.done":
                print(f"\n({event.response.status})")
                return


ask_about_a_picture()
asyncio.run(talk())
